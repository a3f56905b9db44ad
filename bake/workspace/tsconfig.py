"""What a package's tsconfig.json says about names and places: aliases, and where its output goes."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, isfile, normpath, relpath
from typing import Any, Final

from bake.errors import WorkspaceError
from bake.files import ANY, Shape, check_shape, is_inside, normal, read_text, table, words
from bake.workspace.order import in_order

NAMES: Final = ("tsconfig.json", "jsconfig.json")
_OF_NX: Final = "tsconfig.base.json"  # at the root of a workspace that Nx made; all projects extend it


class Aliases:
    """The `paths` of one configuration: patterns with at most one "*" -> absolute targets."""

    def __init__(self, paths: Mapping[str, Sequence[str]]) -> None:
        self._exact = {pattern: tuple(targets) for pattern, targets in paths.items() if "*" not in pattern}
        self._open: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        for pattern, targets in paths.items():
            start, star, end = pattern.partition("*")
            if star:
                self._open.setdefault(start, []).append((end, tuple(targets)))
        self.patterns: Mapping[str, tuple[str, ...]] = {p: tuple(map(normpath, t)) for p, t in paths.items()}
        self._lengths = sorted({len(start) for start in self._open}, reverse=True)

    def places(self, specifier: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield what stands before "*" in each pattern that fits, and the targets; TypeScript's choice first."""
        if specifier in self._exact:
            yield specifier, tuple(normpath(target) for target in self._exact[specifier])
        for length in self._lengths:
            start, rest = specifier[:length], specifier[length:]
            for end, targets in self._open.get(start, ()) if len(start) == length else ():
                if rest.endswith(end):
                    hole = rest.removesuffix(end)
                    yield start, tuple(normpath(target.replace("*", hole)) for target in targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class TsConfig:
    """The options that decide where a name leads; every path is absolute and normal.

    base_url: where other bare names are tried first, "" when not set.
    outputs: (outDir, rootDir) pairs of the configuration and of those it refers to inside the package.
    keeps_imports: imports of which only types are used stay in the output.
    helpers: the file whose output imports its helpers from tslib, "" when it has them in it.
    """

    aliases: tuple[Aliases, ...] = ()
    base_url: str = ""
    outputs: tuple[tuple[str, str], ...] = ()
    keeps_imports: bool = False
    helpers: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TsProgram:
    """What a configuration compiles; every path is absolute and normal, patterns among them.

    named: files and folders that stand there by themselves. include, exclude: patterns. scripts: JavaScript is read
    too. names: what files in it call others by. known: nothing decides about it that bake does not follow. writes:
    where its results are, and the sources that they are of; None where that is not known. declares: with declarations.
    notes: it has the compiler note what it compiled, for the next time. modules: packages that it takes types from.
    """

    named: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    scripts: bool
    names: TsConfig
    known: bool
    writes: tuple[str, str] | None
    declares: bool
    notes: bool
    modules: frozenset[str]


_SHAPE: Shape = {
    "extends": (str, [str]),
    "references": [{"path": str}],
    "compilerOptions": {"baseUrl": str, "paths": {ANY: [str]}},
}
"""What bake reads of a tsconfig.json. Source: typescriptlang.org/tsconfig."""


class TsConfigs:
    """The tsconfig files of one workspace, each read once.

    root: absolute directory where the search upwards ends. packages: name of a workspace package -> its absolute
    directory, for `extends: "@acme/tsconfig/base.json"`. Files are absolute paths throughout.
    """

    def __init__(self, root: str, packages: Mapping[str, str], *, strict: bool = False) -> None:
        """strict: raise WorkspaceError for a file that is there and cannot be read, instead of passing it over."""
        self._root, self._packages, self._strict = root, packages, strict
        self._read: dict[str, Mapping[str, Any]] = {}
        self._options: dict[str, Mapping[str, Any]] = {}
        self._aliases: dict[int, Aliases] = {}
        self._references: dict[str, tuple[str, ...]] = {}
        self._found: dict[str, tuple[str, ...]] = {}

    def load(self, directory: str) -> TsConfig:
        """Return the options that hold for a directory: those of the nearest tsconfig.json or jsconfig.json.

        What cannot be read is passed over: the build itself will complain.
        """
        file = self._nearest(directory)
        if not file:
            return TsConfig()
        # A file that only refers to others beside it is common (Vite).
        beside = (f for f in self.references(file) if dirname(f) == directory == dirname(file) and f != file)
        options = [self._placed(file), *map(self._placed, beside)]
        return TsConfig(
            aliases=tuple(self._index(option["paths"]) for option in options if option.get("paths")),
            base_url=next((option["baseUrl"] for option in options if option.get("baseUrl")), ""),
            outputs=tuple((one["outDir"], one.get("rootDir", "")) for one in options if one.get("outDir")),
            keeps_imports=any(_keeps_imports(option) for option in options),
            helpers=file if any(map(_imports_helpers, options)) else "",
        )

    def bases(self, file: str, *, relative: bool = False) -> tuple[str, ...]:
        """Return the files that a file extends by itself; what is not there is left out.

        relative: only those that it names by a path, not by a package.
        """
        extends = words(self._content(file).get("extends"))
        named = (self._extended(base, dirname(file)) for base in extends if not relative or base.startswith("."))
        return tuple(filter(None, named))

    def all_bases(self, file: str) -> frozenset[str]:
        """Return the files that a file extends, and those that they extend."""
        found: set[str] = set()
        queue = [file]
        while queue:
            new = set(self.bases(queue.pop())) - found
            found |= new
            queue.extend(new)
        return frozenset(found)

    def references(self, file: str) -> tuple[str, ...]:
        """Return the files that `references` name; the path as it is where no file is. They are not inherited."""
        if file not in self._references:
            self._references[file] = self._referred(file)
        return self._references[file]

    def _referred(self, file: str) -> tuple[str, ...]:
        references = self._content(file).get("references", [])
        paths = [one.get("path") for one in references if isinstance(one, dict)] if isinstance(references, list) else []
        named = (_absolute_path(dirname(file), path) for path in paths if isinstance(path, str))
        return tuple(_json_file(path) or path for path in named)

    def program(self, file: str) -> TsProgram:
        """Return what a file says of what is compiled. Source: typescriptlang.org/tsconfig."""
        options, here = self._placed(file), dirname(file)
        listed, include = self._stated(file, "files"), self._stated(file, "include")
        aside = (options["outDir"],) if options.get("outDir") else ()
        types = (self._stated(file, key, options=True) or () for key in ("typeRoots", "types"))
        plugins = options.get("plugins")
        transforms = isinstance(plugins, list) and any(isinstance(one, dict) and "transform" in one for one in plugins)
        return TsProgram(
            named=(*(listed or ()), *(place for places in types for place in places)),
            include=include if include is not None else () if listed is not None else (f"{here}/**/*",),
            exclude=(*(self._stated(file, "exclude") or ()), *aside),
            scripts=bool(options.get("allowJs") or options.get("checkJs")) or not self._is_whole(file, frozenset()),
            names=TsConfig(
                aliases=(self._index(options["paths"]),) if options.get("paths") else (),
                base_url=options.get("baseUrl") or "",
            ),
            known=not transforms and not options.get("rootDirs") and not options.get("moduleSuffixes"),
            writes=_writes(options, here),
            declares=bool(options.get("composite") or options.get("declaration")),
            modules=frozenset({*words(options.get("types")), *words([options.get("jsxImportSource")])}),
            notes=bool(options.get("composite") or options.get("incremental"))
            and not options.get("emitDeclarationOnly"),
        )

    def _stated(self, file: str, key: str, *, options: bool = False) -> tuple[str, ...] | None:
        """A list of paths in a file, or else in those that it extends; relative to the file that has it."""
        pending, seen = [file], set[str]()
        while pending:
            one = pending.pop()
            content = table(self._content(one), "compilerOptions") if options else self._content(one)
            if isinstance(content.get(key), list):
                named = (path for path in words(content[key]) if key != "types" or path.startswith("."))
                return tuple(_fill(_absolute_path(dirname(one), path), dirname(file)) for path in named)
            if one not in seen:
                seen.add(one)
                pending.extend(self.bases(one))
        return None

    def _is_whole(self, file: str, seen: frozenset[str]) -> bool:
        """Whether everything is there that a file extends."""
        bases = self.bases(file)
        complete = len(bases) == len(words(self._content(file).get("extends")))
        return complete and all(self._is_whole(base, seen | {file}) for base in bases if base not in seen)

    def file_at(self, place: str) -> str:
        """Return the file that `tsc -p` finds at a place of the workspace, "" for none inside it."""
        plain = normal(place)
        return "" if plain is None else _json_file(normpath(f"{self._root}/{plain}"))

    def with_references(self, files: Iterable[str]) -> tuple[str, ...]:
        """Return files and those that they refer to, each after these, as `tsc -b` compiles them."""
        starts = tuple(filter(None, files))
        needs: dict[str, tuple[str, ...]] = {}
        queue = [*starts]
        while queue:
            if (file := queue.pop()) not in needs:
                needs[file] = self._there(file)
                queue.extend(needs[file])
        return in_order(starts, needs)

    def _there(self, file: str) -> tuple[str, ...]:
        """Return the references of a file that are there."""
        if file not in self._found:
            self._found[file] = tuple(filter(isfile, self.references(file)))
        return self._found[file]

    def own_paths(self, file: str) -> tuple[str, ...]:
        """Return where the `paths` lead that a file states itself, up to the "*"."""
        if not table(self._content(file), "compilerOptions").get("paths"):
            return ()
        places = self._placed(file).get("paths", {}).values()
        return tuple(normpath(place.partition("*")[0]) for targets in places for place in targets)

    def _index(self, paths: Mapping[str, Sequence[str]]) -> Aliases:
        # One base file has the paths of all packages, most often: the same object, as `_options` keeps it.
        if id(paths) not in self._aliases:
            self._aliases[id(paths)] = Aliases(paths)
        return self._aliases[id(paths)]

    def _nearest(self, directory: str) -> str:
        while True:
            names = NAMES if len(directory) > len(self._root) else (*NAMES, _OF_NX)
            found = next((f"{directory}/{name}" for name in names if isfile(f"{directory}/{name}")), "")
            if found or len(directory) <= len(self._root):
                return found
            directory = dirname(directory)

    def _content(self, file: str) -> Mapping[str, Any]:
        if file not in self._read:
            self._read[file] = self._load(relpath(file, self._root))
        return self._read[file]

    def _load(self, path: str) -> Mapping[str, Any]:
        root = Path(self._root)
        try:
            content = parse_jsonc(read_text(root, path) or "{}") if is_inside(root, path) else {}
            found = content if isinstance(content, dict) else {}
            if self._strict:
                check_shape(found, _SHAPE, path)
        except (WorkspaceError, ValueError) as error:
            if not self._strict:
                return {}
            if isinstance(error, WorkspaceError):
                raise
            raise WorkspaceError(path, f"not JSON with comments: {error}", "correct the file") from None
        return found

    def _placed(self, file: str) -> Mapping[str, Any]:
        """Return a file's options with its directory for `${configDir}` (TypeScript 5.5), also inherited ones."""
        options = self._inherited(file, frozenset())
        if not options.get(_TEMPLATED):
            return options
        options = {key: _fill(value, dirname(file)) for key, value in options.items()}
        return self._options.setdefault(f"{file} placed", options)

    def _inherited(self, file: str, seen: frozenset[str]) -> Mapping[str, Any]:
        if file in seen:
            return {}
        if file not in self._options:
            self._options[file] = self._merged(file, seen | {file})
        return self._options[file]

    def _merged(self, file: str, seen: frozenset[str]) -> Mapping[str, Any]:
        options: dict[str, Any] = {}
        for base in self.bases(file):
            options |= self._inherited(base, seen)
        own = table(self._content(file), "compilerOptions")
        return options | _absolute(own, dirname(file), options.get("baseUrl", ""))

    def _extended(self, base: str, here: str) -> str:
        """Return the file that `extends` names, "" when it is not there (a package that is not installed)."""
        if base.startswith((".", "/")):
            return _json_file(_absolute_path(here, base))
        name = "/".join(base.split("/")[: 2 if base.startswith("@") else 1])
        inside = base[len(name) + 1 :] or "tsconfig.json"
        if name in self._packages:
            return _json_file(f"{self._packages[name]}/{inside}")
        parents = [here, *map(str, Path(here).parents)]
        return next(filter(None, (_json_file(f"{parent}/node_modules/{name}/{inside}") for parent in parents)), "")


_TOKEN = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.S)
_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', re.S)


