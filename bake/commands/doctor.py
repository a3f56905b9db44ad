"""Look at everything that builds and pushes need on this machine; status 1 when one of them would fail."""

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from bake.console import Console
from bake.engine import Facts, Line, Needs, Problem, failed, judge, read_free_space, read_version
from bake.errors import BakeError
from bake.session import Session, find_config
from bake.table import show

if TYPE_CHECKING:
    from bake.engine import Capabilities
    from bake.project import Project


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--format, --builder, --offline."""
    parser.add_argument("--builder", help="look at this builder instead of the current one")
    parser.add_argument("--offline", action="store_true", help="do not ask registries")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Probe, judge, print on stdout."""
    lines = judge(_facts(session, arguments.builder, offline=arguments.offline))
    show(arguments.format, lines, "\n".join(map(str, _shown(lines, session.console))))
    return 1 if failed(lines) else 0


def _shown(lines: Iterable[Line], console: Console) -> Iterable[Line]:
    return (line for line in lines if console.volume != "quiet" or line.state != "ok")


def _facts(session: Session, builder: str | None, *, offline: bool) -> Facts:
    project = _project(session)
    ready = None if isinstance(project, Problem) else project
    needs = _needs(session, ready) if ready else project if isinstance(project, Problem) else None
    engine = _engine(builder or _configured(ready))
    online = ready is not None and not offline
    return Facts(
        tools={name: read_version(name) for name in ("git", "node", "npm", "pnpm", "yarn")},
        engine=engine,
        disk=read_free_space(),
        project=needs,
        images=_images(session, ready) if ready and online else None,
        push=_push(session, needs) if isinstance(needs, Needs) and online else None,
        commit=_commit(session, ready),
    )


def _project(session: Session) -> "Project | Problem | None":
    from bake.errors import ConfigError

    try:
        _ = session.file or find_config(session.directory)
    except ConfigError:
        return None
    try:
        return session.project
    except ConfigError as error:
        return Problem(what=error.complaints[0])
    except BakeError as error:
        return _problem(error)


def _problem(error: BakeError) -> Problem:
    return Problem(what=f"{error.where}: {error.what}", fix=error.remedy)


def _configured(project: "Project | None") -> str | None:
    builder = project.config.builder if project else None
    return builder.name if builder else None


def _needs(session: Session, project: "Project") -> Needs:
    from bake.evidence import image_node
    from bake.plan import emulated_work
    from bake.workspace import parse_package_manager

    config, manifest = project.config, project.workspace.root_package.manifest
    engines = manifest.get("engines")
    name, version = parse_package_manager(manifest)
    return Needs(
        platforms=config.project.platforms,
        emulated=emulated_work(config),
        node=image_node(config.base.build),
        engines=str(engines.get("node", "")) if isinstance(engines, dict) else "",
        manager=project.workspace.manager,
        version=version if name == project.workspace.manager else "",
        registry=session.environment.get("BAKE_REGISTRY") or config.project.registry or "",
    )


def _engine(builder: str | None) -> "Capabilities | Problem":
    from bake.engine import probe

    try:
        return probe(builder)
    except BakeError as error:
        return _problem(error)


def _images(session: Session, project: "Project") -> Mapping[str, Problem | None]:
    """Whether the base images can be read, through the engine's mirrors as a build does."""
    from bake.engine import mirrors
    from bake.project import base_images
    from bake.registry import load_resolver

    resolve = load_resolver(session.environment, mirrors())
    found: dict[str, Problem | None] = {}
    for reference in base_images(project):
        try:
            resolve(reference)
            found[reference] = None
        except BakeError as error:
            found[reference] = Problem(what=error.what, fix=error.remedy)
    return found


def _push(session: Session, needs: Needs) -> Problem | None:
    """Why the registry does not take a push: an upload is begun and given up."""
    from bake.registry import load_registry

    if not needs.registry:
        return None
    try:
        load_registry(session.environment).check_push(f"{needs.registry}/bake-doctor:latest")
    except BakeError as error:
        return Problem(what=error.what, fix=error.remedy)
    return None


def _commit(session: Session, project: "Project | None") -> str:
    from bake.git import read_head

    return read_head(project.root if project else session.directory, session.environment).revision
