"""All that production says, by package: processes with what other files add, build scripts, Node. Pure."""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bake.evidence.dockerfiles import Stage, final_stages, parse_dockerfile
from bake.evidence.facts import WorkspaceFacts
from bake.evidence.names import is_beside, is_for_developers, plain_name, slug, within
from bake.evidence.place import Evidence, in_images
from bake.evidence.production import (
    find_composed,
    find_deployed,
    find_evidence,
    is_dockerfile,
    joined_settings,
    stated_builds,
    told_by,
)
from bake.shell import called_scripts
from bake.workspace import Package


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildCall:
    """A script that production's build runs in a package."""

    package: str
    script: str
    source: str


def know_production(facts: WorkspaceFacts) -> WorkspaceFacts:
    """The facts with what files say about production."""
    found = find_evidence(facts)
    placed = [e for e in found if e.package is not None and (e.start.words or e.static)]
    loose = [e for e in found if e.package is None or not (e.start.words or e.static)]
    for each in loose:
        placed = _attached(placed, each, slug(facts.name))
    said: dict[str, list[Evidence]] = {}
    for each in placed:
        said.setdefault(each.package or "", []).append(each)
    return replace(
        facts,
        said={path: tuple(rows) for path, rows in said.items()},
        loose=tuple(e for e in loose if e.start.reason),
        builds=tuple(_build_calls(facts)),
        nodes=tuple(_nodes(facts, {e.file for e in placed})),
    )


def _attached(placed: Sequence[Evidence], loose: Evidence, project: str) -> list[Evidence]:
    """The placed processes, the one that a further file means with what that file adds."""
    image = slug(re.sub(r"[@:][^/]*$", "", loose.image).rpartition("/")[2]) if loose.image else ""
    named = plain_name(loose.name)
    at = _named(placed, {named, named.removeprefix(f"{project}-")}, project)
    if at is None and image:
        at = _of_image(placed, {image, image.removeprefix(f"{project}-")}, loose)
    servers = [i for i, e in enumerate(placed) if not e.static]
    whole = image == project or bool(re.search("several processes", loose.start.reason))
    if at is None and whole and len(servers) == 1:
        at = servers[0]
    if at is None:
        return [*placed]
    one = placed[at]
    # A loose Dockerfile's variables are for all that its image runs.
    joined = replace(
        one,
        port=one.port or loose.port,
        health=one.health or loose.health,
        system=tuple(dict.fromkeys((*one.system, *loose.system))),
        folders=tuple(dict.fromkeys((*one.folders, *(in_images(one.lies, folder) for folder in loose.folders)))),
        env=joined_settings(one, loose) if not loose.file else one.env,
        unset=tuple(dict.fromkeys((*one.unset, *loose.unset))),
        told=told_by(one, loose),
    )
    return [*placed[:at], joined, *placed[at + 1 :]]


def _named(placed: Sequence[Evidence], names: set[str], project: str) -> int | None:
    """The process that a name means: its own name first, then its package's."""
    own = [
        i
        for i, e in enumerate(placed)
        if e.name and {plain_name(e.name), plain_name(e.name).removeprefix(f"{project}-")} & names
    ]
    if len(own) == 1:
        return own[0]
    short = [i for i, e in enumerate(placed) if slug(posixpath.basename(e.package or "")) in names and e.package]
    return short[0] if len(short) == 1 else None


_WORKS = re.compile(r"worker|queue|cron|schedul|job|consum|process|listen|ingest|lifecycle|reconcil|partition")


def _of_image(placed: Sequence[Evidence], images: set[str], loose: Evidence) -> int | None:
    """The process of an image of a package; a workload that is called a worker is not its server."""
    package = [i for i, e in enumerate(placed) if e.package and slug(posixpath.basename(e.package)) in images]
    plain = plain_name(loose.name)
    for i in package:
        role = within(plain_name(placed[i].name), placed[i].package or "")
        if role and role in plain.split("-"):
            return i
    mains = [i for i in package if not _WORKS.search(placed[i].name)]
    return mains[0] if mains and loose.port and not _WORKS.search(plain) else None


# --- builds and Node ------------------------------------------------------------------------------------------


def _stages(facts: WorkspaceFacts) -> Iterator[tuple[str, tuple[Stage, ...]]]:
    """Every Dockerfile of production, those first whose builds are stated."""
    stated = {b.dockerfile: b.args for b in stated_builds(facts)}
    stated = {**dict(_composed_args(facts)), **stated}
    files = [f for f in facts.deployed if is_dockerfile(f) and not is_beside(f)]
    for file in sorted(files, key=lambda f: (f not in stated, posixpath.basename(f) != "Dockerfile", f)):
        if file in stated or not is_for_developers(file):
            yield file, parse_dockerfile(facts.deployed[file], stated.get(file, {}))


def _composed_args(facts: WorkspaceFacts) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Dockerfiles that compose files of production build, each with the arguments it gets."""
    yield from ((service.dockerfile, service.args) for _, service in find_composed(facts) if service.args)


def _build_calls(facts: WorkspaceFacts) -> Iterator[BuildCall]:
    """Scripts that the RUN lines of Dockerfiles, and platforms' build commands, call."""
    for file, stages in _stages(facts):
        for stage in stages:
            for run in stage.runs:
                at = next((f for f in _homes(facts, run.directory)), facts.workspace.root_package)
                yield from _calls(facts, run.text, at, file, 3)
    for deployed in find_deployed(facts):
        at = facts.workspace.find(deployed.folder or ".") or facts.workspace.root_package
        yield from _calls(facts, deployed.build, at, deployed.source, 3)


def _homes(facts: WorkspaceFacts, directory: str) -> Iterator[Package]:
    """The member whose folder a place in an image ends in."""
    members = (p for p in facts.workspace.packages if f"{directory}/".endswith(f"/{p.path}/"))
    yield from sorted(members, key=lambda p: -len(p.path))


def _calls(facts: WorkspaceFacts, text: str, at: Package, source: str, depth: int) -> Iterator[BuildCall]:
    for call in called_scripts(text) if text else ():
        if call.verb != "run" or call.every:
            continue
        named = [p for name in call.packages if (p := facts.workspace.find(name))]
        packages = named if call.packages else [at]
        for package in packages:
            known = call.name in package.scripts
            if known and (call.packages or call.tool not in {"turbo", "nx", "lerna"}):
                yield BuildCall(package=package.path, script=call.name, source=source)
            if known and depth and not package.path:
                yield from _calls(facts, package.scripts[call.name], package, source, depth - 1)


def _nodes(facts: WorkspaceFacts, files: Collection[str]) -> Iterator[tuple[str, str]]:
    """Versions of Node of the images that run, and of platforms, each with where it stands.

    files: Dockerfiles of known processes, of which the version counts where there are such.
    """
    rows = [*_stages(facts)]
    for file, stages in [row for row in rows if row[0] in files] or rows:
        ends = final_stages(stages)
        images = [stages[at].image for at in ends] + [s.image for s in stages]
        for image in images:
            if found := re.search(r"(?:^|/)node:v?(\d[\d.]*)", image):
                yield found[1], file
                break
    yield from ((d.node, d.source) for d in find_deployed(facts) if d.node)
