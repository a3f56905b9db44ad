"""The monorepo: its packages, what each needs, its lockfile. Hides the package manager.

Only `load_workspace` and the private `_load_*` functions read files.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import chain, takewhile
from pathlib import Path, PurePosixPath
from posixpath import isfile, normpath, relpath
from typing import Any
from weakref import WeakKeyDictionary

from bake.errors import WorkspaceError
from bake.files import ANY, Shape, check_shape, is_inside, normal, parse_object, parse_yaml, read_text
from bake.lockfile import RELOCK, Entry, Lockfile, hoisted, parse_bins, parse_lockfile, pnpm, with_members, yarn
from bake.workspace.choice import LOCKFILES, manager_of
from bake.workspace.managers import BUILD_ROOT, NPM, Manager, load_pnpm, load_yarn
from bake.workspace.order import find_way
from bake.workspace.tsconfig import TsConfigs

ROOT = "."
"""How the root package is written, whose path is ""."""


def shown(path: str) -> str:
    """A package path as people write it."""
    return path or ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One member of the workspace, or its root (path "")."""

    path: str
    name: str
    version: str
    manifest: Mapping[str, Any]

    @property
    def scripts(self) -> Mapping[str, str]:
        """Script name -> command."""
        return self._table("scripts")

    @property
    def dependencies(self) -> Mapping[str, str]:
        """Name -> range of what production code may use: dependencies, optional and peer ones."""
        return {
            **self._table("peerDependencies"),
            **self._table("dependencies"),
            **self._table("optionalDependencies"),
        }

    @property
    def dev_dependencies(self) -> Mapping[str, str]:
        """Name -> range of what only development uses."""
        return self._table("devDependencies")

    @property
    def bins(self) -> Mapping[str, str]:
        """Command -> file."""
        return parse_bins(self.name, self.manifest.get("bin"))

    @property
    def script_variables(self) -> Mapping[str, str]:
        """What package managers give the process of one of its scripts that tells of it, as npm calls it."""
        config = self.manifest.get("config")
        found = {"name": self.name, "version": self.version, **dict(_flat("config", config))}
        return {f"npm_package_{name}": value for name, value in found.items() if value}

    def declares(self, name: str) -> bool:
        """Tell whether the package names a dependency, of whatever kind."""
        return name in self.dependencies or name in self.dev_dependencies

    def file(self, name: str) -> str:
        """A file of the package as a path from the workspace's root."""
        return f"{self.path}/{name}" if self.path else name

    def _table(self, key: str) -> Mapping[str, str]:
        table = self.manifest.get(key)
        return table if isinstance(table, dict) else {}


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    """The plain values of a table, named by their way from the top.

    Source: github.com/npm/run-script, lib/package-envs.js.
    """
    if isinstance(value, dict):
        yield from (row for key, each in value.items() for row in _flat(f"{name}_{key}", each))
    elif isinstance(value, (str, bool, int, float, list)):
        yield name, value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True, kw_only=True, eq=False)
