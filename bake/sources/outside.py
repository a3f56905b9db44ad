"""What the files of a package read outside its folder: by links, by relative paths in text, by aliases of TypeScript.

A path that is named and not read costs a rebuild when it changes; one that is read and not given breaks the build.
"""

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Final

from bake.workspace import Aliases, TsConfigs

_MOST: Final = 1 << 18  # bytes of a file; larger ones are data
_RELATIVE: Final = re.compile(
    rb"(?<![\w./-])((?:\./)?(?:\.\./)+[\w@.+()\[\]-]*(?:/[\w@.+()\[\]-]+)*|\./[\w@./+()\[\]-]+)"
)
_SPLIT: Final = re.compile(rb"""["']\.\.["'](?:\s*,\s*["'][\w@./+-]+["'])+""")
_IMPORT: Final = re.compile(rb"""^\s*import\s+(?:public\s+|weak\s+)?"([\w./-]+)"\s*;""", re.M)
_UPWARD: Final = re.compile(rb"""["'`]((?:\./)?\.\.(?:/\.\.)*)/?["'`]((?:\s*,\s*["'`]\.\.["'`])*)""")
_JOINED: Final = re.compile(rb"""[\w)"'`]\s*,(\s*["'`][\w@.+-][\w@./+-]*["'`](?:\s*,\s*["'`][\w@./+-]+["'`])*)\s*\)""")
_QUOTED: Final = re.compile(
    rb"""(?:\bfrom|\bimport|\brequire(?:\.resolve)?\s*\(|\bimport\s*\(|@import|@use)\s*["'`]([@~#$\w][^"'`\s*]*)["'`]"""
)
_PATH: Final = re.compile(rb"""["'`]((?:\./)?[\w@+-][\w@.+-]*(?:/[\w@.+-]+)+|[\w@+-][\w@.+-]*\.\w+)["'`]""")
_ABSOLUTE: Final = re.compile(rb"""["'`](/[\w@.+-]+(?:/[\w@.+-]+)*)/?["'`]""")
_SUFFIXES: Final = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json", ".vue", ".svelte")
_WRITTEN: Final = {".js": (".ts", ".tsx", ".jsx"), ".mjs": (".mts",), ".cjs": (".cts",), ".jsx": (".tsx",)}
_CODE: Final = (*_SUFFIXES, ".proto", ".css", ".scss", ".sass", ".less", ".graphql", ".prisma", ".html")
_DOCUMENTS: Final = (".md", ".mdx", ".txt", ".rst", ".adoc")
_TESTS: Final = re.compile(r"[.](?:test|spec)[.][^/.]+$|(?:^|/)__tests__/")
_NO_SOURCES: Final = frozenset({"node_modules", ".git", ".bake", ".yarn"})
_LOCKS: Final = frozenset(
    {"package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bake.toml", "bake.lock", ".npmrc"}
)


