"""What lies in a workspace that tells how its packages run: read once, for `bake init` to judge."""

import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from bake.files import is_below
from bake.git import list_sources
from bake.workspace import Package, Workspace

if TYPE_CHECKING:
    from bake.evidence.place import Evidence
    from bake.evidence.said import BuildCall

_SOURCES = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte")
_NOT_SOURCES = ("*.d.ts", "*.test.*", "*.spec.*", "*.stories.*", "*.min.js")
_SKIPPED = frozenset(
    {
        *("node_modules", "dist", "build", "out", "coverage", "test", "tests", "__tests__", "__mocks__", "e2e"),
        *("test-utils", "testing", "fixtures", "mocks", "__fixtures__"),
        *("migrations", "generated", "vendor", "ios", "android", "stories"),
    }
)
_SERVED = frozenset({"public", "static", "assets"})
"""Folders whose scripts are for browsers as they are; TypeScript is compiled first, and may be the server's."""
_TOLD = (
    *(
        "Dockerfile",
        "Dockerfile.*",
        "*.Dockerfile",
        "Procfile",
        "Procfile.*",
        "supervisord*.conf",
        "ecosystem.config.*",
    ),
    *("pm2.config.*", "docker-compose*.y*ml", "compose*.y*ml", ".env*", "index.html"),
    *(
        "*.prisma",
        "angular.json",
        "nest-cli.json",
        "*.config.js",
        "*.config.ts",
        "*.config.mjs",
        "*.config.mts",
        "*.config.cjs",
        "gatsby-config.*",
    ),
)
_TOLD_AT_ROOT = (*_TOLD, ".nvmrc", ".node-version", ".tool-versions", ".npmrc", "turbo.json", "nx.json")
_SHARED_FOLDERS = ("docker", "deploy", "infra", "infra/docker", ".docker", "config", "scripts", "ops")
_PACKAGE_FOLDERS = ("docker", ".docker", "config", "prisma", "prisma/schema")
_MOST_FILES = 400
_MOST_BYTES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFacts:
    """One package. names: of what lies in its folder. texts: of files that tell how it is built and run, by
    path in it. sources: of source files, by path in the package, likely entry points first."""

    package: Package
    names: frozenset[str] = frozenset()
    texts: Mapping[str, str]
    sources: Mapping[str, str]

    @property
    def placed(self) -> Mapping[str, str]:
        """Its texts, by path from the workspace's root."""
        return {self.package.file(name): text for name, text in self.texts.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkspaceFacts:
    """The whole workspace. texts: of files at the root and in its usual folders for containers, by path.

    outside: existing paths outside packages that packages' scripts and configuration name, by package path.
    deployed: texts of files that tell what production runs, wherever they lie, by path. paths: of all files of a clone.
    """

    name: str
    workspace: Workspace
    packages: tuple[PackageFacts, ...]
    texts: Mapping[str, str]
    outside: Mapping[str, tuple[str, ...]]
    deployed: Mapping[str, str] = field(default_factory=dict)
    paths: frozenset[str] = frozenset()
    said: Mapping[str, tuple["Evidence", ...]] = field(default_factory=dict)
    """Processes that files say production runs, by package path."""
    loose: tuple["Evidence", ...] = ()
    """Those that no package was found for, or whose command could not be told."""
    builds: tuple["BuildCall", ...] = ()
    nodes: tuple[tuple[str, str], ...] = ()
    """Versions of Node that production has, and where they stand."""

    @cached_property
    def folders(self) -> frozenset[str]:
        """All folders that hold files, the root ("") among them."""
        return frozenset(
            str(above) if str(above) != "." else "" for p in self.paths for above in PurePosixPath(p).parents
        )

    @cached_property
    def absolute(self) -> Mapping[str, tuple[str, ...]]:
        """Absolute paths that the code of each package has as texts."""
        return {
            f.package.path: tuple(dict.fromkeys(p for text in f.sources.values() for p in _ABSOLUTE.findall(text)))
            for f in self.packages
        }

    def owner(self, path: str) -> Package:
        """The package that holds a path: the member that lies deepest, else the root."""
        inside = (p for p in self.workspace.packages if path == p.path or path.startswith(f"{p.path}/"))
        return max(inside, key=lambda p: len(p.path), default=self.workspace.root_package)


_ABSOLUTE = re.compile(r"[\"'`](/(?!(?:etc|dev|proc|sys|tmp|run|var/run)/)[\w@.+-]+(?:/[\w@.+-]+)*)/?[\"'`]")


def load_facts(workspace: Workspace) -> WorkspaceFacts:
    """Read the files; what is no text or too long is left out.

    The root is among the packages where it has sources of its own.
    """
    root = workspace.root
    nested = frozenset(p.path for p in workspace.packages)
    members = tuple(_load_package(root, p, nested) for p in workspace.packages)
    own = _load_package(root, workspace.root_package, nested)
    packages = (own, *members) if not members or any(map(_is_source, own.sources)) else members
    named = {f.package.path: outside_paths(f, nested) for f in packages}
    paths = tuple(_in_clone(root)) or tuple(_load_paths(root))
    return WorkspaceFacts(
        name=str(workspace.root_package.manifest.get("name") or root.resolve().name),
        workspace=workspace,
        packages=packages,
        texts=_load_root(root),
        outside={path: found for path, names in named.items() if (found := _existing(root, names))},
        deployed={path: _text(root, root / path) for path in paths if _DEPLOYS.search(f"/{path}")},
        paths=frozenset(paths),
    )


_NEVER_READ = frozenset({"node_modules", ".git", ".bake", ".yarn", ".pnpm-store", ".next", ".turbo", ".nx"})
_DEPLOYS = re.compile(
    r"/(?:Dockerfile|Containerfile)[^/]*$|[./](?:Dockerfile|Containerfile)$|/(?:[^/]*(?:compose|stack|swarm)|common|base)[^/]*\.ya?ml$"
    r"|^/(?:\.gitlab-ci[\w.-]*\.ya?ml|\.circleci/.*|Makefile|Taskfile\.ya?ml|justfile|Jenkinsfile|[^/]*pipelines?\.ya?ml)$"
    r"|/docker-bake[^/]*\.(?:hcl|json)$|\.mk$|^/(?:heroku\.ya?ml|\.do/app\.ya?ml)$|/[^/]*task-?def[^/]*\.json$"
    r"|/Procfile[^/]*$|/(?:render|fly|railway|nixpacks)[^/]*\.(?:ya?ml|toml|json)$|/(?:nest-cli|project)\.json$"
    r"|/(?:ecosystem|pm2)[^/]*\.(?:[cm]?js|json)$|/supervisor[^/]*\.(?:conf|ini)$|/\.github/workflows/[^/]+\.ya?ml$"
    r"|/(?:k8s|kube\w*|kustomize|manifests?|helm|charts?|deploy\w*|infra\w*|ops|templates|base|overlays?)/.*\.ya?ml$"
    r"|/(?:s6-rc\.d|services\.d|sv)/[^/]+/run$|/supervisor\w*/[^/]+\.(?:conf|sh)$|\.sh$|\.conf(?:\.template)?$|/Caddyfile[^/]*$|/[^/]*crontab[^/]*$|\.cron$|/Chart\.yaml$|(?:^|[/.])env(?:\.[\w.]+)?$"
    r"|^/[^/]+\.[cm]?js$|/(?:docker|deploy|scripts|bin)/[^/]+\.[cm]?js$|/[^/]*(?:entry|start|run|health|super)[^/]*\.[cm]?js$"
)
"""Files that say how processes are built and started in production, and the scripts that such files start."""


def _in_clone(root: Path) -> Iterator[str]:
    """Every file that git tracks or does not ignore, sorted; none without git. What was built here says nothing."""
    for path in sorted(list_sources(root)):
        if _NEVER_READ.isdisjoint(path.split("/")) and (root / path).is_file():
            yield path


def _load_paths(root: Path) -> Iterator[str]:
    for place, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in _NEVER_READ)
        here = Path(place).relative_to(root).as_posix()
        yield from (PurePosixPath(here, name).as_posix() for name in sorted(files))