class Workspace:
    """The whole monorepo as one value.

    packages: members sorted by path, the root not among them. references: package path -> the package paths
    that its tsconfig files name. lock_name: the lockfile's file name. tool: the package manager in a build.
    """

    root: Path
    manager: str
    packages: tuple[Package, ...]
    root_package: Package
    lock: Lockfile
    references: Mapping[str, tuple[str, ...]]
    lock_name: str = "package-lock.json"
    tool: Manager = NPM

    @property
    def everyone(self) -> tuple[Package, ...]:
        """The root package and the members."""
        return (self.root_package, *self.packages)

    @cached_property
    def members(self) -> Mapping[str, str]:
        """Name -> path, of the members."""
        return {package.name: package.path for package in self.packages}

    @cached_property
    def _by_path(self) -> Mapping[str, Package]:
        return {package.path: package for package in self.everyone}

    @cached_property
    def _by_name(self) -> Mapping[str, Package]:
        return {package.name: package for package in self.everyone}

    @cached_property
    def _places(self) -> tuple[str, ...]:
        return tuple(sorted(package.path for package in self.packages))

    def inside(self, path: str) -> tuple[str, ...]:
        """Return the paths of the members whose folders lie in that of a package, sorted."""
        if not path:
            return tuple(place for place in self._places if place)
        head = f"{path}/"
        start = bisect_left(self._places, head)
        return tuple(takewhile(lambda place: place.startswith(head), self._places[start:]))

    def package(self, name_or_path: str) -> Package:
        """Return the package with this path or name. Raises WorkspaceError, with the nearest names."""
        found = self.find(name_or_path)
        if found is None:
            wanted = name_or_path.removeprefix("./").rstrip("/")
            raise WorkspaceError(name_or_path, "no such package in the workspace", self._suggest(wanted))
        return found

    def find(self, name_or_path: str) -> Package | None:
        """Return the package with this path or name, None when there is none."""
        wanted = name_or_path.removeprefix("./").rstrip("/")
        return self._by_path.get("" if wanted == ROOT else wanted) or self._by_name.get(wanted)

    def _suggest(self, wanted: str) -> str:
        names = sorted({*self._by_path, *self._by_name} - {""})
        short = {name.rpartition("/")[2]: name for name in names}
        near = get_close_matches(wanted, names, n=1) or [
            short[name] for name in get_close_matches(wanted.rpartition("/")[2], short, n=1)
        ]
        if near:
            return f"did you mean {near[0]}?"
        return f"packages are {', '.join(p.path for p in self.packages) or 'none'}"

    def needs(self, path: str) -> tuple[str, ...]:
        """Return the package paths whose build output the build of this package needs, sorted.

        They are its dependencies, its devDependencies (but for one that would close a cycle) and its tsconfig
        references. Raises WorkspaceError for an unknown package.
        """
        return self.all_needs[self.package(path).path]

    def dependencies(self, path: str) -> tuple[str, ...]:
        """Return those of its needs that its manifest names, sorted."""
        package = self.package(path)
        named = self._members(package, {**package.dependencies, **package.dev_dependencies})
        return tuple(need for need in self.needs(path) if need in named)

    @cached_property
    def production_needs(self) -> Mapping[str, frozenset[str]]:
        """The packages that production code of each package may use, by path."""
        return {p.path: frozenset(self._members(p, p.dependencies)) for p in self.everyone}

    @cached_property
    def all_needs(self) -> Mapping[str, tuple[str, ...]]:
        """What each package needs, by path."""
        hard = {path: set(named) for path, named in self.production_needs.items()}
        for path, named in self.references.items():
            hard[path].update(named)
        for package in self.everyone:
            for need in sorted(self._members(package, package.dev_dependencies) - hard[package.path]):
                if not find_way(need, package.path, hard):
                    hard[package.path].add(need)
        return {path: tuple(sorted(needs - {path, ""})) for path, needs in hard.items()}

    def _members(self, package: Package, names: Iterable[str]) -> set[str]:
        """Return the package paths that dependency names lead to by the lockfile, or else by name."""
        found = set()
        for name in names:
            entry = self.lock.entries.get(self.lock.resolve(package.path, name) or "")
            if entry is not None:
                found |= {entry.link} & self._by_path.keys()
            elif name in self._by_name:
                found.add(self._by_name[name].path)
        return found - {"", package.path}


# --- loading -------------------------------------------------------------------------------------------


def _where_else(root: Path) -> str:
    """What to do in a folder without package.json: folders below may be workspaces of their own."""
    if (root / "rush.json").is_file():
        return "Rush keeps its lockfile elsewhere, which is not supported; name the packages in a pnpm-workspace.yaml"
    below = sorted(file.parent.name for file in root.glob("[!.]*/package.json"))
    if not below:
        return "run bake at the monorepo's root, or correct workspace.root"
    named = ", ".join(below[:5]) + (", …" if below[5:] else "")
    return f"{named}: each with its own lockfile is a workspace of its own, run bake there; workspace.root names one"


_configs: "WeakKeyDictionary[Workspace, TsConfigs]" = WeakKeyDictionary()


