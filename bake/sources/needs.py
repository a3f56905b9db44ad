"""What a process's command needs beside Node: the dependencies whose binaries and preloads it names."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from posixpath import join, normpath, relpath
from typing import Final

from bake.files import normal
from bake.shell import (
    EXECUTORS,
    KEYWORDS,
    MANAGERS,
    SHELLS,
    WRAPPERS,
    Call,
    parse_call,
    parse_line,
    split_words,
    unwrap,
)
from bake.texts import package_name
from bake.workspace import Package, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a command starts.

    packages: names of the dependencies that it needs. unknown: binaries that neither a base image nor the
    lockfile has. tools: package managers that have to be in the image. files: scripts of the package itself.
    beside: scripts outside of it, relative to it too.
    loads: what is loaded before them, as modules name it (`dotenv/config`).
    conditions: what `exports` and `imports` are read with beside Node's.
    opaque: whether it starts something whose code cannot be followed.
    """

    packages: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    opaque: bool = False


def command_binaries(workspace: Workspace, package_path: str, command: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the dependencies that a command needs: ("tsx", "src/worker.ts") -> ("tsx",)."""
    return command_needs(workspace, package_path, command).packages


def command_needs(
    workspace: Workspace, package_path: str, command: Sequence[str], directory: str | None = None
) -> Needs:
    """Return what a command of a package needs, through wrappers (`tini --`, `sh -c`) and npm scripts.

    directory: the folder that it starts in, relative to the root, when that is not its package's.
    """
    package = workspace.package(package_path)
    reader = _Reader(workspace, package)
    if directory is not None:
        reader.start = relpath(directory or ".", package.path or ".")
    reader.read(tuple(command))
    return Needs(
        packages=tuple(sorted(reader.packages)),
        unknown=tuple(sorted(reader.unknown)),
        tools=tuple(sorted(reader.tools)),
        files=tuple(dict.fromkeys(reader.files)),
        beside=tuple(dict.fromkeys(reader.beside)),
        loads=tuple(dict.fromkeys(reader.loads)),
        conditions=tuple(dict.fromkeys(reader.conditions)),
        opaque=reader.opaque or not (reader.files or reader.beside),
    )


def outer_paths(word: str) -> tuple[str, ...]:
    """The paths in a word of a command that lead out of the folder it starts in: `../../.env`."""
    return tuple(re.findall(r"(?:^|(?<=[=\s'\"]))\.\./[^\s'\"=;&|<>()$`*?]+", word))


# Node with another loader: they take node's options.
_RUNNERS: Final = frozenset(
    {
        "babel-node",
        "esno",
        "esr",
        "nodemon",
        "pm2-runtime",
        "ts-node",
        "ts-node-dev",
        "ts-node-esm",
        "tsx",
        "vite-node",
    }
)
_SERVERS: Final = frozenset({"react-router-serve", "remix-serve"})
"""They load the file that they are given, and serve the folder `client` that it names."""
_RUNNER_VERBS: Final = frozenset({"inspect", "start", "watch"})
_NODE_PRELOADS: Final = frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader"})
_NODE_CONDITIONS: Final = frozenset({"-C", "--conditions"})
_NODE_TEXTS: Final = frozenset({"-e", "--eval", "-p", "--print"})
# Options of node, or of what runs like it (--exec is nodemon's), that take a value.
_NODE_VALUES: Final = (
    _NODE_PRELOADS
    | _NODE_CONDITIONS
    | {
        "--env-file",
        "--env-file-if-exists",
        "--exec",
        "-P",
        "--project",
        "--run",
        "--tsconfig",
    }
)
# In every base image: the shell's own words and coreutils.
_PRESENT_WORDS = """
. : [ awk basename break cat cd chmod chown continue cp cut date dirname echo env eval exit export false
find grep gunzip gzip hash head hostname id kill ln local ls mkdir mktemp mv printf pwd read
readlink return rm rmdir sed set shift sleep sort source stat tail tar tee test touch tr trap true
type ulimit umask uname uniq unset wait wc which xargs
"""
_PRESENT: Final = frozenset(_PRESENT_WORDS.split())
_SCRIPT: Final = re.compile(r"\.[cm]?[jt]sx?$")
_IN_MODULES: Final = re.compile(r"(?:^|/)node_modules/((?:@[^/]+/)?[^/.][^/]*)/")
_ODD: Final = {"tsc": "typescript", "tsserver": "typescript"}  # commands that their packages' names do not tell
_DEEPEST: Final = 8  # scripts that call scripts: further down is a cycle


class _Reader:
    """Reads commands and gathers what they need."""

    def __init__(self, workspace: Workspace, package: Package) -> None:
        self.workspace, self.package = workspace, package
        self.packages: set[str] = set()
        self.unknown: set[str] = set()
        self.tools: set[str] = set()
        self.files: list[str] = []
        self.beside: list[str] = []
        self.start = "."
        """The folder that files are relative to, seen from the package's."""
        self.loads: list[str] = []
        self.conditions: list[str] = []
        self.opaque = False
        self.depth = 0
        self.elsewhere = False
        """Whether it has left the package's folder, which files are relative to."""

    def read(self, words: tuple[str, ...]) -> None:
        """Read one command, words as the kernel or a shell would get them."""
        found = unwrap(words)
        for name, value in found.env:
            if name == "NODE_OPTIONS":
                self._node(split_words(value))
        for wrapper in found.wrappers:
            self._binary(wrapper, ())
        if found.line:
            self.shell(found.line)
        elif found.words and found.words[0] and not found.words[0].startswith("$"):
            self._start(found.words)
        elif found.words:
            self.opaque = True

    def _start(self, words: tuple[str, ...]) -> None:
        path, rest = words[0], words[1:]
        name = path.rpartition("/")[2]
        if "/" in path and "node_modules/.bin/" not in path and not path.startswith(("/bin/", "/usr/")):
            self._file(path)
        elif name in {"cd", "pushd"}:
            self.elsewhere = True
        elif name == "node":
            self._node(rest)
        elif name in MANAGERS or name in EXECUTORS:
            self.tools.add(name)
            self._call(parse_call((name, *rest)))
        elif name in SHELLS:  # of a script file, what it calls is its own business
            self.opaque = self.opaque or bool(rest)
        else:
            self._binary(name, rest)

    def _file(self, path: str) -> None:
        """Take note of a file that runs: of a dependency, or of the package itself."""
        if inside := _IN_MODULES.search(path):
            self.packages.add(inside[1])
        elif _SCRIPT.search(path) and not path.startswith("/") and not self.elsewhere:
            place = normpath(join(self.start, path))
            (self.beside if place.startswith("../") else self.files).append(place)
        else:
            self.opaque = True

    # --- node and what runs like it

    def _node(self, words: tuple[str, ...]) -> None:
        pending = list(words)
        while pending:
            word = pending.pop(0)
            option, equals, value = word.partition("=")
            if option in _NODE_TEXTS:
                self.opaque = True
                return
            if option in _NODE_VALUES:
                self._node_option(option, value if equals else pending.pop(0) if pending else "")
            elif not word.startswith("-") and word not in _RUNNER_VERBS:
                self._main(word)
                return

    def _node_option(self, option: str, value: str) -> None:
        if option in _NODE_PRELOADS:
            self._preload(value)
        elif option in _NODE_CONDITIONS:
            self.conditions.append(value)
        elif option == "--run":
            self._script(value)
        elif option == "--exec":
            self.shell(value)

    def _main(self, word: str) -> None:
        self._file(word if _SCRIPT.search(word) or "node_modules/" in word else f"{word}.js")

    def _preload(self, specifier: str) -> None:
        if specifier.startswith((".", "/")):
            self._file(specifier)
        elif name := package_name(specifier):
            self.packages.add(name)
            self.loads.append(specifier)

    def shell(self, text: str) -> None:
        """Read a shell's command line: every simple command in it."""
        for step in parse_line(text):
            words = step.words
            while words and words[0] in KEYWORDS:
                words = words[1:]
            self.read(words)

    # --- package managers

    def _call(self, call: Call | None) -> None:
        if call is None:
            return
        self.packages.update(call.brought)
        reader = self._for(call.packages[0]) if call.packages else self._at_start()
        if call.line:
            reader.shell(call.line)
        elif call.verb == "run" and (not call.maybe or call.name in reader.package.scripts):
            reader._script(call.name)
        elif call.verb in {"run", "exec"} and call.name:
            reader._binary(call.name, call.arguments, or_package=call.verb == "exec")
        self.opaque = self.opaque or reader.opaque

    def _at_start(self) -> "_Reader":
        """The reader of the package whose scripts a package manager finds where it starts."""
        place = normal(self.start, folder=self.package.path) or ""
        return self if self.start == "." or not self.workspace.find(place or ".") else self._for(place or ".")

    def _for(self, name_or_path: str) -> "_Reader":
        found = self.workspace.find(name_or_path) or self.package
        other = _Reader(self.workspace, found)
        other.packages, other.unknown, other.tools = self.packages, self.unknown, self.tools
        other.files, other.beside, other.loads, other.depth = self.files, self.beside, self.loads, self.depth
        other.conditions = self.conditions
        own = {self.package.name, self.package.path, "."}
        other.elsewhere = self.elsewhere or name_or_path.removeprefix("./") not in own
        return other

    def _script(self, name: str) -> None:
        scripts = self.package.scripts
        if name not in scripts and name == "start":
            return self._file("server.js")  # npm's own default
        if name not in scripts:
            self.unknown.add(f"npm run {name}")
        if self.depth < _DEEPEST:
            self.depth += 1
            for step in (f"pre{name}", name, f"post{name}"):
                self.shell(scripts.get(step, ""))
            self.depth -= 1
        return None

    # --- binaries

    def _binary(self, name: str, rest: tuple[str, ...], *, or_package: bool = False) -> None:
        found = "" if name in _PRESENT or name in self.package.bins else self._provider(name)
        if not found and or_package and self.workspace.lock.resolve(self.package.path, name):
            found = name
        if found:
            self.packages.add(found)
        elif name not in _PRESENT and name not in WRAPPERS and name not in self.package.bins:
            self.unknown.add(name)
        if name in _RUNNERS:
            self._node(rest)
        elif name in _SERVERS and rest:
            self._main(rest[0])

    def _provider(self, binary: str) -> str:
        """Return the name of the dependency whose binary the package sees: the nearest, the declared."""
        lock = self.workspace.lock
        own = lock.resolve(self.package.path, binary)
        if own and binary in self._bins(own):
            return binary
        declared = {**self.package.dependencies, **self.package.dev_dependencies}
        found = [
            (-len(folder), name not in declared, name)
            for folder, name in map(_split, lock.entries)
            if _above(folder, self.package.path) and binary in self._bins(f"{folder}node_modules/{name}")
        ]
        return min(found)[2] if found else self._likely(binary, declared)

    def _likely(self, binary: str, declared: Iterable[str]) -> str:
        """Return the declared dependency that may have the binary: pnpm's lockfile has no names of commands."""
        nameless = [name for name in declared if self._is_nameless(name)]
        found = [
            name for name in nameless if all(word in name for word in binary.split("-")) or name == _ODD.get(binary)
        ]
        return min(found, key=lambda name: (name not in self.package.dependencies, len(name), name), default="")

    def _is_nameless(self, name: str) -> bool:
        entry = self.workspace.lock.entries.get(self.workspace.lock.resolve(self.package.path, name) or "")
        return entry is not None and bool(entry.bins) and not any(entry.bins.values())

    def _bins(self, path: str) -> Sequence[str]:
        entry = self.workspace.lock.entries[path]
        if entry.bins or not entry.link:
            return tuple(entry.bins)
        return next((tuple(one.bins) for one in self.workspace.packages if one.path == entry.link), ())


def _split(path: str) -> tuple[str, str]:
    """Cut "a/node_modules/@x/y" into ("a/", "@x/y")."""
    folder, _, name = path.rpartition("node_modules/")
    return folder, name


def _above(folder: str, package_path: str) -> bool:
    return not folder or f"{package_path}/".startswith(folder)
