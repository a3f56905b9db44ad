"""What the old all-in-one image has that no image per process has, and the reverse.

Processes, packages' files, ports and environment. Nothing is started. Status 1 when something is lost that
bake.toml's `monolith.accept` does not name.
"""

import argparse
import posixpath
import uuid
from collections.abc import Mapping, Sequence

from bake.commands.arguments import add_plan_arguments, add_reading_arguments, named, selected
from bake.console import Console
from bake.engine import Configured, Containers, DockerBox, containers
from bake.images import (
    Inventory,
    Item,
    Parity,
    compare_inventories,
    join_inventories,
    keepers,
    open_image,
    open_monolith,
    packages_of,
    part,
    read_files,
    require_images,
    variables,
)
from bake.plan import TREE, Image, Name, Names, Plan
from bake.session import Session
from bake.sources import Program, identity, parse_programs
from bake.table import show, table
from bake.workspace import shown

_SHOWN = 20
"""Files of either side that the table names; JSON has them all."""

_KNOWN = (
    "/etc/supervisord.conf",
    "/etc/supervisor/supervisord.conf",
    "/etc/supervisor/conf.d",
    "/etc/supervisord.d",
)
"""Where supervisord looks. Sources: supervisord.org/configuration.html; Debian's supervisor package."""

_AT_ROOT = ("supervisord.conf", "Procfile", "ecosystem.config.js", "ecosystem.config.cjs")
_SUPERVISORS = ("supervisord", "pm2-runtime", "pm2", "foreman", "overmind", "honcho")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which images, and the old one."""
    add_plan_arguments(parser)
    add_reading_arguments(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Take stock of both sides, compare, report."""
    plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag))
    require_images(plan, pushed=arguments.pushed)
    scripts = _scripts(session)
    with containers(uuid.uuid4().hex[:12]) as engine:
        names = session.names(plan)
        old = _old(plan, names, engine, scripts, against=arguments.against, pushed=arguments.pushed)
        new = _new(plan, names, engine, scripts, pushed=arguments.pushed)
    monolith = session.project.config.monolith
    result = compare_inventories(old, new, monolith.accept if monolith else ())
    _show_parity(session.console, result, arguments.format)
    return 0 if result.ok else 1


def _scripts(session: Session) -> Mapping[str, Mapping[str, str]]:
    """Package path and name -> npm scripts."""
    packages = session.project.packages
    by_path = {shown(p.path): p.scripts for p in packages}
    return by_path | {p.name: by_path[shown(p.path)] for p in packages}


def _new(
    plan: Plan, names: Names, engine: Containers, scripts: Mapping[str, Mapping[str, str]], *, pushed: bool
) -> Inventory:
    """The fleet, on the first platform asked for."""
    platform = engine.platform if engine.platform in plan.platforms else plan.platforms[0]
    return join_inventories(
        _image(plan, names[i.target], engine, i, platform, scripts, pushed=pushed) for i in plan.selected()
    )


def _image(
    plan: Plan,
    name: Name,
    engine: Containers,
    image: Image,
    platform: str,
    scripts: Mapping[str, Mapping[str, str]],
    *,
    pushed: bool,
) -> Inventory:
    box = open_image(plan, engine, image.target, name, platform, pushed=pushed)
    try:
        configured = box.configured
        program = Program(name=image.target, words=configured.command, directory=configured.directory)
        files = read_files(box, TREE, packages_of(plan, image.service))
        return _inventory(plan, configured, (program,), frozenset(files), TREE, scripts)
    finally:
        box.remove()


def _old(
    plan: Plan,
    names: Names,
    engine: Containers,
    scripts: Mapping[str, Mapping[str, str]],
    *,
    against: str | None,
    pushed: bool,
) -> Inventory:
    box = open_monolith(plan, names, engine, against=against, pushed=pushed)
    configured = box.configured
    keeps = keepers(plan)
    files = read_files(box, configured.directory, keeps)
    own = {package: part(files, package, keeps) for package in keeps}
    kept = frozenset(posixpath.join(p, path) for p, keep in keeps.items() for path in own[p] if keep(path))
    return _inventory(plan, configured, _programs(box, configured), kept, configured.directory, scripts)


def _inventory(
    plan: Plan,
    configured: Configured,
    programs: Sequence[Program],
    files: frozenset[str],
    root: str,
    scripts: Mapping[str, Mapping[str, str]],
) -> Inventory:
    packages = [o.package for o in plan.outputs]
    return Inventory(
        commands={identity(p, root, packages, scripts): _said(p) for p in programs},
        files=files,
        ports=frozenset(p.removesuffix("/tcp") for p in configured.ports),
        env=variables(configured.env),
    )


def _said(program: Program) -> str:
    line = " ".join(program.words)
    return f"{program.name}: {line}" if program.name else line


def _programs(box: DockerBox, configured: Configured) -> tuple[Program, ...]:
    """What the image's own command starts: the programs in the files that it names, else itself."""
    own = Program(name="", words=configured.command, directory=configured.directory)
    paths = [posixpath.join(configured.directory, w) for w in configured.command if not w.startswith("-")]
    if any(posixpath.basename(w) in _SUPERVISORS for w in configured.command):
        paths += [*_KNOWN, *(posixpath.join(configured.directory, name) for name in _AT_ROOT)]
    texts = {path: text for place in dict.fromkeys(paths) for path, text in box.texts(place).items()}
    found = [p for path, text in texts.items() for p in parse_programs(path, text, configured.directory)]
    return tuple(found) or (own,)


def _show_parity(console: Console, parity: Parity, form: str) -> None:
    rows = [*_rows("lost", parity.lost), *_rows("gained", parity.gained)]
    if rows or form == "json":
        show(form, {"lost": parity.lost, "gained": parity.gained}, table(rows))
    if form == "json":
        return
    lost = sum(not i.accepted for i in parity.lost)
    known = sum(i.accepted for i in parity.lost)
    tail = f" ({known} accepted)" if known else ""
    remedy = "; accept what is meant in monolith.accept of bake.toml" if lost else ""
    console.say(f"{lost or 'nothing'} lost{tail}, {len(parity.gained)} gained{remedy}")


def _rows(side: str, items: Sequence[Item]) -> list[dict[str, object]]:
    files = [i for i in items if i.kind == "file"]
    shown = [i for i in items if i.kind != "file" or i in files[:_SHOWN]]
    rows: list[dict[str, object]] = [
        {"only": f"{side}{' (accepted)' if i.accepted else ''}", "kind": i.kind, "name": i.name, "detail": i.detail}
        for i in shown
    ]
    if len(files) > _SHOWN:
        rows.append({"only": side, "kind": "file", "name": f"and {len(files) - _SHOWN} more", "detail": ""})
    return rows