def _is_source(path: str) -> bool:
    """Whether a file at a monorepo's root can be an app's, rather than a tool of its developers."""
    folder = path.partition("/")[0]
    return folder not in {*_SHARED_FOLDERS, "tools", "docs", "examples", "bench", "types"}


def _existing(root: Path, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(n for n in names if (root / n).exists())


def _load_package(root: Path, package: Package, nested: frozenset[str]) -> PackageFacts:
    folder = root / package.path
    places = (folder, *(folder / name for name in _PACKAGE_FOLDERS if (folder / name).is_dir()))
    told = (f for place in places for f in sorted(place.iterdir()) if f.is_file() and _matches(f.name, _TOLD))
    paths = sorted(_walk(folder, package.path, nested), key=_rank)[:_MOST_FILES]
    return PackageFacts(
        package=package,
        names=frozenset(f.name for f in folder.iterdir()),
        texts={f.relative_to(folder).as_posix(): text for f in told if (text := _text(root, f))},
        sources={path: text for path in paths if (text := _text(root, folder / path))},
    )


def _load_root(root: Path) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for folder in ("", *_SHARED_FOLDERS):
        place = root / folder
        for file in sorted(place.iterdir()) if place.is_dir() else ():
            wanted = _TOLD_AT_ROOT if not folder else (*_TOLD, "*.conf", "*.mjs", "*.js", "*.cjs", "*.sh")
            if file.is_file() and _matches(file.name, wanted) and (text := _text(root, file)):
                found[file.relative_to(root).as_posix()] = text
    return found


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _walk(folder: Path, path: str, nested: frozenset[str]) -> Iterator[str]:
    """Paths of the package's source files, without tests and other packages."""
    for place, folders, files in os.walk(folder):
        here = Path(place).relative_to(folder).as_posix()
        folders[:] = [
            f
            for f in sorted(folders)
            if f not in _SKIPPED and not f.startswith(".") and PurePosixPath(path, here, f).as_posix() not in nested
        ]
        suffixes = (".ts", ".mts", ".cts") if _SERVED.intersection(here.split("/")) else _SOURCES
        for name in files:
            if name.endswith(suffixes) and not _matches(name, (*_NOT_SOURCES, *_TOLD)):
                yield PurePosixPath(here, name).as_posix()


def _rank(path: str) -> tuple[bool, int, str]:
    stem = PurePosixPath(path).name.partition(".")[0].lower()
    return stem not in {"index", "server", "main", "app", "config", "env", "www", "http"}, path.count("/"), path


def _text(root: Path, file: Path) -> str:
    try:
        own = file.stat().st_size <= _MOST_BYTES and is_below(root, file)
        return file.read_text(encoding="utf-8") if own else ""
    except (OSError, UnicodeDecodeError):
        return ""


def outside_paths(facts: PackageFacts, members: frozenset[str]) -> tuple[str, ...]:
    """Paths from the root that scripts and configuration files of a package name and no package holds."""
    path = facts.package.path
    configs = [t for n, t in facts.texts.items() if _BUILD_CONFIG.match(n)]
    texts = [s for n, s in facts.package.scripts.items() if _builds(n)] + configs
    found = (posixpath.normpath(posixpath.join(path, m)) for t in texts for m in re.findall(r"(?:\.\./)+[\w./@-]+", t))
    inside = (f for f in found if not f.startswith(("..", "node_modules")) and "node_modules" not in f and f != ".")
    return tuple(sorted({f for f in inside if not any(f == m or f.startswith(f"{m}/") for m in members) and "." in f}))


_BUILD_CONFIG = re.compile(
    r"(?!jest|vitest|eslint|prettier|playwright|cypress|lint|commitlint|knip).*\.config\.[cm]?[jt]s$"
)


def _builds(name: str) -> bool:
    return bool(re.match(r"(pre|post)?(build|compile|generate|codegen|prepare)", name))
