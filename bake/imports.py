"""Which packages the sources of a workspace package import, and which of them it does not declare."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, isfile, normpath, splitext
from typing import Any, Final, Literal

from bake.command import Needs, command_binaries, command_needs
from bake.scan import Found, package_name, scan
from bake.sources import Scans, load_sources
from bake.tsconfig import load_tsconfig
from bake.workspace import Package, Workspace

__all__ = [
    "Import",
    "Needs",
    "Undeclared",
    "command_binaries",
    "command_needs",
    "imported_packages",
    "load_imports",
    "package_name",
    "provider",
    "scan",
    "undeclared",
]

Kind = Literal["static", "require", "dynamic", "type", "build"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """A package that a source file names.

    package: path of the workspace package that the file belongs to. file: relative to the workspace root.
    name: "@x/y", also for "@x/y/sub", and for an alias or relative path that leads to another workspace one.
    kind: "type" is gone at run time; "build" is in a file that only builds load.
    guarded: the code goes on without it (a `try` block, `.catch()`).
    """

    package: str
    file: str
    line: int
    name: str
    kind: Kind
    guarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeclared:
    """An import that package.json does not account for.

    provider: the lock entry or workspace package that Node finds, "" when there is none.
    dev: it is among the devDependencies, which images leave out.
    """

    import_: Import
    provider: str
    dev: bool = False


def load_imports(
    workspace: Workspace, package_path: str, cache_dir: Path | None = None, *, entries: tuple[str, ...] = ()
) -> tuple[Import, ...]:
    """Return what the files of a package import: sources before built output, by file and line.

    Left out: tests, stories, declarations, node_modules, nested packages, Node's own modules and names that
    lead to the package itself. Files that only builds load are in, with kind "build".
    cache_dir: where results per file are kept.
    entries: files that processes start with, relative to the package ("dist/server.js", "src/worker.ts").
    When each is found and what they load can be told, only files that they reach count.
    """
    package = workspace.package(package_path)
    file = cache_dir / f"{package.path.replace('/', '+') or 'root'}.json" if cache_dir else None
    return _Tree(workspace, package, file).imports(entries)


def imported_packages(workspace: Workspace, imports: Sequence[Import]) -> tuple[str, ...]:
    """Return the paths of the workspace packages that a build of these sources needs, types included; sorted.

    A guarded `require` is no such need: the compiler does not look behind it, and it may close a circle.
    """
    paths = {package.name: package.path for package in workspace.packages}
    needed = (one for one in imports if not (one.guarded and one.kind == "require"))
    return tuple(sorted({paths[one.name] for one in needed if one.name in paths}))


def undeclared(
    workspace: Workspace, package_path: str, imports: Sequence[Import], *, build: bool = False
) -> tuple[Undeclared, ...]:
    """Return the imports that the package's dependencies do not account for, in the order given.

    A devDependency counts as undeclared. Left out are types, guarded imports (the code works without them,
    and one may name a whole service) and, but for `build`, the files that only builds load; there, a
    devDependency is enough.
    """
    package = workspace.package(package_path)
    left_out = {"type"} if build else {"type", "build"}
    return tuple(
        Undeclared(
            import_=one,
            provider=provider(workspace, package.path, one.name),
            dev=one.name in package.dev_dependencies,
        )
        for one in imports
        if one.kind not in left_out and not one.guarded and not _is_declared(package, one)
    )


def _is_declared(package: Package, import_: Import) -> bool:
    name = import_.name
    return name in package.dependencies or (import_.kind == "build" and name in package.dev_dependencies)


def provider(workspace: Workspace, package_path: str, name: str) -> str:
    """Return the workspace package or lock entry that a name means in a package's files, "" for none."""
    path = workspace.lock.resolve(package_path, name)
    if path is not None:
        return workspace.lock.entries[path].link or path
    return next((package.path for package in workspace.packages if package.name == name), "")


# What a name in an import may stand for on disk: "./x.js" is written for x.ts.
_WRITTEN: Final = {".js": (".ts", ".tsx", ".jsx"), ".mjs": (".mts",), ".cjs": (".cts",), ".jsx": (".tsx",)}
_APPENDED: Final = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte")


def _candidates(path: str) -> Iterator[str]:
    """Yield the script files that a path in an import may mean, TypeScript's first."""
    stem, suffix = splitext(path)
    yield from (stem + written for written in _WRITTEN.get(suffix, ()))
    yield path
    yield from (path + suffix for suffix in _APPENDED)
    yield from (f"{path}/index{suffix}" for suffix in _APPENDED)