class Outside:
    """Finds what packages read outside their folders.

    members: paths of all packages. sent: whether a build can get a path, which git may ignore.
    """

    def __init__(self, root: Path, members: Iterable[tuple[str, str]], sent: Callable[[str], bool]) -> None:
        named = tuple(members)
        self._root, self._sent = str(root), sent
        self._members = frozenset(path for _, path in named if path)
        self._above = frozenset(above for path in self._members for above in _parents(path)) | {""}
        self._configs = TsConfigs(self._root, {name: normpath(f"{self._root}/{path}") for name, path in named})
        # Packages name the same files over and over, and what is there does not change while they are looked at.
        self._texts: dict[str, _Text] = {}
        self._folders: dict[str, frozenset[str]] = {}
        self._found: dict[str, str] = {}
        self._answers: dict[str, bool] = {}

    def load(self, package: str, named: Iterable[str] = ()) -> tuple[str, ...]:
        """Return files and folders outside a package that its files name, relative to the root, sorted.

        named: further places that its processes read.
        """
        if not package:
            return ()  # all of the root's folder is its own, but for packages, which it needs as such
        found = dict.fromkeys(place for place in named if self._counts(place, package))
        queue = [package, *found]
        aliases = functools.cache(self._aliased(package))
        judged: set[str] = set()
        while queue:
            start = queue.pop()
            for path in self._files(start):
                for target in self._named(path, package, aliases):
                    if target in judged:
                        continue
                    judged.add(target)
                    if self._counts(target, package) and not _is_below(target, found):
                        found[target] = None
                        queue.append(target)
        return tuple(sorted(path for path in found if not _is_below(path, found.keys() - {path})))

    def read_from(self, folders: Iterable[str], packages: Iterable[str]) -> tuple[str, ...]:
        """Return what paths in the code of packages lead to in a process that starts in one of some folders; sorted."""
        texts = map(self._text, self._code(packages))
        names = {name for text in texts for name in (*text.plain, *text.together)}
        places = {_joined(folder, name) for folder in folders for name in names} - {""}
        return tuple(sorted({path for place in places for path in self._there(place)}))

    def read_at(self, links: Mapping[str, str], packages: Iterable[str]) -> tuple[str, ...]:
        """Return what absolute paths in the code of packages lead to, places being links to paths; sorted."""
        found: set[str] = set()
        for text in map(self._text, self._code(packages)):
            for place, target in links.items():
                below = {name[len(place) + 1 :] for name in text.absolute if name.startswith(f"{place}/")}
                joined = text.together if any(n == place or n.startswith(f"{place}/") for n in text.absolute) else ()
                found |= {_joined(target, name) for name in (*below, *joined)} - {""}
        return tuple(sorted({path for place in found for path in self._there(place)}))

    def _code(self, packages: Iterable[str]) -> Iterator[str]:
        """Yield the files of packages whose code may run."""
        for path in (path for package in packages for path in self._files(package) if path.endswith(_SUFFIXES)):
            if not _TESTS.search(path) and "/tests/" not in path and "/test/" not in path:
                yield path

    def named_by(self, files: Iterable[str]) -> tuple[str, ...]:
        """Return the files that files at the root name, and these in turn, with the first ones; sorted."""
        found = dict.fromkeys(files)
        queue = list(found)
        while queue:
            path = queue.pop()
            for target in self._relative(path, ""):
                if target not in found and (Path(self._root, target).is_file()) and self._sent(target):
                    found[target] = None
                    queue.append(target)
        return tuple(sorted(found))

    def _files(self, start: str) -> Iterator[str]:
        """Yield what is at a path: itself, or every file and link below a folder but for other packages."""
        place = Path(self._root, start)
        if not place.is_dir() or place.is_symlink():
            yield from (start,) if os.path.lexists(place) else ()
            return
        for one in _scan(place):
            path = f"{start}/{one.name}".lstrip("/")
            if one.is_dir(follow_symlinks=False):
                if one.name not in _NO_SOURCES and path not in self._members and self._is_sent(path):
                    yield from self._files(path)
            else:
                yield path

    def _named(self, path: str, package: str, aliases: Callable[[str], tuple[str, ...]]) -> Iterator[str]:
        if Path(self._root, path).is_symlink():
            yield from self._inside(os.path.realpath(join(self._root, path)))
            return
        if not _is_read_by_builds(path, package):
            return
        yield from self._relative(path, package)
        text = self._text(path)
        yield from (found for name in text.imports for found in self._imported(path, name))
        yield from (found for name in text.quoted for found in aliases(name))

    def _relative(self, path: str, package: str) -> Iterator[str]:
        """Yield what relative paths in a file lead to: from its folder as in modules, the package as in scripts."""
        text = self._text(path)
        targets = {_joined(folder, name) for name in text.relative for folder in (dirname(path), package)} - {""}
        for target in targets | text.joined:
            if not (package and target.startswith(f"{package}/")):
                yield from self._there(target)

    def _imported(self, path: str, name: str) -> Iterator[str]:
        """What a .proto file imports: from its folder, or from one above it that its reader names."""
        for folder in (*_parents(path), ""):
            yield from self._there(normpath(join(folder, name)))

    def _text(self, path: str) -> "_Text":
        if path not in self._texts:
            self._texts[path] = _parse_text(path, self._read(path))
        return self._texts[path]

    def _there(self, target: str) -> Iterator[str]:
        """Yield the path that a name means, which may lack its suffix."""
        if target not in self._found:
            there = () if _is_below_any(target, _NO_SOURCES) else filter(self._is_there, _candidates(target))
            self._found[target] = next(iter(there), "")
        if self._found[target]:
            yield self._found[target]

    def _is_there(self, path: str) -> bool:
        """Whether something has that path, a link that leads nowhere too."""
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            there = not folder or self._is_there(folder)
            self._folders[folder] = frozenset(_names(f"{self._root}/{folder}")) if there else frozenset()
        return name in self._folders[folder]

    def _is_sent(self, path: str) -> bool:
        if path not in self._answers:
            self._answers[path] = self._sent(path)
        return self._answers[path]

    def _inside(self, absolute: str) -> Iterator[str]:
        if absolute.startswith(f"{self._root}/"):
            yield absolute[len(self._root) + 1 :]

    def _counts(self, target: str, package: str) -> bool:
        """Whether a path is outside the package, and neither all of another nor a folder of packages."""
        if target in self._above or target in self._members:
            return False
        name = target.rpartition("/")[2]
        outside = not target.startswith(f"{package}/") or self._owner(target) != package
        real = os.path.realpath(join(self._root, target))
        return outside and name not in _LOCKS and real.startswith(f"{self._root}/") and self._holds(target)

    def _owner(self, path: str) -> str:
        """The innermost package that a path is in, "" for the root."""
        return next((above for above in _parents(path) if above in self._members), "")

    def _holds(self, target: str) -> bool:
        """Whether there is something of a clone at a path."""
        return self._is_sent(target) and any(map(self._is_sent, self._files(target)))

    def _aliased(self, package: str) -> Callable[[str], tuple[str, ...]]:
        """A function of a name in code: what is there of what it may stand for outside of the package."""
        directory = normpath(f"{self._root}/{package}")
        config = self._configs.load(directory)
        base = config.base_url
        based = (lambda name: (f"{base}/{name}",),) if base and not f"{base}/".startswith(f"{directory}/") else ()
        tests = (*(_places_of(alias) for alias in config.aliases), *based)

        def found(name: str) -> tuple[str, ...]:
            places = (place for test in tests for place in test(name))
            return tuple(path for place in places for target in self._inside(place) for path in self._there(target))

        return found

    def _read(self, path: str) -> bytes:
        file = Path(self._root, path)
        try:
            return file.read_bytes() if file.is_file() and file.stat().st_size <= _MOST else b""
        except OSError:
            return b""


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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """What a file names. relative: as it stands there. joined: from the root. imports: of a .proto file. plain: paths
    in texts, which a process may mean from where it starts. absolute: so too. together: what is joined to something."""

    relative: frozenset[str]
    joined: frozenset[str]
    quoted: frozenset[str]
    imports: frozenset[str]
    plain: frozenset[str]
    absolute: frozenset[str]
    together: frozenset[str]


