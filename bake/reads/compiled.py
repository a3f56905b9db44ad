"""What a build reads outside its package that runs only the TypeScript compiler: what its configurations reach.

A plain `require()` in TypeScript is none of the compiler's business, nor is a path in a string.
"""

import functools
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import dirname
from typing import Final

from bake.reads.places import LOCKS, Places, joined, parents
from bake.reads.scripts import Compilation
from bake.texts import BUILTINS, SCRIPTS, relative_paths
from bake.workspace import Aliases, TsConfigs, TsProgram

_JAVASCRIPT: Final = (".js", ".jsx", ".mjs", ".cjs")
_COMPILED: Final = (".ts", ".tsx", ".mts", ".cts")
_STARTERS: Final = frozenset({"child_process", "cluster", "module", "vm", "worker_threads"})
"""Modules of Node with which a program runs what stands nowhere in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What a compilation reads.

    paths: files and folders outside its package, from the root. whole: packages of which more than declarations, and
    than the places in `named`. declares: folders of the package's own declarations, each with that of the sources,
    relative to it; () where nobody can do with these. configs: the files that make them. again: sources of what its
    configurations refer to are compiled again. results: folders of all that its compiler writes, each with that of the
    sources, where it can go on from its last results; () for others. modules: packages that its own sources name.
    """

    paths: frozenset[str]
    whole: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    declares: tuple[tuple[str, str], ...] = ()
    configs: tuple[str, ...] = ()
    again: bool = False
    results: tuple[tuple[str, str], ...] = ()
    modules: frozenset[str] = frozenset()


