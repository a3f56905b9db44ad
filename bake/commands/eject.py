"""Copy the Dockerfile's and the bake file's templates into the workspace, for changing them."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from bake import __version__
from bake.errors import UsageError
from bake.files import read_text, unified_diff, write_file
from bake.project import EJECTED, TEMPLATES, Project
from bake.render import behind, make_ejected, strip_header
from bake.session import Session

ORIGINALS = "original"
"""Where copies as bake shipped them lie, below EJECTED: what they are compared with."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with the copies."""
    parser.add_argument("--force", action="store_true", help="write over copies that are there")
    parser.add_argument("--diff", action="store_true", help="show what bake has changed since the copies were made")
    parser.add_argument("--current", action="store_true", help="note that the copies have these changes")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Copy, compare or note; with --diff, status 1 when a copy is behind."""
    from bake.render import template_text

    project = session.load_project()
    own = {name: template_text(name) for name in TEMPLATES}
    if arguments.diff:
        return _diff(session, project, own)
    if arguments.current:
        return _note(session, project, own)
    return _copy(session, project, own, force=arguments.force)


def _folder(project: Project) -> Path:
    return project.root / EJECTED


def _copy(session: Session, project: Project, own: Mapping[str, str], *, force: bool) -> int:
    if project.ejected and not force:
        there = ", ".join(f"{EJECTED}/{name}" for name in project.ejected)
        raise UsageError(there, "there already", "--diff shows what bake has changed since, --force starts afresh")
    for name, text in own.items():
        write_file(_folder(project), name, make_ejected(name, text, __version__).encode())
        write_file(_folder(project), f"{ORIGINALS}/{name}", text.encode())
    session.console.say(
        f"{', '.join(TEMPLATES)} copied to {EJECTED}/; commit it. Without the folder bake uses its own again"
    )
    return 0


def _diff(session: Session, project: Project, own: Mapping[str, str]) -> int:
    old = behind(project.ejected, own)
    for name in old:
        original = read_text(project.root, f"{EJECTED}/{ORIGINALS}/{name}")
        base = strip_header(project.ejected[name]) if original is None else original
        print(unified_diff(base, own[name], f"{EJECTED}/{name}"), end="")
    if old:
        session.console.say("take these over (`bake eject --diff | patch -p0`), then run `bake eject --current`")
    return 1 if old else 0


def _note(session: Session, project: Project, own: Mapping[str, str]) -> int:
    for name, text in project.ejected.items():
        header = make_ejected(name, own[name], __version__).removesuffix(own[name])
        write_file(_folder(project), name, (header + strip_header(text)).encode())
        write_file(_folder(project), f"{ORIGINALS}/{name}", own[name].encode())
    session.console.say(f"noted: the copies in {EJECTED}/ are those of bake {__version__}")
    return 0
