"""Write a first bake.toml for the workspace around; where one is, show what it lacks as a diff."""

import argparse
import dataclasses
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bake.config import FILE_NAME, parse_config
from bake.errors import BakeError, ConfigError
from bake.files import parse_object, read_text, write_file
from bake.session import Session
from bake.workspace import shown

if TYPE_CHECKING:
    from bake.guess import Guess, Service
    from bake.workspace import Workspace

SCRIPTS: Mapping[str, str] = {
    "docker:build": "bake build",
    "docker:build:all": "bake build all",
    "docker:push:all": "bake build all --push",
}
AGENTS = "AGENTS.md"
_GUIDE = "docs/agents.md"
WORKFLOW = ".github/workflows/images.yml"
CALLER = ".github/workflows/build-images.yml"
_CALLER_TEXT = """\
# When images are built; images.yml beside this file says how.
name: Build images

on:
  pull_request:
  push:
    branches: [main]
  release:
    types: [published]

jobs:
  images:
    uses: ./.github/workflows/images.yml
    permissions:
      contents: read
      packages: write
      actions: read
      id-token: write
    secrets: inherit
    with:
      # What pip installs to have bake, a wheel or git+https at a commit: a variable of the repository.
      install: ${{ vars.BAKE }}
"""


_MANY = 8
"""Packages from which on it takes long enough to say that it works."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to write."""
    parser.add_argument("--dry-run", action="store_true", help="print bake.toml, write nothing")
    parser.add_argument("--force", action="store_true", help="write over the bake.toml that is there")
    parser.add_argument(
        "--npm-scripts", action="store_true", help=f"add {', '.join(SCRIPTS)} to the root's package.json"
    )
    parser.add_argument("--workflow", action="store_true", help="write workflows for GitHub Actions")
    parser.add_argument("--agents", action="store_true", help=f"tell coding agents in {AGENTS} how to use bake here")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Write, print or propose."""
    from bake.evidence import load_facts
    from bake.guess import guess
    from bake.workspace import load_workspace

    workspace = load_workspace(_root(session))
    if len(workspace.packages) >= _MANY:
        session.console.say(f"looking at {len(workspace.packages)} packages and at what starts them in production")
    found = guess(load_facts(workspace))
    file = session.file or workspace.root / FILE_NAME
    fresh = arguments.force or not file.is_file()
    status = _write(session, arguments, file, found, workspace)
    if arguments.npm_scripts and not arguments.dry_run:
        _write_scripts(session, workspace.root / "package.json")
    if arguments.workflow and not arguments.dry_run:
        _write_workflow(session, workspace.root, force=arguments.force)
    if arguments.agents and not arguments.dry_run:
        _write_agents(session, workspace.root)
    if fresh and not status and not arguments.dry_run:
        build = "bake all --allow npmrc" if found.npmrc else "bake all"
        session.console.say(f"next: `bake doctor` looks at this machine, `{build}` builds")
    return status


def _root(session: Session) -> Path:
    """The nearest directory above that npm or pnpm calls a workspace, else the nearest package."""
    folder = session.file.parent if session.file else session.directory
    above = (folder, *folder.parents)
    for place in above:
        manifest = place / "package.json"
        if (place / "pnpm-workspace.yaml").is_file() or (
            manifest.is_file() and '"workspaces"' in manifest.read_text(encoding="utf-8", errors="replace")
        ):
            return place
    return next((place for place in above if (place / "package.json").is_file()), folder)


def _write(session: Session, arguments: argparse.Namespace, file: Path, found: "Guess", workspace: "Workspace") -> int:
    from bake.files import unified_diff
    from bake.guess import amend, render_config

    if file.is_file() and not arguments.force:
        old = file.read_text(encoding="utf-8")
        new = amend(old, parse_config(old, name=file.name), found, [p.path for p in workspace.packages])
        print(unified_diff(old, new, file.name), end="")
        session.console.say(
            f"{file.name} is there: above is what the workspace suggests to change (`bake init | patch` takes it over; "
            "--force starts afresh)"
            if new != old
            else f"{file.name} is there and names everything that the workspace has"
        )
        return 0
    text = render_config(found)
    if arguments.dry_run:
        print(text, end="")
    elif found.services:
        write_file(file.parent.resolve(), file.name, text.encode())
        found = _tried(session, file, found)
    for line in _told(found):
        session.console.say(line)
    return _concluded(session, file, found, dry=arguments.dry_run)


def _tried(session: Session, file: Path, found: "Guess") -> "Guess":
    """Plan with what was written, which knows more: cycles between builds, and all that images hold."""
    from bake.guess import render_config
    from bake.lockfile import advise
    from bake.plan import Request, make_plan
    from bake.project import load_project

    try:
        try:
            project = load_project(file, session.environment)
            plan = make_plan(project, Request())
        except ConfigError as error:
            if "need each other" not in error.what:
                raise
            found = dataclasses.replace(found, whole=error.what)
            write_file(file.parent.resolve(), file.name, render_config(found).encode())
            project = load_project(file, session.environment)
            plan = make_plan(project, Request())
    except BakeError as error:
        session.console.warn(f"what was guessed cannot be planned yet: {error}")
        return found
    entries = {e for s in plan.services for e in s.closure.entries}
    found = dataclasses.replace(found, scripts=advise(project.workspace.lock, entries))
    write_file(file.parent.resolve(), file.name, render_config(found).encode())
    return found


def _concluded(session: Session, file: Path, found: "Guess", *, dry: bool) -> int:
    if not found.services:
        session.console.warn(
            f"no package was found that runs; nothing written, write {file.name} by hand (`bake schema`)"
        )
        return 1
    if not dry:
        session.console.say(f"{file.name} written; .bake/ needs no ignore file, it has its own. Look it over")
    return 0


def _told(found: "Guess") -> Iterator[str]:
    """What was guessed, and what could not be."""
    for service in found.services:
        yield from _service_lines(service)
    for own in found.dockered:
        yield f"  {own.name}: {own.dockerfile}, which is not JavaScript ({own.source})"
    for path, reason in found.left_out:
        yield f"  - {shown(path)}: left out, {reason}"
    if found.libraries:
        yield f"  - libraries: {', '.join(map(shown, found.libraries))}"
    if found.scripts.unknown:
        yield f"  ? install scripts of {', '.join(found.scripts.unknown)}: needed or not?"
    yield from (f"  ? {note}" for note in found.notes)


def _service_lines(service: "Service") -> Iterator[str]:
    if service.static:
        yield f"  {service.name}: serves {posixpath.join(service.package, service.static)} ({service.source})"
    for process in service.processes:
        name = f"{service.name}-{process.role}" if process.role else service.name
        port = f", port {process.port}" if process.port else ""
        yield f"  {name}: {' '.join(process.words)}{port} ({process.source})"
    for key in service.unknown:
        yield f"  ? {service.name}: no {key} found"


def _write_scripts(session: Session, file: Path) -> None:
    """Add scripts that are not there yet; the file's indent is kept."""
    text = read_text(file.parent, file.name) or "{}"
    manifest = dict(parse_object(text, file.name))
    missing = {k: v for k, v in SCRIPTS.items() if k not in manifest.get("scripts", {})}
    if missing:
        manifest["scripts"] = {**manifest.get("scripts", {}), **missing}
        new = json.dumps(manifest, indent=_indent(text), ensure_ascii=False) + "\n"
        write_file(file.parent.resolve(), file.name, new.encode())
    session.console.say(f"package.json: {', '.join(missing) or 'no script'} added")