def tsconfigs_of(workspace: Workspace) -> TsConfigs:
    """The workspace's tsconfig files, the same for all who read what its sources tell."""
    root = normpath(str(workspace.root.absolute()))
    named = {package.name: normpath(f"{root}/{package.path}") for package in workspace.everyone}
    return _configs.setdefault(workspace, _configs.get(workspace) or TsConfigs(root, named))


def load_workspace(root: Path) -> Workspace:
    """Read the workspace in a directory: manifests, lockfile, tsconfig files.

    Raises WorkspaceError for what is missing, unreadable or not supported.
    """
    if not (root / "package.json").is_file():
        raise WorkspaceError("workspace", f"no package.json in {root}", _where_else(root))
    root_package = _load_package(root, "")
    packages, lock, lock_name, tool = _LOADERS[manager_of(root, root_package.manifest)](root, root_package)
    _refuse_duplicates(packages, tool.name)
    return Workspace(
        root=root,
        manager=tool.name,
        packages=packages,
        root_package=root_package,
        lock=lock,
        references=_load_references(root, (root_package, *packages)),
        lock_name=lock_name,
        tool=tool,
    )


_Loaded = tuple[tuple[Package, ...], Lockfile, str, Manager]


def _load_npm(root: Path, root_package: Package) -> _Loaded:
    lock, lock_name = _load_lock(root)
    paths = {*_load_members(root, _patterns(root_package.manifest)), *_linked_folders(root, lock, lock_name)}
    return _load_packages(root, paths), lock, lock_name, NPM


def _load_pnpm(root: Path, root_package: Package) -> _Loaded:
    settings = parse_yaml(read_text(root, pnpm.SETTINGS) or "", pnpm.SETTINGS)
    # What a pattern leaves out stays out, wherever it stands.
    patterns = sorted(_strings_in(settings.get("packages")), key=lambda pattern: pattern.startswith("!"))
    packages = _load_packages(root, _load_members(root, patterns, f"{pnpm.SETTINGS}: packages"))
    manifests = {package.path: package.manifest for package in (root_package, *packages)}
    built = pnpm.built_packages(settings, root_package.manifest)
    graph = pnpm.parse_pnpm_lock(_required_text(root, pnpm.LOCKFILE), manifests, built)
    linked = _load_packages(root, (path for path in graph.linked() if is_inside(root, path)))
    packages = (*packages, *linked)
    graph = with_members(graph, (Entry(path=p.path, name=p.name, version=p.version) for p in linked))
    tool = load_pnpm(root, root_package.manifest, settings)
    if tool.layout == "walk":
        return packages, hoisted(graph, manager="pnpm", file=pnpm.LOCKFILE), pnpm.LOCKFILE, tool
    major = int(tool.setup.rpartition("@")[2].partition(".")[0])
    relink = pnpm.relinking(graph, major=major, root=BUILD_ROOT)
    tool = replace(tool, install=tool.install + relink, production=tool.production + relink)
    return packages, pnpm.isolated(graph, major=major, public=tool.public), pnpm.LOCKFILE, tool


def _load_yarn(root: Path, root_package: Package) -> _Loaded:
    text = _required_text(root, yarn.LOCKFILE)
    packages = _load_packages(root, _load_members(root, _patterns(root_package.manifest)))
    tool = load_yarn(root, root_package.manifest, text)
    manifests = {package.path: package.manifest for package in (root_package, *packages)}
    graph = yarn.parse_yarn_lock(text, manifests)
    linked = (path for path in graph.members.keys() - manifests.keys() if is_inside(root, path))
    packages = (*packages, *_load_packages(root, linked))
    return packages, hoisted(graph, manager="yarn", file=yarn.LOCKFILE), yarn.LOCKFILE, tool


def _refuse_bun(_root: Path, _package: Package) -> _Loaded:
    raise WorkspaceError("bun.lock", "bun workspaces are not supported", f"use npm: {RELOCK}")


_LOADERS: Mapping[str, Callable[[Path, Package], _Loaded]] = {
    "npm": _load_npm,
    "pnpm": _load_pnpm,
    "yarn": _load_yarn,
    "bun": _refuse_bun,
}


