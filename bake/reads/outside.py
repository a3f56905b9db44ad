"""What the files of a package read outside its folder: by links, by relative paths in text, by aliases of TypeScript.

A path that is named and not read costs a rebuild when it changes; one that is read and not given breaks the build.
"""

import functools
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, islink, join, normpath
from typing import Final

from bake.reads.bundled import Bundled, Bundlers
from bake.reads.compiled import Compiled, Reached, places_of
from bake.reads.places import Places, joined, parents
from bake.reads.scripts import Bundling, Compilation, reached_scripts
from bake.sources import LOADERS
from bake.texts import Texts, relative_paths
from bake.workspace import Package, TsConfigs

_RUN: Final = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json", ".vue", ".svelte")
_CODE: Final = (
    *_RUN,
    *(".proto", ".css", ".scss", ".sass", ".less", ".graphql", ".prisma", ".html"),
)
_DOCUMENTS: Final = (".md", ".mdx", ".txt", ".rst", ".adoc")
_TESTS: Final = re.compile(r"[.](?:test|spec)[.][^/.]+$|(?:^|/)__tests__/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Files and folders outside a package, relative to the root, sorted.

    built: what its build reads. run: what only its processes may read. compiled, bundled: what is known of its build
    where that only compiles, or only bundles; None for others.
    """

    built: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    compiled: Reached | None = None
    bundled: Bundled | None = None


class Outside:
    """Finds what packages read outside their folders.

    members: all packages. sent: whether a build can get a path, which git may ignore. texts, configs: what files and
    tsconfig.json say.
    """

    def __init__(
        self,
        root: Path,
        members: Iterable[Package],
        sent: Callable[[str], bool],
        texts: Texts | None = None,
        configs: TsConfigs | None = None,
    ) -> None:
        named = tuple(members)
        self._manifests = {package.path: package for package in named}
        self._places = Places(root, (package.path for package in named), sent, texts or Texts(root))
        self._configs = configs or TsConfigs(str(root), {p.name: normpath(f"{root}/{p.path}") for p in named})
        self._compiled = Compiled(self._places, self._configs)
        self._bundlers = Bundlers(self._places, self._configs, named)

    def load(
        self,
        package: str,
        build: Compilation | Bundling | None = None,
        *,
        scripts: Collection[str] = (),
        makers: Iterable[str] = (),
        named: Iterable[str] = (),
    ) -> Read:
        """Return what a package reads. build: what its scripts run, None for what may read anything.

        scripts: the names of those scripts. makers: files outside that make sources of it. named: further places that
        its processes read.
        """
        if not package:
            return Read()  # all of the root's folder is its own, but for packages, which it needs as such
        reached = reached_scripts(self._manifests[package].scripts, scripts)
        if build and self._has_links(package):
            build = None
        compiled = self._compiled.load(package, build) if isinstance(build, Compilation) else None
        bundled = self._bundled(package, build, reached) if isinstance(build, Bundling) else None
        follow = functools.partial(self._followed, package, scripts=reached)
        named = tuple(named)
        run = follow(named, lambda _: ())
        if compiled is not None:
            loads = not LOADERS.isdisjoint(self._manifests[package].dependencies)
            run = follow([package, *named], self._aliased(package) if loads else lambda _: ())
        if compiled is not None or bundled is not None:
            paths = (known.paths for known in (compiled, bundled) if known is not None)
            built = frozenset(path for each in paths for path in each if self._places.counts(path, package))
        else:
            built = follow([package, *makers], self._aliased(package))
        late = _outermost(path for path in run if not _is_below(path, built))
        return Read(built=_outermost(built), run=late, compiled=compiled, bundled=bundled)

    def _bundled(self, package: str, build: Bundling, scripts: Collection[str]) -> Bundled | None:
        own = (path for path in self._places.files(package) if _is_read_by_builds(path, package))
        walk = self._bundlers.begin(package, build, own)
        if walk is None:
            return None
        begun = self._followed(package, [package], lambda _: (), scripts=scripts, passes=walk.passes)
        return walk.result(begun)

    def _has_links(self, package: str) -> bool:
        return any(islink(f"{self._places.root}/{path}") for path in self._places.files(package))

    def _followed(
        self,
        package: str,
        places: Iterable[str],
        aliases: Callable[[str], tuple[str, ...]],
        *,
        scripts: Collection[str],
        passes: Callable[[str, str], bool] = lambda *_: False,
    ) -> frozenset[str]:
        """Places outside a package, and what files there and in it name.

        passes: whether nothing is meant by the name of a place in a file.
        """
        queue = list(places)
        found = dict.fromkeys(place for place in queue if self._places.counts(place, package))
        names = functools.cache(aliases)
        judged: set[str] = set()
        while queue:
            start = queue.pop()
            for path in self._places.files(start):
                for target in self._named(path, package, names, scripts):
                    if target in judged or passes(path, target):
                        continue
                    judged.add(target)
                    if self._places.counts(target, package) and not _is_below(target, found):
                        found[target] = None
                        queue.append(target)
        return frozenset(found)

    def read_from(self, folders: Iterable[str], packages: Iterable[str]) -> tuple[str, ...]:
        """Return what paths in the code of packages lead to in a process that starts in one of some folders; sorted."""
        texts = map(self._places.paths, self._code(packages))
        names = {name for text in texts for name in (*text.plain, *text.together)}
        places = {joined(folder, name) for folder in folders for name in names} - {""}
        return tuple(sorted({path for place in places for path in self._places.there(place)}))

    def read_at(self, links: Mapping[str, str], packages: Iterable[str]) -> tuple[str, ...]:
        """Return what absolute paths in the code of packages lead to, places being links to paths; sorted."""
        found: set[str] = set()
        for text in map(self._places.paths, self._code(packages)):
            for place, target in links.items():
                below = {name[len(place) + 1 :] for name in text.absolute if name.startswith(f"{place}/")}
                put = text.together if any(n == place or n.startswith(f"{place}/") for n in text.absolute) else ()
                found |= {joined(target, name) for name in (*below, *put)} - {""}
        return tuple(sorted({path for place in found for path in self._places.there(place)}))

    def _code(self, packages: Iterable[str]) -> Iterator[str]:
        """Yield the files of packages whose code may run."""
        for path in (path for package in packages for path in self._places.files(package) if path.endswith(_RUN)):
            if not _TESTS.search(path) and "/tests/" not in path and "/test/" not in path:
                yield path

    def named_by(self, files: Iterable[str]) -> tuple[str, ...]:
        """Return the files that files at the root name, and these in turn, with the first ones; sorted."""
        found = dict.fromkeys(files)
        queue = list(found)
        while queue:
            path = queue.pop()
            for target in self._relative(path, ""):
                if target not in found and Path(self._places.root, target).is_file() and self._places.is_sent(target):
                    found[target] = None
                    queue.append(target)
        return tuple(sorted(found))

    def _named(
        self, path: str, package: str, aliases: Callable[[str], tuple[str, ...]], scripts: Collection[str]
    ) -> Iterator[str]:
        if islink(f"{self._places.root}/{path}"):
            yield from self._places.inside(os.path.realpath(join(self._places.root, path)))
            return
        if not _is_read_by_builds(path, package):
            return
        if path == f"{package}/package.json":
            yield from self._in_manifest(package, scripts)
            return
        yield from self._relative(path, package)
        text = self._places.text(path)
        yield from (found for name in text.protos for found in self._imported(path, name))
        yield from (found for name in text.quoted for found in aliases(name))

    def _in_manifest(self, package: str, scripts: Collection[str]) -> Iterator[str]:
        """What a package.json names, but for scripts that no build runs."""
        manifest = self._manifests[package].manifest
        known = self._manifests[package].scripts
        run = {name: text for name, text in known.items() if name in scripts or not _BESIDE_BUILDS.match(name)}
        for name in relative_paths(json.dumps({**manifest, "scripts": run}, ensure_ascii=False)):
            if target := joined(package, name):
                yield from self._places.there(target)

    def _relative(self, path: str, package: str) -> Iterator[str]:
        """Yield what relative paths in a file lead to: from its folder as in modules, the package as in scripts."""
        text = self._places.text(path)
        targets = {joined(folder, name) for name in text.relative for folder in (dirname(path), package)} - {""}
        for target in targets | text.joined:
            if not (package and target.startswith(f"{package}/")):
                yield from self._places.there(target)
        for above in (*parents(package), "") if package else ():
            yield from (f for name in text.sought for f in self._places.there(f"{above}/{name}".lstrip("/")))

    def _imported(self, path: str, name: str) -> Iterator[str]:
        """What a .proto file imports: from its folder, or from one above it that its reader names."""
        for folder in (*parents(path), ""):
            yield from self._places.there(normpath(join(folder, name)))

    def _aliased(self, package: str) -> Callable[[str], tuple[str, ...]]:
        """A function of a name in code: what is there of what it may stand for outside of the package."""
        directory = normpath(f"{self._places.root}/{package}")
        config = self._configs.load(directory)
        base = config.base_url if not f"{config.base_url}/".startswith(f"{directory}/") else ""

        def found(name: str) -> tuple[str, ...]:
            places = places_of(name, config.aliases, base)
            return tuple(
                path for place in places for target in self._places.inside(place) for path in self._led(target)
            )

        return found

    def _led(self, target: str) -> tuple[str, ...]:
        """Where an import leads; a folder that has neither a manifest nor an index is all that it may mean."""
        return self._places.modules(target) or tuple(self._places.there(target))


_BESIDE_BUILDS: Final = re.compile(
    r"(?:pre|post)?(?:tests?|e2e|lint|format|fmt|type-?check|check|check-types|dev|watch|bench|coverage|storybook)(?![a-z])"
)
"""Scripts that no build runs, unless it says so."""


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    found = frozenset(paths)
    return tuple(sorted(path for path in found if not _is_below(path, found - {path})))


def _is_read_by_builds(path: str, package: str) -> bool:
    """Whether what a file names is an input: not what documents and tests name, and outside only what code does.

    Else a README would make most of a monorepo an input of every build.
    """
    own = path.startswith(f"{package}/")
    inner = path[len(package) + 1 :] if own else path
    if path.endswith(_DOCUMENTS) or _TESTS.search(path) or inner.startswith(("tests/", "test/", "e2e/")):
        return False
    # What a shared tsconfig's `paths` lead to counts where a name is imported by them.
    return own or (path.endswith(_CODE) and not path.rpartition("/")[2].startswith("tsconfig"))


def _is_below(path: str, folders: Collection[str]) -> bool:
    """Whether a path is one of some others, or in one."""
    return path in folders or any(above in folders for above in parents(path))
