"""What the scripts run that build a package: only a compiler or a bundler, or what may read anything. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from posixpath import basename
from typing import Final

from bake.shell import KEYWORDS, Call, Step, parse_call, parse_line, unwrap

_DEEPEST: Final = 8
"""Scripts that call scripts: further down is a cycle."""
_ALL_OF: Final = frozenset({"npm-run-all", "npm-run-all2", "run-s", "run-p"})
_COMPILERS: Final = frozenset({"tsc", "node_modules/typescript/bin/tsc", "node_modules/.bin/tsc"})
_PLAIN: Final = frozenset(
    {
        *("rimraf", "rm", "del", "del-cli", "mkdir", "mkdirp", "mv", "touch", "chmod", "echo", "true", ":", "exit"),
        *("cp", "cpy", "cpx", "cpx2", "copyfiles", "ncp", "rsync", "ls", "cat", "test", "["),
        # What rewrites the compiler's output by its own settings.
        *("tsc-alias", "tsc-esm-fix", "resolve-tspaths", "tsconfig-replace-paths", "fix-esm-import-path"),
    }
)
"""Commands that read nothing but what their words name, and results."""
_SPARING: Final = frozenset(
    {
        *("mkdir", "mkdirp", "chmod", "echo", "true", ":", "exit", "ls", "cat", "test", "["),
        *("cp", "cpy", "cpx", "cpx2", "copyfiles", "ncp"),
    }
)
"""Those of them that leave the compiler's output as it is, or do to it the same again."""
_RUNTIMES: Final = frozenset({"node", "tsx"})
_BUNDLERS: Final = {
    "vite": frozenset({"-c", "--config", "-m", "--mode", "-l", "--logLevel", "--outDir", "--base", "--target"}),
    "webpack": frozenset({"-c", "--config", "--mode", "--env", "--node-env"}),
    "rollup": frozenset({"--environment"}),
    "next": frozenset[str](),
    "esbuild": frozenset[str](),
    "tsup": frozenset({"--format", "--out-dir", "-d", "--target", "--platform"}),
}
"""Bundlers, with their options that take another word."""
_WORDS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "vite": (("build",),),
    "next": (("build",),),
    "webpack": ((), ("build",)),
    "rollup": ((),),
}
"""The words beside options with which they build what is here."""
_CONFIGURED: Final = frozenset({"vite", "webpack", "rollup"})
"""Those that such an option of `-c` or `--config` gives a file of settings."""
_LEADING: Final = re.compile(r"--(?:alias|tsconfig|inject|dts|plugins?|root|prefix|resolve|config)\b|-r$")
"""Options that lead somewhere, or have more read than imports reach."""
_READING: Final = frozenset({"--baseurl", "--paths", "--rootdirs", "--typeroots", "--types", "--plugins"})
"""Options of tsc that lead somewhere."""
_PROJECT: Final = frozenset({"-p", "--project"})
_BUILD: Final = frozenset({"-b", "--build"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """A build of which is known what it reads.

    configs: places that hold a tsconfig.json, or such files. programs: scripts for Node. words: what other commands
    name. All are relative to the package. again: it compiles what its configurations refer to whatever is there.
    sparing: it may begin with results, because nothing removes or changes what the compiler writes.
    """

    configs: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    again: bool = False
    sparing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundling:
    """A build that only bundles. tools: the bundlers. settings: files of theirs that a command names."""

    tools: tuple[str, ...]
    settings: tuple[str, ...] = ()


def parse_build(scripts: Mapping[str, str], names: Iterable[str], line: str = "") -> Compilation | Bundling | None:
    """Return what scripts and a command line run, None when that may read anything, or compiles and bundles."""
    reader = _Reader(scripts)
    try:
        for name in names:
            reader.script(name, 0)
        reader.line(line, 0)
    except _UnknownError:
        return None
    if reader.tools:
        return None if reader.configs else reader.bundling()
    return reader.result() if reader.configs else None


def reached_scripts(scripts: Mapping[str, str], names: Iterable[str]) -> frozenset[str]:
    """Return the names of scripts that some of them run, themselves included."""
    reader = _Reader(scripts, strict=False)
    for name in names:
        reader.script(name, 0)
    return frozenset(reader.seen)


class _UnknownError(Exception):
    """Something that may read anything."""


@dataclass
class _Reader:
    scripts: Mapping[str, str]
    strict: bool = True
    configs: dict[str, None] = field(default_factory=dict)
    programs: dict[str, None] = field(default_factory=dict)
    words: dict[str, None] = field(default_factory=dict)
    again: bool = False
    sparing: bool = True
    tools: dict[str, None] = field(default_factory=dict)
    settings: dict[str, None] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def bundling(self) -> Bundling:
        return Bundling(tools=tuple(self.tools), settings=tuple(self.settings))

    def result(self) -> Compilation:
        configs, programs, words = tuple(self.configs), tuple(self.programs), tuple(self.words)
        sparing = self.sparing and not self.again and not programs
        return Compilation(configs=configs, programs=programs, words=words, again=self.again, sparing=sparing)

    def script(self, name: str, depth: int) -> None:
        """Read a script with what npm runs around it."""
        for one in (f"pre{name}", name, f"post{name}"):
            if one in self.scripts and one not in self.seen:
                self.seen.add(one)
                self.line(self.scripts[one], depth)

    def line(self, text: str, depth: int) -> None:
        steps = parse_line(text)
        if (text.strip() and not steps) or depth > _DEEPEST:
            self._unknown()
        for step in steps:
            self._step(step, depth)

    def _step(self, step: Step, depth: int) -> None:
        if step.expands:
            self._unknown()
        self.sparing &= ">" not in step.text
        found = unwrap(tuple(word for at, word in enumerate(step.words) if at or word not in KEYWORDS))
        if found.line:
            self.line(found.line, depth + 1)
        elif found.words:
            self._command(found.words, depth)

    def _command(self, words: tuple[str, ...], depth: int) -> None:
        name, rest = words[0].removeprefix("./"), words[1:]
        call = parse_call(words)
        if call is not None:
            self._call(call, depth)
        elif name in _ALL_OF:
            self._every(rest, depth)
        elif name in _COMPILERS or (name == "node" and rest[:1] and rest[0].removeprefix("./") in _COMPILERS):
            self._compiler(rest if name in _COMPILERS else rest[1:])
        elif name == "shx" and rest:
            self._command(rest, depth)
        elif name in _BUNDLERS:
            self._bundler(name, rest)
        elif basename(name) in _PLAIN:
            self.sparing &= basename(name) in _SPARING
            self.words.update(dict.fromkeys(rest))
        elif name in _RUNTIMES and rest and not rest[0].startswith("-"):
            self.programs[rest[0]] = None
            self.words.update(dict.fromkeys(rest[1:]))
        else:
            self._unknown()

    def _call(self, call: Call, depth: int) -> None:
        whole = bool(call.packages or call.every or call.line or call.brought)
        if call.name in self.scripts and call.verb == "run" and not whole:
            if call.arguments:
                self._unknown()
            self.script(call.name, depth + 1)
        elif call.name and (call.verb == "exec" or call.maybe) and not whole and depth <= _DEEPEST:
            self._command((call.name, *call.arguments), depth + 1)
        else:
            self._unknown()

    def _every(self, patterns: Sequence[str], depth: int) -> None:
        """What `run-s clean build:*` runs."""
        for pattern in (one for one in patterns if not one.startswith("-")):
            names = [name for name in self.scripts if fnmatchcase(name, pattern.replace("**", "*"))]
            if not names:
                self._unknown()
            for name in names:
                self.script(name, depth + 1)

    def _bundler(self, name: str, words: Sequence[str]) -> None:
        plain, at = list[str](), 0
        while at < len(words):
            word = words[at]
            takes = word in _BUNDLERS[name]
            if name in _CONFIGURED and word in {"-c", "--config"}:
                behind = [one for one in words[at + 1 : at + 2] if not one.startswith("-")]
                self.settings.update(dict.fromkeys(behind))
                takes = bool(behind)
            elif _LEADING.match(word):
                self._unknown()
            elif not word.startswith("-"):
                plain.append(word)
            at += 1 + takes
        if tuple(plain) not in _WORDS.get(name, (tuple(plain),)):
            self._unknown()  # what it serves, or a root elsewhere
        self.tools[name] = None

    def _compiler(self, words: Sequence[str]) -> None:
        options = {word.lower() for word in words if word.startswith("-")}
        plain = tuple(_plain_words(words))
        if options & _READING or any(word.startswith("@") for word in words):
            self._unknown()
        self.again |= bool(options & {"--clean", "--force", "-f"})
        if options & _BUILD:
            self.configs.update(dict.fromkeys(plain or (".",)))
        elif options & _PROJECT:
            at = next(at for at, word in enumerate(words) if word.lower() in _PROJECT)
            self.configs.update(dict.fromkeys(words[at + 1 : at + 2] or (".",)))
        elif any(word.endswith((".ts", ".tsx", ".mts", ".cts", ".js")) for word in plain):
            self._unknown()
        elif not options & {"--version", "-v", "--help", "-h", "--init", "--showconfig"}:
            self.configs["."] = None

    def _unknown(self) -> None:
        if self.strict:
            raise _UnknownError


def _plain_words(words: Sequence[str]) -> Iterator[str]:
    """Words that are neither options nor values like `false`."""
    return (word for word in words if not word.startswith("-") and word not in {"true", "false"})
