"""What a build reads outside its package that runs only a bundler: what its code imports, and what its settings name.

A bundler looks at no reference of a tsconfig.json, and of a package that an alias leads into at the files alone that
imports reach. Where more may be read (globs, paths that are put together), all counts as it does for any build.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, normpath, splitext
from typing import Final

from bake.reads.compiled import places_of, plain_part
from bake.reads.places import LOCKS, Places, joined, parents
from bake.reads.scripts import Bundling
from bake.reads.settings import Settings, parse_settings
from bake.texts import COMPONENTS, GLOBS, IMPORTS, SCRIPTS, package_name
from bake.workspace import Package, TsConfigs

_TYPED: Final = frozenset({"next"})
"""Bundlers that check types too, by references."""
_MAPPED: Final = frozenset({"next", "esbuild", "tsup"})
"""Bundlers that read `paths` of a tsconfig.json."""
_HARMLESS: Final = re.compile(
    r"""(?:node:.*|vite|vite/.*|vitest/config|next|tsup|esbuild|typescript|path|url|os|fs|process
    |@vitejs/plugin-(?:react|react-swc|vue|vue-jsx|legacy|basic-ssl)|@tailwindcss/vite|vite-tsconfig-paths
    |@sveltejs/vite-plugin-svelte|vite-plugin-(?:svgr|compression|compression2|html|solid|singlefile|wasm)
    |@preact/preset-vite|postcss|autoprefixer|tailwindcss|@next/bundle-analyzer
    |webpack|webpack-(?:merge|node-externals|bundle-analyzer)|(?:html|clean|terser|css-minimizer)-webpack-plugin
    |mini-css-extract-plugin|tsconfig-paths-webpack-plugin
    |rollup|@rollup/plugin-(?:node-resolve|commonjs|json|replace|babel|terser|swc|sucrase|url|image)
    |rollup-plugin-(?:esbuild|terser|visualizer|node-externals|peer-deps-external|swc3))\Z""",
    re.X,
)
"""What settings load that reads nothing but what code imports."""
_LOADER: Final = re.compile(
    r"^(?!(?:babel|swc|esbuild|css|style|sass|less|postcss|file|url|raw|svg)-loader)[\w@./-]+-loader"
)
"""A loader of webpack that may read what no import names, as ts-loader reads references."""
_MAPPING: Final = frozenset({"vite-tsconfig-paths", "tsconfig-paths-webpack-plugin"})
_STYLES: Final = (".css", ".scss", ".sass", ".less", ".styl", ".pcss", ".html", ".mdx")
_OTHERS: Final = re.compile(
    r"(?:^|/)(?:(?:ts|js)config[^/]*\.json|(?:eslint|vitest|playwright|jest|cypress|knip)\.[^/]*)$"
)
"""Files beside a package's code that its bundler does not read for what they name."""
_IMPLIED: Final = ("tslib", "@swc/helpers", "@babel/runtime")
"""What compilers put in for an import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """What a bundler reads.

    paths: files and folders outside the package. needs: packages that it needs built, beside the dependencies.
    loads: package -> names of dependencies that files of it load, None for all of them.
    """

    paths: frozenset[str]
    needs: frozenset[str]
    loads: Mapping[str, tuple[str, ...] | None]


class _MoreError(Exception):
    """A build that may read more than imports reach."""


class Bundlers:
    """Finds what bundlers read outside the packages that they bundle. names: of packages, with their paths."""

    def __init__(self, places: Places, configs: TsConfigs, members: Iterable[Package]) -> None:
        self._places, self._configs = places, configs
        self._names = {member.name: member.path for member in members}

    def begin(self, package: str, build: Bundling, own: Iterable[str]) -> "_Walk | None":
        """Read the settings of a build; None where what it reads cannot be told. own: files that it may read."""
        walk = _Walk(self._places, self._configs, self._names, package, build)
        return walk if walk.settle(own) else None


@dataclass
class _Walk:
    _places: Places
    _configs: TsConfigs
    _names: Mapping[str, str]
    package: str
    build: Bundling
    aliases: tuple[tuple[str, str], ...] = ()
    mapped: bool = False
    aside: frozenset[str] = frozenset()
    """Places that settings name for aliases alone."""
    settings: tuple[str, ...] = ()
    found: dict[str, None] = field(default_factory=dict)
    needs: set[str] = field(default_factory=set)
    loads: dict[str, set[str] | None] = field(default_factory=dict)
    own: tuple[str, ...] = ()

    # --- what settings say

    def settle(self, own: Iterable[str]) -> bool:
        """Read the settings; whether what is read can be told."""
        try:
            self._settle(own)
        except _MoreError:
            return False
        return True

    def _settle(self, own: Iterable[str]) -> None:
        self.own = tuple(path for path in own if not _OTHERS.search(path))
        self.mapped = bool(_MAPPED & {*self.build.tools})
        for path, said in self._all_settings():
            harmless = all(name.startswith(".") or _HARMLESS.match(name) for name in said.imports)
            if not harmless or any(map(_LOADER.match, said.strings)):
                raise _MoreError
            if self.aliases and said.aliases:
                raise _MoreError
            self.aliases = self.aliases or said.aliases
            self.settings = (*self.settings, path)
            self.aside |= {place for each in said.places for place in self._places.inside(each)}
        for path in self.own:
            self._require_plain(path)
            globbed = path.endswith((*SCRIPTS, *COMPONENTS)) and self._places.texts.of(GLOBS, path)
            if globbed and any(self._leads_out(word) for word in self._words(path)):
                raise _MoreError

    def _all_settings(self) -> Iterator[tuple[str, Settings]]:
        queue = [path for tool in self.build.tools for path in self._settings_of(tool)]
        queue += [path for name in self.build.settings for path in self._places.modules(joined(self.package, name))]
        for path in queue:  # and what is put behind these
            text = self._read(path)
            said = parse_settings(text, f"{self._places.root}/{path}", f"{self._places.root}/{self.package}")
            if said is None or re.search(rb"\bdts\b|\broot\s*:\s*[\"'`]\.\.|\bnxViteTsPaths\b", text):
                raise _MoreError
            self.mapped |= bool(_MAPPING & said.imports) or b"tsconfigPaths" in text
            yield path, said
            beside = (joined(dirname(path), name) for name in said.imports if name.startswith("."))
            queue += [one for name in beside for one in self._places.modules(name) if one not in queue]

    def _settings_of(self, tool: str) -> Iterator[str]:
        for suffix in SCRIPTS:
            path = f"{self.package}/{tool}.config{suffix}"
            if self._places.is_there(path):
                yield path

    def _require_plain(self, path: str) -> None:
        """Raise where a file of the package names all of another one, or globs that may lead out."""
        text = self._places.text(path)
        top = dirname(path) == self.package
        if path.rpartition("/")[2] in {*LOCKS, "package.json"}:
            return
        targets = {joined(dirname(path), name) for name in text.relative} | (text.joined if top else frozenset())
        for target in targets - {""} - self.aside:
            owner = self._places.owner(target)
            if self._places.holds_members(target):
                raise _MoreError
            if owner not in {"", self.package} and (target == owner or not any(self._places.there(target))):
                self.needs.add(owner)  # all of it, or what its build writes
        raw = self._read(path) if path.endswith(_STYLES) or (top and ".config." in path) else b""
        for word in _WORDS.findall(raw):
            self._require_inside(word.decode("utf-8", "replace"), upward=b".." in raw)

    def _require_inside(self, word: str, *, upward: bool) -> None:
        """Raise for a glob that may lead out of the package, and need a package whose name stands in a text."""
        name = package_name(word)
        if name in self._names and not any(find == word for find, _ in self.aliases):
            self.needs.add(self._names[name])
        head = word.partition("*")[0]
        if head == word or head.startswith((".", "!")) or not upward:
            return
        if not self._places.is_there(f"{self.package}/{head.partition('/')[0]}"):
            raise _MoreError

    def passes(self, path: str, target: str) -> bool:
        """Whether a file names a place for nothing but what is read of it."""
        own = path.startswith(f"{self.package}/")
        return (own and bool(_OTHERS.search(path))) or (path in self.settings and target in self.aside)

    # --- what code imports

    def result(self, begun: Iterable[str]) -> Bundled:
        """What is read, with what files outside name by their paths: begun."""
        queue = [*self._own_imports(), *self._included()]
        for start in begun:
            queue.extend(self._places.files(start))
            self.found[start] = None
        seen = set[str]()
        while queue:
            path = queue.pop()
            if path not in seen and self._places.owner(path) not in self.needs:
                seen.add(path)
                queue.extend(self._outside(path))
        configurations = tuple(self._configurations(seen))
        return Bundled(
            paths=frozenset(p for p in (*self.found, *configurations) if self._places.owner(p) != self.package),
            needs=frozenset(self.needs - {self.package}),
            loads={
                path: None if names is None else tuple(sorted(names))
                for path, names in sorted(self.loads.items())
                if path not in {self.package, *self.needs}
            },
        )

    def _included(self) -> Iterator[str]:
        """What the package's own configurations name, where types are checked."""
        if _TYPED & {*self.build.tools}:
            programs = [self._configs.program(file) for file in self._own_configurations()]
            for pattern in (one for program in programs for one in (*program.named, *program.include)):
                yield from (path for place in self._places.inside(plain_part(pattern)) for path in self._named(place))

    def _own_configurations(self) -> tuple[str, ...]:
        return tuple(map(str, sorted(Path(self._places.root, self.package).glob("*sconfig*.json"))))

    def _own_imports(self) -> Iterator[str]:
        """The files outside to which imports of the package's own code lead."""
        for path in self.own:
            text = self._places.text(path)
            names = text.quoted | text.modules | text.required
            if any(self._leads_out(name) for name in names if not name.startswith(".")):
                for name in self._imports(path, names):
                    yield from () if name.startswith(".") else self._led(path, name)

    def _words(self, path: str) -> Iterator[str]:
        return (word.decode("utf-8", "replace") for word in _WORDS.findall(self._read(path)))

    def _leads_out(self, name: str) -> bool:
        """Whether a name may mean something of the workspace outside the package."""
        places = self._aliased(self.package, name)
        return package_name(name) in self._names or any(self._places.owner(one) != self.package for one in places)

    def _imports(self, path: str, names: Collection[str]) -> Iterator[str]:
        """What a file imports, as far as a bundler looks at it."""
        suffix = splitext(path)[1]
        if suffix not in SCRIPTS:  # of a component, styles import too
            yield from names
            return
        typed = bool(_TYPED & {*self.build.tools})
        for one in self._places.texts.of(IMPORTS, path):
            if one.kind == "computed":  # a folder that a relative one begins with is found in the text
                if not one.specifier.startswith("."):
                    self._need(package_name(one.specifier), self._places.owner(path))
            elif one.kind != "file" and (typed or one.kind != "type"):
                yield one.specifier

    def _need(self, name: str, owner: str) -> None:
        """Need all of what is named; of an unknown name, all of the package that names it."""
        if found := self._names.get(name, "" if name else owner):
            self.needs.add(found)

    def _led(self, path: str, specifier: str) -> Iterator[str]:
        """The files that an import leads to; a package of the workspace by its name is needed as a whole."""
        name = specifier.partition("?")[0].removeprefix("~")
        aliased = list(self._aliased(self.package, name))
        if not aliased and self._places.owner(path) != self.package:
            aliased = list(self._aliased(dirname(path), name))
        files = [found for place in aliased for found in self._modules(place)]
        self.needs |= {self._places.owner(place) for place in aliased if not self._places.modules(place)} - {""}
        yield from files
        certain = files and (not self.mapped or self._places.owner(path) == self.package)
        member = self._names.get(package_name(name))
        if member is not None and not certain:
            self.needs.add(member)
        elif member is None and not files:
            self._load(self._places.owner(path), package_name(name))

    def _load(self, owner: str, name: str) -> None:
        known = self.loads.setdefault(owner, set(_IMPLIED))
        if known is not None and name:
            known.add(name)

    def _aliased(self, folder: str, name: str) -> Iterator[str]:
        """Where an alias leads, relative to the root, whatever is there."""
        for find, replacement in self.aliases:
            # One of webpack that ends in "$" is the whole name.
            if name in {find, find.removesuffix("$")} or name.startswith(f"{find}/"):
                yield from self._places.inside(normpath(replacement + name[len(find) :]))
                return
        if self.mapped:
            config = self._configs.load(normpath(f"{self._places.root}/{folder}"))
            for place in places_of(name, config.aliases, config.base_url):
                yield from self._places.inside(place)

    def _modules(self, place: str) -> Iterator[str]:
        for path in self._places.modules(place):
            owner = self._places.owner(path)
            if owner == self.package:
                continue
            if self._places.is_folder(path) or not self._places.counts(path, self.package):
                self._need("", owner)  # its manifest says what is meant, or its build writes it
            else:
                yield path

    def _outside(self, path: str) -> Iterator[str]:
        """Take a file outside; yields those that it leads to."""
        owner = self._places.owner(path)
        suffix = splitext(path)[1]
        if owner == self.package:
            return
        if path.endswith(_STYLES) or suffix not in {*SCRIPTS, *COMPONENTS}:
            self.found[path] = None
            if path.endswith(_STYLES):
                yield from self._all_beside(path, owner)
            return
        self.found[path] = None
        self._load(owner, "")
        text = self._places.text(path)
        if suffix in {".tsx", ".jsx", *COMPONENTS}:
            self.loads[owner] = None  # what is put in for elements
        if self._places.texts.of(GLOBS, path):
            yield from self._all_beside(path, owner)
        imports = set(self._imports(path, text.quoted | text.modules | text.required))
        for name in imports:
            if name.startswith("."):
                yield from self._beside(joined(dirname(path), name.partition("?")[0]), owner)
            elif name.startswith("#"):
                self._need("", owner)
            else:
                yield from self._led(path, name)
        # Types that it imports stand there as paths too.
        named = {joined(dirname(path), name) for name in text.relative - (text.modules - imports)} | text.joined
        for target in named - {""}:
            yield from self._named(target)

    def _beside(self, target: str, owner: str) -> Iterator[str]:
        """What a relative import means; what is not there is written by a build."""
        if not self._places.modules(target):
            self._need("", owner)
        yield from self._modules(target)

    def _named(self, target: str) -> Iterator[str]:
        if target in self._places.members:
            self.needs.add(target)
        for found in self._places.there(target):
            if self._places.counts(found, self.package):
                self.found[found] = None
                yield from self._places.files(found)

    def _all_beside(self, path: str, owner: str) -> Iterator[str]:
        """All that a file may name that is not followed: its package, at the root its folder."""
        if owner:
            self.needs.add(owner)
        else:
            self.found[dirname(path)] = None
            yield from self._places.files(dirname(path))

    def _configurations(self, files: Iterable[str]) -> Iterator[str]:
        """The manifests and tsconfig.json that say how files outside are written, and the package's own."""
        folders = {dirname(path) for path in files}
        above = {one for folder in folders for one in (folder, *parents(folder)) if one}
        yield from (path for one in above if self._places.is_there(path := f"{one}/package.json"))
        own = self._own_configurations()
        nearest = (self._configs.file_at(one) for one in above)
        every = self._configs.with_references((*own, *nearest))
        if _TYPED & {*self.build.tools}:
            owners = {self._places.owner(path) for file in own for path in self._referred(file)}
            self.needs |= owners - {""}
        for file in (one for config in every for one in (config, *self._configs.all_bases(config))):
            yield from (path for path in self._places.inside(file) if "node_modules" not in path.split("/"))

    def _referred(self, file: str) -> Iterator[str]:
        for one in self._configs.references(file):
            yield from self._places.inside(one)

    def _read(self, path: str) -> bytes:
        try:
            return Path(self._places.root, path).read_bytes()
        except OSError:
            return b""


_WORDS: Final = re.compile(rb"""["'`]([^"'`\n]+)["'`]""")