def parse_jsonc(text: str) -> Any:
    """Parse JSON with comments and trailing commas, as TypeScript reads its files. Raises ValueError."""
    plain = _TOKEN.sub(lambda match: match[1] or " ", text.removeprefix("\ufeff"))
    try:
        return json.loads(_COMMA.sub(lambda match: match[1] or "", plain))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


_TEMPLATED: Final = " templated"  # no option of TypeScript's


def _absolute(own: Mapping[str, Any], here: str, inherited: str) -> dict[str, Any]:
    """Make the paths among a file's own options absolute: relative to that file, `paths` to baseUrl."""
    options = {key: value for key, value in own.items() if key not in _PATHS}
    for key in ("baseUrl", "outDir", "rootDir"):
        if isinstance(own.get(key), str):
            options[key] = _absolute_path(here, own[key])
    base = options.get("baseUrl") or inherited or here
    paths = own.get("paths")
    if isinstance(paths, dict):
        options["paths"] = {
            pattern: [_absolute_path(base, target) for target in targets if isinstance(target, str)]
            for pattern, targets in paths.items()
            if isinstance(targets, list)
        }
    return options | ({_TEMPLATED: True} if "${configDir}" in str(own) else {})


_PATHS: Final = frozenset({"baseUrl", "outDir", "paths", "rootDir"})