class _UnknownError(Exception):
    """What a process loads cannot be told."""


class _Tree:
    """The files of one package, what each of them imports, and where that leads."""

    def __init__(self, workspace: Workspace, package: Package, cache: Path | None) -> None:
        self.package = package
        self.root = normpath(str(workspace.root.absolute()))
        self.directory = normpath(f"{self.root}/{package.path}")
        everyone = (workspace.root_package, *workspace.packages)
        self.members = {normpath(f"{self.root}/{one.path}"): one.name for one in everyone}
        self.files = load_sources(self.directory, frozenset(self.members))
        self.scans = Scans(self.directory, cache)
        directories = {name: directory for directory, name in self.members.items()}
        self.config = load_tsconfig(Path(self.directory), Path(self.root), directories)
        self.declared = {**package.dependencies, **package.dev_dependencies}
        self.lock = workspace.lock
        self.names: dict[tuple[str, str], str] = {}

    def imports(self, entries: tuple[str, ...]) -> tuple[Import, ...]:
        roles = self._roles(entries)
        found = [one for path, role in roles.items() for one in self._imports_of(path, build=role == "build")]
        self.scans.save()
        built = tuple(f"{self._place(output)}/" for output, _ in self.config.outputs)
        return tuple(
            sorted(found, key=lambda one: (one.file.startswith(built), one.file, one.line, one.name))
        )

    def _place(self, directory: str) -> str:
        """Return an absolute directory relative to the workspace root."""
        return directory.removeprefix(f"{self.root}/")

    # --- which files count

    def _roles(self, entries: tuple[str, ...]) -> Mapping[str, str]:
        loaded = self._reached(entries)
        if loaded is None:
            loaded = self._follow(path for path, file in self.files.items() if file.role == "source")
        build = (path for path, file in self.files.items() if file.role == "build")
        return dict.fromkeys(build, "build") | dict.fromkeys(loaded, "source")

    def _reached(self, entries: tuple[str, ...]) -> frozenset[str] | None:
        try:
            start = {path for entry in entries for path in self._start(entry)}
            return self._follow(start, exact=True) if start else None
        except _UnknownError:
            return None

    def _start(self, entry: str) -> set[str]:
        """Return the files that an entry stands for: itself when present, and the source it is built from."""
        path = normpath(entry)
        paths = [path, *self._sources_of(path)]
        found = {one for path in paths for one in _candidates(path) if one in self.files}
        if not found:
            raise _UnknownError
        return found

    def _sources_of(self, path: str) -> Iterator[str]:
        """Yield where the source of a built file may be: by outDir and rootDir, and by what bundlers do."""
        absolute = f"{self.directory}/{path}"
        for output, source in self.config.outputs:
            if absolute.startswith(f"{output}/"):
                inside = absolute[len(output) + 1 :]
                for base in (source, f"{self.directory}/src", self.directory):
                    yield self._own(f"{base}/{inside}") if base else ""
        head, _, inside = path.partition("/")
        if head in {"build", "dist", "lib", "out"} and inside:
            yield f"src/{inside}"

    def _own(self, absolute: str) -> str:
        """Return a path relative to the package, "" for one outside."""
        return absolute[len(self.directory) + 1 :] if absolute.startswith(f"{self.directory}/") else ""

    def _follow(self, start: "Iterator[str] | set[str]", *, exact: bool = False) -> frozenset[str]:
        """Return `start` and the files that they load. Raises _UnknownError if `exact` and unclear."""
        seen = set(start)
        pending = list(seen)
        while pending:
            path = pending.pop()
            found = (one for one in self.scans.of(self.files[path]) if one.kind not in {"type", "elided"})
            new = {file for one in found for file in self._loaded(path, one, exact=exact)} - seen
            seen |= new
            pending += new
        return frozenset(seen)

    def _loaded(self, path: str, found: Found, *, exact: bool) -> Iterator[str]:
        if found.kind == "file":
            yield from self._started(found.specifier) if exact else ()
        elif found.kind == "computed":
            yield from self._under(path, found.specifier) if exact else ()
        else:
            targets = self._targets(path, found.specifier)
            if exact and not targets and package_name(found.specifier) == self.package.name:
                raise _UnknownError  # through package.json#exports
            for target in targets:
                yield from (file for file in _candidates(self._own(target)) if file in self.files)

    def _started(self, name: str) -> Iterator[str]:
        """Yield the files that a script's name in some string may mean: all that are called so."""
        stem = splitext(name.rpartition("/")[2])[0]
        for file, source in self.files.items():
            if source.role != "test" and splitext(file.rpartition("/")[2])[0] == stem:
                yield file

    def _under(self, path: str, start: str) -> Iterator[str]:
        if not start.startswith("."):
            raise _UnknownError
        above = normpath(f"{dirname(path)}/{start}x").removesuffix("x")
        yield from (
            file for file, source in self.files.items() if source.role != "test" and file.startswith(above)
        )

    # --- what an import means

    def _imports_of(self, path: str, *, build: bool) -> Iterator[Import]:
        for found in self.scans.of(self.files[path]):
            name = self._name(path, found.specifier) if found.kind not in {"computed", "file"} else ""
            if name:
                yield Import(
                    package=self.package.path,
                    file=self._place(f"{self.directory}/{path}"),
                    line=found.line,
                    name=name,
                    kind=self._kind(found, build=build),
                    guarded=found.guarded,
                )

    def _kind(self, found: Found, *, build: bool) -> Kind:
        if found.kind == "type" or (found.kind == "elided" and not self.config.keeps_imports):
            return "type"
        if found.kind in {"require", "dynamic"} and not build:
            return "require" if found.kind == "require" else "dynamic"
        return "build" if build else "static"

    def _name(self, path: str, specifier: str) -> str:
        """Return the name of the package that a specifier in a file leads to, "" for none or its own."""
        key = (dirname(path) if specifier.startswith(".") else "", specifier)
        if key not in self.names:
            targets = self._targets(path, specifier)
            names = (self._member(target) for target in targets)
            name = next(filter(None, names), "") if targets else package_name(specifier)
            self.names[key] = "" if name == self.package.name else name
        return self.names[key]

    def _member(self, target: str) -> str:
        """Return the name of the workspace package that an absolute path is in, "" for none or the root."""
        while len(target) > len(self.root):
            if target in self.members:
                return self.members[target]
            target = dirname(target)
        return ""

    def _targets(self, path: str, specifier: str) -> tuple[str, ...]:
        """Return the absolute paths that a specifier may stand for, () when it is the name of a package."""
        if specifier.startswith("."):
            return (normpath(f"{self.directory}/{dirname(path)}/{specifier.partition('?')[0]}"),)
        if specifier.startswith("#"):
            return tuple(self._internal(specifier))
        for pattern, targets in self.config.paths:
            hole = _match(pattern, specifier)
            places = (
                tuple(normpath(target.replace("*", hole)) for target in targets) if hole is not None else ()
            )
            if places and self._is_alias(pattern, specifier, places):
                return places
        place = f"{self.config.base_url}/{specifier}"
        return (place,) if self.config.base_url and not self._is_package(specifier) and _exists(place) else ()

    def _is_alias(self, pattern: str, specifier: str, places: tuple[str, ...]) -> bool:
        # Types alone may be mapped: TypeScript reads those, Node the package.
        if any(place.endswith(".d.ts") or "/node_modules/" in place for place in places):
            return False
        if any(self._member(place) not in {"", self.package.name} or _exists(place) for place in places):
            return True
        return not pattern.startswith("*") and not self._is_package(specifier)

    def _is_package(self, specifier: str) -> bool:
        name = package_name(specifier)
        return not name or name in self.declared or self.lock.resolve(self.package.path, name) is not None

    def _internal(self, specifier: str) -> Iterator[str]:
        """Yield the package's own files that package.json#imports has for "#x", under any condition."""
        table = self.package.manifest.get("imports")
        for pattern, value in table.items() if isinstance(table, dict) else ():
            hole = _match(pattern, specifier)
            for target in _strings(value) if hole is not None else ():
                if target.startswith("./"):
                    yield normpath(f"{self.directory}/{target.replace('*', hole or '')}")


def _match(pattern: str, specifier: str) -> str | None:
    """Return what "*" of a pattern stands for in a specifier, None when they do not match."""
    head, star, tail = pattern.partition("*")
    if not star:
        return "" if pattern == specifier else None
    fits = specifier.startswith(head) and specifier.endswith(tail) and len(specifier) >= len(head) + len(tail)
    return specifier[len(head) : len(specifier) - len(tail)] if fits else None


def _exists(place: str) -> bool:
    return any(isfile(candidate) for candidate in _candidates(place))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(one)
