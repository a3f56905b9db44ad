"""Applications that one package has several of, by nest-cli.json or Nx's project.json files. Pure.

Source: docs.nestjs.com/cli/monorepo, nx.dev/reference/project-configuration.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from bake.evidence.facts import WorkspaceFacts
from bake.evidence.names import is_for_developers
from bake.evidence.place import Evidence
from bake.files import table
from bake.sources import Start
from bake.workspace import parse_jsonc


def find_projects(facts: WorkspaceFacts) -> Iterator[Evidence]:
    """The applications of a package, as these files say where their builds put them."""
    for file, text in facts.deployed.items():
        name = posixpath.basename(file)
        if name not in {"nest-cli.json", "project.json"} or not (config := _read(text)):
            continue
        yield from _nest(facts, file, config) if name == "nest-cli.json" else _nx(facts, file, config)


def _read(text: str) -> Mapping[str, Any]:
    try:
        value = parse_jsonc(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _nest(facts: WorkspaceFacts, file: str, config: Mapping[str, Any]) -> Iterator[Evidence]:
    projects = table(config, "projects")
    for name, project in projects.items():
        if isinstance(project, dict) and project.get("type", "application") == "application":
            root = str(project.get("root") or f"apps/{name}")
            entry = str(project.get("entryFile") or config.get("entryFile") or "main")
            yield _application(facts, file, str(name), f"dist/{root}/{entry}", root)


_SERVERS = frozenset({"@nx/js:node", "@nx/node:node", "@nrwl/js:node", "@nrwl/node:node", "@nrwl/node:execute"})


def _nx(facts: WorkspaceFacts, file: str, config: Mapping[str, Any]) -> Iterator[Evidence]:
    """An application that Nx itself serves with Node, where no package.json beside it makes it a package."""
    folder = posixpath.dirname(file)
    targets = table(config, "targets") or table(config, "architect")
    serve, build = table(targets, "serve"), table(targets, "build")
    served = str(serve.get("executor", serve.get("builder", ""))) in _SERVERS
    own = f"{folder}/package.json" in facts.paths
    if config.get("projectType") != "application" or not served or own or is_for_developers(folder):
        return
    options = table(build, "options")
    outputs = build.get("outputs")
    first = str(outputs[0]) if isinstance(outputs, list) and outputs else ""
    place = str(options.get("outputPath") or first.removeprefix("{workspaceRoot}/") or f"dist/{folder}")
    if "{" not in place:
        main = posixpath.basename(str(options.get("outputFileName") or options.get("main") or "main"))
        name = str(config.get("name") or posixpath.basename(folder))
        yield _application(facts, file, name, f"{place}/{main.partition('.')[0]}", folder)


def _application(facts: WorkspaceFacts, file: str, name: str, entry: str, root: str) -> Evidence:
    package = facts.owner(file)
    folder = package.path if posixpath.basename(file) == "nest-cli.json" else ""
    inside = posixpath.join(folder, root).removeprefix(f"{package.path}/") if package.path else root
    return Evidence(
        source=f"{file}: {name}" if posixpath.basename(file) == "nest-cli.json" else file,
        package=package.path,
        name=name,
        start=Start(words=("node", f"{entry}.js")),
        sources=inside,
    )
