"""Which packages the sources of a workspace package import, and which of them it does not declare."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import scandir
from pathlib import Path
from posixpath import dirname, isfile, normpath, splitext
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary

from bake.sources.aliases import Aliases
from bake.sources.bundles import bundled_sources
from bake.sources.files import load_sources
from bake.sources.needs import Needs, command_binaries, command_needs
from bake.texts import IMPORTS, Found, Texts, package_name
from bake.workspace import Package, Workspace, tsconfigs_of

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
    "undeclared",
]

ImportKind = Literal["static", "require", "dynamic", "type", "build"]


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
    kind: ImportKind
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
    workspace: Workspace, package_path: str, texts: Texts | None = None, *, entries: tuple[str, ...] = ()
) -> tuple[Import, ...]:
    """Return what the files of a package import: sources before built output, by file and line.

    Left out: tests, stories, declarations, node_modules, nested packages, Node's own modules and names that
    lead to the package itself. Files that only builds load are in, with kind "build".
    texts: what files say, as far as it is known.
    entries: files that processes start with, relative to the package ("dist/server.js", "src/worker.ts").
    When each is found and what they load can be told, the sources that they do not reach are for builds only.
    """
    package = workspace.package(package_path)
    return _Tree(workspace, package, texts or Texts(workspace.root)).imports(entries)


def imported_packages(workspace: Workspace, imports: Sequence[Import]) -> tuple[str, ...]:
    """Return the paths of the workspace packages that a build of these sources needs, types included; sorted.

    A guarded `require` is no such need: the compiler does not look behind it, and it may close a circle.
    """
    paths = workspace.members
    needed = (one for one in imports if not (one.guarded and one.kind == "require"))
    return tuple(sorted({paths[one.name] for one in needed if one.name in paths}))


def undeclared(
    workspace: Workspace,
    package_path: str,
    imports: Sequence[Import],
    *,
    build: bool = False,
    node_path: Iterable[str] = (),
) -> tuple[Undeclared, ...]:
    """Return the imports that the package's dependencies do not account for, in the order given.

    A devDependency counts as undeclared. Left out are types, guarded imports (the code works without them,
    and one may name a whole service), what a bundler's configuration gives another meaning and, but for `build`,
    the files that only builds load; there, a devDependency is enough. node_path: values of $NODE_PATH as it runs.
    """
    package = workspace.package(package_path)
    left_out = {"type"} if build else {"type", "build"}
    wanted = (one for one in imports if one.kind not in left_out and not one.guarded and not _is_declared(package, one))
    found = ((one, provider(workspace, package.path, one.name)) for one in wanted)
    aliases = Aliases(workspace, package, node_path)
    return tuple(
        Undeclared(import_=one, provider=path, dev=one.name in package.dev_dependencies)
        for one, path in found
        if path or not (one.name in aliases or _has_types_alone(workspace, package, one))
    )


def _has_types_alone(workspace: Workspace, package: Package, import_: Import) -> bool:
    """Whether TypeScript imports what only a package of types describes: nothing is left of it at run time."""
    plain = import_.name.removeprefix("@").replace("/", "__")
    return import_.file.endswith((".ts", ".tsx", ".mts", ".cts")) and bool(
        provider(workspace, package.path, f"@types/{plain}")
    )


_NEXT_MARKERS = frozenset({"server-only", "client-only"})
"""Next.js answers these itself. Source: vercel/next.js, crates/next-core and build/webpack-config, aliases."""
_BUILD_TOOLS = frozenset({"@react-router/dev", "@remix-run/dev"})
"""Only builds run what imports these: app/routes.ts. Source: reactrouter.com/start/framework/routing."""


def _is_declared(package: Package, import_: Import) -> bool:
    name = import_.name
    if name in _NEXT_MARKERS and "next" in package.dependencies:
        return True
    builds = import_.kind == "build" or name in _BUILD_TOOLS
    return name in package.dependencies or (builds and name in package.dev_dependencies)


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


def _stem(path: str) -> str:
    """Return what a file and every way to name it have in common: "x" for a/x.test.ts, ./x.test.js, x/index.ts."""
    last = splitext(path)[0].removesuffix("/index").rpartition("/")[2]
    return last.partition(".")[0] or "index"


class _UnknownError(Exception):
    """What a process loads cannot be told."""


class _Places:
    """What all packages of a workspace share: where they are, their tsconfig files, which files exist."""

    def __init__(self, workspace: Workspace) -> None:
        self.root = normpath(str(workspace.root.absolute()))
        everyone = (workspace.root_package, *workspace.packages)
        self.members = {normpath(f"{self.root}/{one.path}"): one.name for one in everyone}
        self.directories = frozenset(self.members)
        self.enclosing = frozenset(str(above) for one in self.members for above in Path(one).parents)
        self.configs = tsconfigs_of(workspace)
        self._names: dict[str, frozenset[str]] = {}

    def member(self, path: str) -> str:
        """Return the name of the workspace package that an absolute path is in, "" for none or the root."""
        while len(path) > len(self.root):
            if path in self.members:
                return self.members[path]
            path = dirname(path)
        return ""

    def has_script(self, path: str) -> bool:
        """Return whether an absolute path in an import stands for a file that is there."""
        directory, _, name = path.rpartition("/")
        return name.partition(".")[0] in self._stems(directory) and any(map(isfile, _candidates(path)))

    def _stems(self, directory: str) -> frozenset[str]:
        """Return what the names in a directory begin with, up to a dot: most names lead nowhere."""
        if directory not in self._names:
            try:
                names = [one.name for one in scandir(directory)]
            except OSError:
                names = []
            self._names[directory] = frozenset(name.partition(".")[0] for name in names)
        return self._names[directory]


_places: WeakKeyDictionary[Workspace, _Places] = WeakKeyDictionary()


class _Tree:
    """The files of one package, what each of them imports, and where that leads."""

    def __init__(self, workspace: Workspace, package: Package, texts: Texts) -> None:
        self.package, self.lock = package, workspace.lock
        self.places = _places.setdefault(workspace, _places.get(workspace) or _Places(workspace))
        self.directory = normpath(f"{self.places.root}/{package.path}")
        self.files = load_sources(self.directory, self.places.directories, self.places.root)
        self.texts = texts
        self.config = self.places.configs.load(self.directory)
        self.is_leaf = self.directory not in self.places.enclosing  # "./x" leads to no other package
        self.declared = {**package.dependencies, **package.dev_dependencies}
        self.names: dict[tuple[str, str], str] = {}

    def imports(self, entries: tuple[str, ...]) -> tuple[Import, ...]:
        roles = self._roles(entries)
        found = [one for path, role in roles.items() for one in self._imports_of(path, build=role == "build")]
        found += self._helpers(roles)
        built = tuple(f"{self._place(output)}/" for output, _ in self.config.outputs)
        return tuple(sorted(found, key=lambda one: (one.file.startswith(built), one.file, one.line, one.name)))

    def _helpers(self, roles: Mapping[str, str]) -> Iterator[Import]:
        """What compiled sources import though no source says so, where the workspace has it."""
        typed = any(role == "source" and path.endswith(("ts", "tsx")) for path, role in roles.items())
        if self.config.helpers and typed and self.lock.resolve(self.package.path, "tslib"):
            file = self._place(self.config.helpers)
            yield Import(package=self.package.path, file=file, line=1, name="tslib", kind="static")

    def _place(self, directory: str) -> str:
        """Return an absolute directory relative to the workspace root."""
        return directory.removeprefix(f"{self.places.root}/")

    def _found(self, path: str) -> tuple[Found, ...]:
        return self.texts.of(IMPORTS, f"{self.package.path}/{path}".lstrip("/"))

    # --- which files count

    def _roles(self, entries: tuple[str, ...]) -> Mapping[str, str]:
        loaded = self._reached(entries)
        if loaded is None:
            loaded = self._follow({path for path, file in self.files.items() if file.role == "source"})
        build = (path for path, file in self.files.items() if file.role != "test")
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
        yield from bundled_sources(self.package.scripts.values(), path)

    def _own(self, absolute: str) -> str:
        """Return a path relative to the package, "" for one outside."""
        return absolute[len(self.directory) + 1 :] if absolute.startswith(f"{self.directory}/") else ""

    def _follow(self, start: set[str], *, exact: bool = False) -> frozenset[str]:
        """Return `start` and the files that they load. Raises _UnknownError if `exact` and unclear."""
        seen = set(start)
        pending = list(seen)
        others = frozenset(_stem(path) for path in self.files if path not in seen)
        while pending:
            path = pending.pop()
            for found in self._found(path):
                if found.kind not in {"type", "elided"} and (exact or _stem(found.specifier) in others):
                    new = set(self._loaded(path, found, exact=exact)) - seen
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
        for file, source in self.files.items():
            if source.role != "test" and _stem(file) == _stem(name):
                yield file

    def _under(self, path: str, start: str) -> Iterator[str]:
        if not start.startswith("."):
            raise _UnknownError
        above = normpath(f"{dirname(path)}/{start}x").removesuffix("x")
        yield from (file for file, source in self.files.items() if source.role != "test" and file.startswith(above))

    # --- what an import means

    def _imports_of(self, path: str, *, build: bool) -> Iterator[Import]:
        for found in self._found(path):
            if found.kind in {"computed", "file"} or (found.specifier.startswith("./") and self.is_leaf):
                continue
            if name := self._name(path, found.specifier):
                yield Import(
                    package=self.package.path,
                    file=self._place(f"{self.directory}/{path}"),
                    line=found.line,
                    name=name,
                    kind=self._kind(found, build=build),
                    guarded=found.guarded,
                )

    def _kind(self, found: Found, *, build: bool) -> ImportKind:
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
            names = (self.places.member(target) for target in targets)
            name = next(filter(None, names), "") if targets else package_name(specifier)
            self.names[key] = "" if name == self.package.name else name
        return self.names[key]

    def _targets(self, path: str, specifier: str) -> tuple[str, ...]:
        """Return the absolute paths that a specifier may stand for, () when it is the name of a package."""
        if specifier.startswith("."):
            return (normpath(f"{self.directory}/{dirname(path)}/{specifier.partition('?')[0]}"),)
        if specifier.startswith("#"):
            return tuple(self._internal(specifier))
        for aliases in self.config.aliases:
            for start, places in aliases.places(specifier):
                if self._is_alias(start, specifier, places):
                    return places
        place = f"{self.config.base_url}/{specifier}"
        return (
            (place,)
            if self.config.base_url and not self._is_package(specifier) and self.places.has_script(place)
            else ()
        )

    def _is_alias(self, start: str, specifier: str, places: tuple[str, ...]) -> bool:
        # Types alone may be mapped: TypeScript reads those, Node the package.
        if any(place.endswith(".d.ts") or "/node_modules/" in place for place in places):
            return False
        if any(
            self.places.member(place) not in {"", self.package.name} or self.places.has_script(place)
            for place in places
        ):
            return True
        return bool(start) and not self._is_package(specifier)

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


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(one)