def _parse_text(path: str, text: bytes) -> _Text:
    return _Text(
        relative=_texts(_RELATIVE, text) | {"/".join(_words(part)) for part in _SPLIT.findall(text)},
        joined=_joined_later(path, text),
        quoted=_texts(_QUOTED, text),
        imports=_texts(_IMPORT, text) if path.endswith(".proto") else frozenset(),
        plain=_texts(_PATH, text),
        absolute=_texts(_ABSOLUTE, text),
        together=frozenset("/".join(_words(part)) for part in _JOINED.findall(text)),
    )


def _joined_later(path: str, text: bytes) -> frozenset[str]:
    """What is joined in one place to what leads upwards in another: `join(root, 'proto')`."""
    upward = {match[1].decode() + "/.." * match[2].count(b"..") for match in _UPWARD.finditer(text)}
    bases = {base for up in upward if not (base := normpath(join(dirname(path), up))).startswith("..")}
    names = {"/".join(_words(part)) for part in _JOINED.findall(text)} if bases else set()
    return frozenset(normpath(join(base, name)) for base in bases for name in names)


def _names(folder: str) -> list[str]:
    try:
        return [one.name for one in Path(folder).iterdir()]
    except OSError:
        return []


def _places_of(aliases: Aliases) -> Callable[[str], Iterable[str]]:
    return lambda name: (place for _, places in aliases.places(name) for place in places)


def _scan(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        return sorted(os.scandir(folder), key=lambda one: one.name)
    except OSError:  # not readable, or a past state, of which only some files are looked at
        return []


def _texts(pattern: re.Pattern[bytes], text: bytes) -> frozenset[str]:
    return frozenset(found.decode("utf-8", "replace") for found in pattern.findall(text))


def _words(part: bytes) -> tuple[str, ...]:
    return tuple(word.decode("utf-8", "replace") for word in re.findall(rb"""["']([^"']+)["']""", part))


def _joined(folder: str, name: str) -> str:
    """A relative path from a folder, "" when it leads to the root or out of it."""
    path = normpath(join(folder, name))
    return "" if path == "." or path.startswith("..") else path


def _candidates(path: str) -> Iterator[str]:
    """Yield what a path in code may stand for: itself, with another suffix, the index of a folder is in it."""
    yield path
    stem, dot, suffix = path.rpartition(".")
    yield from (stem + written for written in _WRITTEN.get(f"{dot}{suffix}", ()))
    yield from (path + suffix for suffix in _SUFFIXES)


def _parents(path: str) -> Iterator[str]:
    while path := dirname(path):
        yield path


def _is_below(path: str, folders: Collection[str]) -> bool:
    """Whether a path is one of some others, or in one."""
    return path in folders or any(above in folders for above in _parents(path))


def _is_below_any(path: str, names: Collection[str]) -> bool:
    return not set(path.split("/")).isdisjoint(names)