def _indent(text: str) -> int | str:
    second = text.split("\n", 2)[1:2]
    space = second[0][: len(second[0]) - len(second[0].lstrip())] if second else ""
    return "\t" if "\t" in space else len(space) or 2


def _write_workflow(session: Session, root: Path, *, force: bool) -> None:
    """Bake's reusable workflow and the one that calls it."""
    from bake.render import template_text

    for name, text in ((WORKFLOW, template_text(WORKFLOW)), (CALLER, _CALLER_TEXT)):
        file = root / name
        if file.exists() and not force:
            session.console.warn(f"{name} is there; --force writes over it")
            continue
        write_file(root.resolve(), name, text.encode())
        session.console.say(f"{name} written")


def _write_agents(session: Session, root: Path) -> None:
    """Add what bake's documentation tells agents, once; its links would lead nowhere."""
    from bake.render import template_text

    guide = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", template_text(_GUIDE)).replace(
        "# For coding", "# bake, for coding", 1
    )
    text = read_text(root, AGENTS) or ""
    if guide.partition("\n")[0] in text.splitlines():
        session.console.say(f"{AGENTS} tells of bake already")
        return
    write_file(root.resolve(), AGENTS, "\n".join(filter(None, (text, guide))).encode())
    session.console.say(f"{AGENTS} {'has bake at its end now' if text else 'written'}")