def _strings_in(value: object) -> Iterator[str]:
    yield from (one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _load_packages(root: Path, paths: Iterable[str]) -> tuple[Package, ...]:
    present = (path for path in sorted(paths) if (root / path / "package.json").is_file())
    return tuple(_load_package(root, path) for path in present)


def _load_lock(root: Path) -> tuple[Lockfile, str]:
    for name in LOCKFILES:
        if (root / name).is_file():
            return parse_lockfile(_required_text(root, name), name), name
    raise WorkspaceError("workspace", f"no package-lock.json in {root}", RELOCK)


def _load_package(root: Path, path: str) -> Package:
    file = PurePosixPath(path, "package.json").as_posix()
    manifest = parse_object(_required_text(root, file), file)
    check_shape(manifest, _MANIFEST, file)
    return Package(
        path=path,
        name=str(manifest.get("name") or (PurePosixPath(path).name if path else root.resolve().name)),
        version=str(manifest.get("version") or ""),
        manifest=manifest,
    )


def _required_text(root: Path, name: str) -> str:
    """The text of a file that is known to be there."""
    text = read_text(root, name)
    if text is None:
        raise WorkspaceError(name, "is gone", "run bake again")
    return text


_NAMES: Shape = {ANY: str}
_MANIFEST: Shape = {
    **dict.fromkeys(("name", "version", "type", "packageManager", "main", "types", "module"), str),
    **dict.fromkeys(("scripts", "dependencies", "devDependencies"), _NAMES),
    **dict.fromkeys(("optionalDependencies", "peerDependencies", "resolutions"), _NAMES),
    "bin": (str, _NAMES),
    "peerDependenciesMeta": {ANY: {"optional": bool}},
}
"""What bake reads of a package.json."""


def _linked_folders(root: Path, lock: Lockfile, lock_name: str) -> Iterator[str]:
    """Yield the directories that `file:` dependencies link: they are built and copied like members."""
    for entry in lock.entries.values():
        if entry.link and (normal(entry.link) != entry.link or not is_inside(root, entry.link)):
            raise WorkspaceError(
                lock_name,
                f"{entry.path} links to {entry.link}, outside the workspace",
                "move that package into the workspace or depend on a published version",
            )
        if entry.link and entry.link in lock.packages:
            yield entry.link


def _refuse_duplicates(packages: tuple[Package, ...], manager: str) -> None:
    """Refuse two packages of one name; pnpm takes them, and where nobody depends on either no name is asked for."""
    asked = {name for p in packages for name in (*p.dependencies, *p.dev_dependencies)}
    first: dict[str, str] = {}
    for package in packages:
        other = first.setdefault(package.name, package.path)
        if other != package.path and (manager != "pnpm" or package.name in asked):
            raise WorkspaceError(
                f"{package.path}/package.json", f"{other} is called {package.name} too", "rename one of them"
            )


# --- members -------------------------------------------------------------------------------------------


def _load_members(root: Path, patterns: Iterable[str], where: str = "package.json: workspaces") -> set[str]:
    """Return the package paths that the patterns of a workspace name; later patterns win, as in npm.

    Links are followed as far as they stay in the workspace; `**` follows none.
    """
    found: set[str] = set()
    for pattern in chain.from_iterable(_braces(one, where) for one in patterns):
        negated = pattern.startswith("!")
        plain = normal(pattern.lstrip("!"))
        if plain is None:
            raise WorkspaceError(where, f"{pattern!r} leads out of the workspace", "move these packages into it")
        matches = set(_load_matches(root, "", tuple(filter(None, plain.split("/"))), set()))
        found = found - matches if negated else found | matches
    return found


def _patterns(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    value = manifest.get("workspaces", [])
    value = value.get("packages", []) if isinstance(value, dict) else value
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise WorkspaceError("package.json", "`workspaces` is no list of patterns", 'write for example ["packages/*"]')
    return tuple(value)


_MOST_PATTERNS = 1_000


def _braces(pattern: str, where: str) -> tuple[str, ...]:
    """The patterns without braces that a pattern stands for. Raises WorkspaceError for more than anybody writes."""
    done: list[str] = []
    todo = [pattern]
    while todo:
        one = todo.pop()
        match = re.search(r"\{([^{}]*,[^{}]*)\}", one)
        if match is None:
            done.append(one)
        else:
            todo += [one[: match.start()] + part + one[match.end() :] for part in reversed(match[1].split(","))]
        if len(done) + len(todo) > _MOST_PATTERNS:
            raise WorkspaceError(where, f"{pattern!r} stands for too many patterns", "write fewer braces")
    return tuple(done)


def _load_matches(root: Path, path: str, segments: tuple[str, ...], seen: set[tuple[str, int]]) -> Iterator[str]:
    if (path, len(segments)) in seen:
        return
    seen.add((path, len(segments)))
    if not segments:
        if path and (root / path / "package.json").is_file() and is_inside(root, path) and not _is_root(root, path):
            yield path
        return
    head, rest = segments[0], segments[1:]
    if head == "**":
        yield from _load_matches(root, path, rest, seen)
        for name in _load_folders(root / path, links=False):
            yield from _load_matches(root, f"{path}/{name}".lstrip("/"), segments, seen)
    elif any(c in head for c in "*?["):
        for name in _load_folders(root / path, links=True):
            if fnmatchcase(name, head):
                yield from _load_matches(root, f"{path}/{name}".lstrip("/"), rest, seen)
    else:
        yield from _load_matches(root, f"{path}/{head}".lstrip("/"), rest, seen)


def _is_root(root: Path, path: str) -> bool:
    """Whether a path leads to the root again, by a link."""
    return (root / path).samefile(root)


def _load_folders(folder: Path, *, links: bool) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    names = (entry.name for entry in folder.iterdir() if entry.is_dir() and (links or not entry.is_symlink()))
    return tuple(sorted(name for name in names if name != "node_modules" and not name.startswith(".")))


# --- tsconfig ------------------------------------------------------------------------------------------

_TSCONFIGS = ("tsconfig.json", "tsconfig.build.json")


def _load_references(root: Path, packages: tuple[Package, ...]) -> Mapping[str, tuple[str, ...]]:
    known = frozenset(package.path for package in packages if package.path)
    configs = TsConfigs(str(root), {p.name: str(root / p.path) for p in packages}, strict=True)
    found = {p.path: set(_load_named(configs, root, p, known)) - {p.path} for p in packages}
    return {path: tuple(sorted(named)) for path, named in found.items() if named}


def _compiled_files(package: Package) -> tuple[str, ...]:
    """Return the tsconfig files that the scripts of a build name, or else the usual ones.

    A tsconfig.json beside the one that a build names refers to what tests need, be it who uses the package.
    """
    builds = (text for name, text in package.scripts.items() if re.match(r"(?:pre|post)?(?:build|compile)", name))
    named = [file for text in builds for file in re.findall(r"(?<![\w/.-])(?:\./)?(tsconfig[\w.-]*\.json)", text)]
    return tuple(dict.fromkeys(named)) or _TSCONFIGS


def _load_named(configs: TsConfigs, root: Path, package: Package, members: frozenset[str]) -> Iterator[str]:
    """Yield the package paths that the tsconfig files of one package name.

    TypeScript does not inherit `references`. `paths` count where a file of the package itself states them: a
    base file that the whole workspace shares maps every package for everyone and says nothing about needs. The
    root's own files are such ones. A configuration that is extended by its package's name is a dependency like others:
    whose manifest does not name it needs no output of it.
    """
    queue = [str(root / package.path / name) for name in _compiled_files(package)]
    seen: set[str] = set()
    while queue:
        file = queue.pop()
        if file in seen or not isfile(file):
            continue
        seen.add(file)
        further = (*configs.references(file), *(configs.bases(file, relative=True) if package.path else ()))
        for target in (*further, *(configs.own_paths(file) if package.path else ())):
            member = member_of(relpath(target, root), members) or ""  # what no member holds is the root's
            if member != package.path:
                yield from filter(None, (member,))
            elif target in further:
                queue.append(target)


def member_of(path: str, members: frozenset[str]) -> str | None:
    """Return the innermost of the packages (paths) that holds a path of the workspace."""
    while path and path not in (".", "..", "/"):
        if path in members:
            return path
        path = path.rpartition("/")[0]
    return None
