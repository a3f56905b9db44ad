"""What is at the paths of a workspace: looked at once, however many packages name it."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from posixpath import dirname, normpath
from typing import Final

from bake.texts import NAMES, PATHS, Paths, Text, Texts

_SUFFIXES: Final = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json", ".vue", ".svelte")
_WRITTEN: Final = {".js": (".ts", ".tsx", ".jsx"), ".mjs": (".mts",), ".cjs": (".cts",), ".jsx": (".tsx",)}
_DECLARED: Final = {".js": (".d.ts",), ".mjs": (".d.mts",), ".cjs": (".d.cts",), ".jsx": (".d.ts",)}
_NO_SOURCES: Final = frozenset({"node_modules", ".git", ".bake", ".yarn"})
LOCKS: Final = frozenset(
    {"package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bake.toml", "bake.lock", ".npmrc"}
)


class Places:
    """Files and folders by paths relative to the root; nothing of it changes while it is looked at.

    members: paths of all packages. sent: whether a build can get a path, which git may ignore. texts: what files say.
    """

    def __init__(self, root: Path, members: Iterable[str], sent: Callable[[str], bool], texts: Texts) -> None:
        self.root = str(root)
        self.members = frozenset(path for path in members if path)
        self._above = frozenset(above for path in self.members for above in parents(path)) | {""}
        self._sent = sent
        self.texts = texts
        self._folders: dict[str, frozenset[str]] = {}
        self._found: dict[str, str] = {}
        self._modules: dict[str, tuple[str, ...]] = {}
        self._answers: dict[str, bool] = {}

    def text(self, path: str) -> Text:
        """Return what a file names."""
        return self.texts.of(NAMES, path)

    def paths(self, path: str) -> Paths:
        """Return the paths in a file's texts."""
        return self.texts.of(PATHS, path)

    def files(self, start: str) -> Iterator[str]:
        """Yield what is at a path: itself, or every file and link below a folder but for other packages."""
        place = Path(self.root, start)
        if not place.is_dir() or place.is_symlink():
            yield from (start,) if os.path.lexists(place) else ()
            return
        for one in _scan(place):
            path = f"{start}/{one.name}".lstrip("/")
            if one.is_dir(follow_symlinks=False):
                if one.name not in _NO_SOURCES and path not in self.members and self.is_sent(path):
                    yield from self.files(path)
            else:
                yield path

    def there(self, target: str) -> Iterator[str]:
        """Yield the path that a name means, which may lack its suffix."""
        if target not in self._found:
            there = () if _is_kept_apart(target) else filter(self.is_there, _candidates(target))
            self._found[target] = next(iter(there), "")
        if self._found[target]:
            yield self._found[target]

    def modules(self, target: str) -> tuple[str, ...]:
        """Return the files that an import of a path can lead to: a folder's `index`, all of one with a manifest."""
        if target not in self._modules:
            self._modules[target] = () if _is_kept_apart(target) else tuple(self._imported(target))
        return self._modules[target]

    def _imported(self, target: str) -> Iterator[str]:
        stem, dot, suffix = target.rpartition(".")
        written = (*_WRITTEN.get(f"{dot}{suffix}", ()), *_DECLARED.get(f"{dot}{suffix}", ()), f".d.{suffix}.ts")
        names = (target, *(stem + one for one in written if stem), *(target + one for one in (*_SUFFIXES, ".d.ts")))
        found = [path for path in names if self.is_there(path) and not self.is_folder(path)]
        yield from found
        if not found and self.is_folder(target):
            whole = self.is_there(f"{target}/package.json")
            yield from (target,) if whole else self._imported(f"{target}/index")

    def is_there(self, path: str) -> bool:
        """Whether something has that path, a link that leads nowhere too."""
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            there = not folder or self.is_there(folder)
            self._folders[folder] = frozenset(_names(f"{self.root}/{folder}")) if there else frozenset()
        return name in self._folders[folder]

    def is_folder(self, path: str) -> bool:
        """Whether a folder has that path."""
        return self.is_there(path) and Path(self.root, path).is_dir()

    def is_sent(self, path: str) -> bool:
        """Whether a build can get a path."""
        if path not in self._answers:
            self._answers[path] = self._sent(path)
        return self._answers[path]

    def inside(self, absolute: str) -> Iterator[str]:
        """Yield an absolute path relative to the root, if it is below it."""
        if absolute.startswith(f"{self.root}/"):
            yield absolute[len(self.root) + 1 :]

    def owner(self, path: str) -> str:
        """Return the innermost package that a path is in, "" for the root."""
        return path if path in self.members else next((above for above in parents(path) if above in self.members), "")

    def holds_members(self, path: str) -> bool:
        """Whether packages are below a folder, as below `packages`."""
        return path in self._above

    def counts(self, target: str, package: str) -> bool:
        """Whether a path is outside the package, and neither all of another nor a folder of packages."""
        if target in self._above or target in self.members:
            return False
        name = target.rpartition("/")[2]
        outside = not target.startswith(f"{package}/") or self.owner(target) != package
        real = os.path.realpath(f"{self.root}/{target}")
        return outside and name not in LOCKS and real.startswith(f"{self.root}/") and self._holds(target)

    def _holds(self, target: str) -> bool:
        """Whether there is something of a clone at a path."""
        return self.is_sent(target) and any(map(self.is_sent, self.files(target)))


def parents(path: str) -> Iterator[str]:
    """Yield the folders that a path is in, innermost first."""
    while path := dirname(path):
        yield path


def joined(folder: str, name: str) -> str:
    """Return where a relative path leads from a folder, "" when it is the root or out of it."""
    path = normpath(f"{folder}/{name}" if folder else name)
    return "" if path == "." or path.startswith("..") else path


def _candidates(path: str) -> Iterator[str]:
    """Yield what a path in code may stand for: itself, with another suffix, the index of a folder is in it."""
    yield path
    stem, dot, suffix = path.rpartition(".")
    yield from (stem + written for written in _WRITTEN.get(f"{dot}{suffix}", ()))
    yield from (path + suffix for suffix in _SUFFIXES)


def _is_kept_apart(path: str) -> bool:
    return not set(path.split("/")).isdisjoint(_NO_SOURCES)


def _names(folder: str) -> list[str]:
    try:
        return [one.name for one in Path(folder).iterdir()]
    except OSError:
        return []


def _scan(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        return sorted(os.scandir(folder), key=lambda one: one.name)
    except OSError:  # not readable, or a past state, of which only some files are looked at
        return []