def _absolute_path(base: str, path: str) -> str:
    return path if path.startswith("${configDir}") else normpath(f"{base}/{path}" if path[:1] != "/" else path)


def _fill(value: Any, here: str) -> Any:
    if isinstance(value, str):
        return normpath(value.replace("${configDir}", here)) if "${configDir}" in value else value
    if isinstance(value, dict):
        return {key: _fill(one, here) for key, one in value.items()}
    return [_fill(one, here) for one in value] if isinstance(value, list) else value


def _json_file(path: str) -> str:
    """The file that a path means, with or without `.json`, or a folder's tsconfig.json; "" when there is none."""
    candidates = (path, f"{path}.json", f"{path}/tsconfig.json")
    return next((file for file in candidates if isfile(file)), "")


def _keeps_imports(options: Mapping[str, Any]) -> bool:
    return (
        bool(options.get("verbatimModuleSyntax") or options.get("preserveValueImports"))
        or options.get("importsNotUsedAsValues") in {"preserve", "error"}
        or bool(options.get("emitDecoratorMetadata"))  # annotations become values
    )


def _writes(options: Mapping[str, Any], here: str) -> tuple[str, str] | None:
    """Where results are written, and what sources they are of, if each is known."""
    elsewhere = any(options.get(key) for key in ("noEmit", "declarationDir", "outFile"))
    results, sources = options.get("outDir"), options.get("rootDir") or (here if options.get("composite") else "")
    return (str(results), str(sources)) if not elsewhere and results and sources else None


def _imports_helpers(options: Mapping[str, Any]) -> bool:
    """Source: typescriptlang.org/tsconfig, importHelpers.

    With `noEmit`, a bundler with helpers of its own does the work; with `emitDeclarationOnly`, often TypeScript in one.
    """
    return bool(options.get("importHelpers")) and not options.get("noEmit")