class Compiled:
    """Finds what compilations read outside their packages."""

    def __init__(self, places: Places, configs: TsConfigs) -> None:
        self._places, self._configs = places, configs
        self._projects: dict[str, frozenset[str] | None] = {}
        self._inside: dict[str, frozenset[str]] = {}
        self._taken: dict[str, frozenset[str]] = {}

    def load(self, package: str, build: Compilation) -> Reached | None:
        """Return what the builds of a package read, None where it cannot be told."""
        configs = [self._configs.file_at(joined(package, place)) for place in build.configs]
        programs = [joined(package, program) for program in build.programs]
        if not all(configs) or not all(programs):
            return None
        compiled, run = [*map(self._project, configs)], [self._program(program, package) for program in programs]
        if None in compiled or None in run:
            return None
        words = {joined(package, name) for name in relative_paths(" ".join(build.words))} - {""}
        targets = words.union(self._data(package) if programs else (), *filter(None, run))
        beside = frozenset(found for target in targets for found in self._places.there(target))
        imported = frozenset[str]().union(*filter(None, compiled))
        every = self._configs.with_references(configs)
        # What a configuration referred to compiles is there as declarations, and every .json as it is.
        known = frozenset[str]().union(*(self._inside.get(config, ()) for config in every))
        source = (path for path in imported - known if not path.endswith(".json"))
        more = (target for target in targets if not self._stands_alone(target, package, known))
        whole = {self._places.owner(path) for path in (*more, *source)} - {"", package}
        own = tuple(config for config in every if self._owner(config) == package)
        return Reached(
            paths=beside | imported,
            whole=frozenset(whole),
            named=frozenset(path for path in beside if self._is_others(path, package, whole)),
            declares=self._written(package, own, lambda one: one.declares),
            results=self._written(package, own, lambda one: one.notes) if build.sparing else (),
            again=build.again,
            modules=frozenset[str]().union(*(self._taken.get(one, ()) for one in own)),
            configs=tuple(path.removeprefix(f"{package}/") for one in own for path in self._places.inside(one)),
        )

    def _stands_alone(self, target: str, package: str, compiled: frozenset[str]) -> bool:
        """Whether a place is there in a clone, and neither a package, nor compiled, nor around what is."""
        found = [path for path in self._places.there(target) if self._places.counts(path, package)]
        return bool(found) and not any(f"{one}/".startswith(f"{path}/") for path in found for one in compiled)

    def _is_others(self, path: str, package: str, whole: Collection[str]) -> bool:
        """Whether a place is in another package, of which else declarations do."""
        return self._places.owner(path) not in {"", package, *whole} and self._places.counts(path, package)

    def _owner(self, config: str) -> str:
        return self._places.owner(next(self._places.inside(config), ""))

    def _written(
        self, package: str, configs: Iterable[str], fits: Callable[[TsProgram], bool]
    ) -> tuple[tuple[str, str], ...]:
        """Where the results of a package are, and the sources of each; () unless all fits and is in the package."""
        home = f"{self._places.root}/{package}/"
        programs = [one for one in map(self._configs.program, configs) if one.named or one.include]
        pairs = tuple(
            (f"{written}/", f"{sources}/") for written, sources in (one.writes or ("", "") for one in programs)
        )
        if not all(map(fits, programs)) or not all(path.startswith(home) for pair in pairs for path in pair):
            return ()
        inside = dict.fromkeys((written[len(home) : -1], sources[len(home) : -1] or ".") for written, sources in pairs)
        return tuple(inside) if all(written for written, _ in inside) else ()

    def _project(self, config: str) -> frozenset[str] | None:
        """What a configuration and those that it refers to read outside the packages that they are in."""
        if config not in self._projects:
            self._projects[config] = frozenset()  # where they refer to each other, the compiler complains
            self._projects[config] = self._load_project(config)
        return self._projects[config]

    def _load_project(self, config: str) -> frozenset[str] | None:
        program = self._configs.program(config)
        here = next(self._places.inside(dirname(config)), "")
        owner = self._places.owner(here)
        if not here or not program.known:
            return None  # the root's may compile all there is
        parts = [self._project(one) for one in self._configs.references(config) if self._places.root in one]
        if any(part is None for part in parts):
            return None
        files = self._reached(self._begun(program, owner or here), program)
        self._taken[config] = self._packages_of(files, program)
        self._inside[config] = frozenset(path for path in files if self._places.owner(path) == owner)
        settings = (config, *self._configs.all_bases(config))
        found = {*files, *(path for one in settings for path in self._places.inside(one))}
        outside = frozenset(path for path in found if not owner or self._places.owner(path) != owner)
        return outside.union(self._manifests(outside), *(part for part in parts if part))

    def _begun(self, program: TsProgram, folder: str) -> Iterator[str]:
        """The files that a configuration names: in a folder, and beyond it."""
        own = f"{self._places.root}/{folder}/"
        includes, excludes = (_matcher(patterns, self._places.root) for patterns in (program.include, program.exclude))
        for path in self._places.files(folder):
            if includes(path) and not excludes(path):
                yield path
        beyond = (place for place in map(plain_part, program.include) if not f"{place}/".startswith(own))
        for place in (*program.named, *beyond):
            for path in self._places.inside(place):
                yield from self._places.there(path)

    def _reached(self, begun: Iterable[str], program: TsProgram) -> frozenset[str]:
        """The files that are begun with, and what they import."""
        found = dict.fromkeys(begun)
        queue = list(found)
        names = functools.cache(self._named(program))
        while queue:
            path = queue.pop()
            if self._places.is_folder(path):
                new = set(self._places.files(path))
            else:
                new = {target for name in self._modules(path, program) for target in self._led(path, name, names)}
            new -= found.keys()
            found.update(dict.fromkeys(new))
            queue.extend(new)
        return frozenset(found)

    def _packages_of(self, files: Iterable[str], program: TsProgram) -> frozenset[str]:
        """The packages that files import, and those that a configuration names."""
        names = (self._modules(path, program) for path in files if not self._places.is_folder(path))
        bare = (name for name in program.modules.union(*names) if not name.startswith((".", "/")))
        return frozenset("/".join(name.split("/")[: 2 if name.startswith("@") else 1]) for name in bare)

    def _modules(self, path: str, program: TsProgram) -> frozenset[str]:
        if path.endswith(_COMPILED):
            return self._places.text(path).modules
        if path.endswith(_JAVASCRIPT) and program.scripts:
            return self._places.text(path).modules | self._places.text(path).required
        return frozenset()

    def _led(self, path: str, name: str, names: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
        if name.startswith("."):
            target = joined(dirname(path), name)
            return self._places.modules(target) if target else ()
        return names(name)

    def _named(self, program: TsProgram) -> Callable[[str], tuple[str, ...]]:
        """A function of a bare name: the files of the workspace that `paths` and `baseUrl` make of it."""

        def found(name: str) -> tuple[str, ...]:
            return tuple(
                path
                for place in places_of(name, program.names.aliases, program.names.base_url)
                for target in self._places.inside(place)
                for path in self._places.modules(target)
            )

        return found

    def _manifests(self, files: Iterable[str]) -> Iterator[str]:
        """The package.json that says how modules of a folder are written, below the root."""
        for folder in {dirname(path) for path in files}:
            above = (f"{one}/package.json" for one in (folder, *parents(folder)) if one)
            yield from (path for path in [next(filter(self._places.is_there, above), "")] if path)

    def _program(self, program: str, package: str) -> frozenset[str] | None:
        """What a program names that needs Node alone, with the files that it imports; None for others."""
        found = dict.fromkeys(self._places.modules(program))
        if not found:
            return None
        named: set[str] = set()
        queue = list(found)
        while queue:
            path = queue.pop()
            text = self._places.text(path)
            for name in text.modules | text.required:
                plain = name.removeprefix("node:")
                if not name.startswith(".") and (plain.partition("/")[0] in _STARTERS or plain not in BUILTINS):
                    return None
                new = [one for one in self._led(path, name, lambda _: ()) if one not in found]
                found.update(dict.fromkeys(new))
                queue.extend(one for one in new if one.endswith(tuple(SCRIPTS)))
            if text.computes:
                return None
            named |= self._relative(path, package)
        return frozenset(named | found.keys())

    def _data(self, package: str) -> frozenset[str]:
        """What files of a package name that are no code: a program may read them."""
        code = (*SCRIPTS, *LOCKS, ".md", ".mdx", "package.json")
        files = (path for path in self._places.files(package) if not path.endswith(code) and not _is_config(path))
        return frozenset(target for path in files for target in self._relative(path, package))

    def _relative(self, path: str, package: str) -> frozenset[str]:
        """Where relative paths in a file lead, be it there or not: a build may write it."""
        text = self._places.text(path)
        named = {joined(folder, name) for name in text.relative for folder in (dirname(path), package)} | text.joined
        return frozenset(named - {""})


def places_of(name: str, aliases: Iterable[Aliases], base: str) -> Iterator[str]:
    """Yield the absolute places where TypeScript looks for a bare name before it asks packages."""
    for one in aliases:
        for _, places in one.places(name):
            yield from places
    if base:
        yield f"{base}/{name}"


def _is_config(path: str) -> bool:
    return fnmatchcase(path.rpartition("/")[2], "tsconfig*.json")


def plain_part(pattern: str) -> str:
    """A pattern up to its first wildcard: the folder that it is about."""
    folders = pattern.split("/")
    wild = next((at for at, one in enumerate(folders) if re.search(r"[*?]", one)), len(folders))
    return "/".join(folders[:wild])


def _matcher(patterns: Iterable[str], root: str) -> Callable[[str], bool]:
    """Whether a pattern of a tsconfig.json takes a path from the root; one without a wildcard is a file or folder."""
    heads = [(head := plain_part(pattern), _test(pattern[len(head) :])) for pattern in patterns]

    def matches(path: str) -> bool:
        place = f"{root}/{path}"
        return any(place.startswith(head) and test(place, len(head)) for head, test in heads)

    return matches


@functools.cache
def _test(rest: str) -> Callable[[str, int], object]:
    """A test for paths from some character on, by what is left of a pattern there: most packages have the same."""
    words = re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", rest)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(known.get(word) or re.escape(word) for word in words) + r"(?:/.*)?\Z").match
