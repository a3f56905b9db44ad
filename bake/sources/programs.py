"""The programs that a supervisor's file or an image names, and what makes two of them the same. Pure."""

import configparser
import dataclasses
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import zip_longest

from bake.shell import Call, parse_call, parse_line, split_words, unwrap

_SCRIPT = re.compile(r"\.(?:[cm]?[jt]sx?|py|sh|json)$")
_FOLDERS = frozenset({"dist", "build", "out", "public"})
"""Words that name a folder of files to serve, not a subcommand."""

_JS_OBJECT = re.compile(r"(?<!\$)\{(?:\$\{[^{}]*\}|[^{}])*\}")
"""An object without one in it; what a template fills in is none."""
_DEEPEST = 8
_JS_STRING = r"'([^'\n]*)'|\"([^\"\n]*)\"|`([^`]*)`"
_JS_SPAWN = re.compile(rf"\b\w*(?i:spawn|execFile|fork|process|run|start)\w*\(\s*({_JS_STRING})\s*,\s*\[([^\]]*)\]")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One process that an image starts. directory: absolute, where it starts. env: what is set for it."""

    name: str
    words: tuple[str, ...]
    directory: str
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)


def identity(program: Program, root: str, packages: Iterable[str], scripts: Mapping[str, Mapping[str, str]]) -> str:
    """What a process is, however it is started: the first path of its command inside a package, else its program.

    `node services/x/dist/server.js` in /app and `node dist/server.js` in /app/services/x are the same. scripts: package
    path or name -> its npm scripts, so that `npm run start --workspace x` is what that script runs.
    """
    words, directory = plain_command(program.words, program.directory)
    if (call := parse_call(words)) and (found := _called(call, directory, root, scripts)):
        return identity(Program(name=program.name, words=found[0], directory=found[1]), root, packages, {})
    members = tuple(packages)
    for word in words[1:]:
        if path := _inside(word, directory, root, members):
            return path
    name = posixpath.basename(words[0]) if words else program.name
    script = next((w for w in words[1:] if _SCRIPT.search(w)), "") if name in ("node", "python", "sh", "bash") else ""
    return posixpath.relpath(posixpath.join(directory, script), root) if script else name


def plain_command(words: Sequence[str], directory: str) -> tuple[tuple[str, ...], str]:
    """The command behind shells, assignments and wrappers, and where it starts."""
    found = unwrap(words)
    while found.line:
        steps = parse_line(found.line)
        for step in steps[:-1]:
            if step.words[0] == "cd" and len(step.words) == 2:
                directory = posixpath.normpath(posixpath.join(directory, step.words[1]))
        found = unwrap(steps[-1].words if steps else ())
    return found.words, directory


def _called(
    call: Call, directory: str, root: str, scripts: Mapping[str, Mapping[str, str]]
) -> tuple[tuple[str, ...], str] | None:
    """The words of the script or command that is asked for, and where it starts."""
    named = call.packages[0] if call.packages else posixpath.relpath(directory, root)
    table = scripts.get(named, {})
    folder = next((p for p in scripts if scripts[p] is scripts.get(named) and not p.startswith("@")), named)
    if text := table.get(call.name):
        return ("sh", "-c", text), posixpath.join(root, folder)
    return ((call.name, *call.arguments), directory) if call.verb == "exec" or call.maybe else None


def _inside(word: str, directory: str, root: str, packages: Sequence[str]) -> str:
    """The word as a path from the root, when it lies in a package; "" otherwise."""
    if word.startswith("-") or not word:
        return ""
    path = posixpath.normpath(posixpath.join(directory, word))
    relative = path.removeprefix(f"{root.rstrip('/')}/")
    inside = relative != path and any(relative.startswith(f"{p}/" if p else "") for p in packages)
    return relative if inside and ("/" in word or word in _FOLDERS or _SCRIPT.search(word)) else ""


def parse_programs(path: str, text: str, directory: str) -> tuple[Program, ...]:
    """The programs that a supervisor's file names: supervisord, Procfile, JavaScript, or a shell script.

    A guess, told by the file's name and form; nothing for a file that names none. directory: where the image starts.
    """
    if re.search(r"^\[program:", text, re.M):
        return _supervisord(text, directory)
    if posixpath.basename(path).startswith("Procfile"):
        found = re.findall(r"^([\w-]+):[ \t]*(\S.*)$", text, re.M)
        return tuple(Program(name=n, words=_line_words(c.strip()), directory=directory) for n, c in found)
    if re.search(r"\.[cm]?[jt]s$|(?:^|/)(?:ecosystem|pm2|processes?)[^/]*\.json$", path):
        return _javascript(text, directory)
    if text.startswith("#!") and re.search(r"^#!.*\b(?:ba|da|a)?sh\b", text):
        return _shell(posixpath.basename(path), text, directory)
    return ()


def _line_words(line: str) -> tuple[str, ...]:
    """A line that a shell reads as words; it stays a shell's where it is more than one command."""
    return split_words(line) if len(parse_line(line)) == 1 else ("sh", "-c", line)


_PAIR = re.compile(r"(\w+)=[\"']?([^,\"'\n]*)[\"']?")


def _supervisord(text: str, directory: str) -> tuple[Program, ...]:
    """Source: supervisord.org/configuration.html, [program:x]."""
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",))
    try:
        parser.read_string(text)
    except configparser.Error:
        return ()
    sections = [s for s in parser.sections() if s.startswith("program:") and parser.has_option(s, "command")]
    return tuple(
        Program(
            name=section.removeprefix("program:"),
            words=split_words(parser.get(section, "command")),
            directory=parser.get(section, "directory", fallback=directory),
            env=dict(_PAIR.findall(parser.get(section, "environment", fallback=""))),
        )
        for section in sections
    )


_JS_PLACE = re.compile(
    r"\b(?:path\.)?(?:join|resolve)\(\s*(?:__dirname|import\.meta\.dirname|process\.cwd\(\))\s*,"
    rf"\s*((?:{_JS_STRING}|,|\s)+)\)"
    r"|`\$\{__dirname\}/([^`$]*)`|(?<![\w.])__dirname\s*\+\s*['\"]/?([^'\"]*)['\"]"
)
"""A path beside the file that names it."""


def _placed(found: re.Match[str]) -> str:
    path = posixpath.join(*_texts(found[1])) if found[1] else found[5] or found[6] or "."
    return f"'./{posixpath.normpath(path)}'"


def _javascript(text: str, directory: str) -> tuple[Program, ...]:
    """Object literals with a command (pm2's `script` too), and calls of spawn with literals."""
    text = _JS_PLACE.sub(_placed, re.sub(r":\s*__dirname(?=\s*[,}\n])", ": '.'", text))
    blocks = _js_objects(text)
    objects = [
        dataclasses.replace(program, env=_js_env(blocks, at))
        for at, block in blocks.items()
        if (program := _js_program(block, directory)) and not _MAYBE.search(text[:at])
    ]
    calls = [
        Program(name="", words=(_text(m[1]), *_texts(m[5])), directory=directory) for m in _JS_SPAWN.finditer(text)
    ]
    return (*objects, *calls)


_MAYBE = re.compile(r"(?:\?|&&)\s*\[?\s*$")
"""In front of an application that only some setting adds: `...(process.env.PREVIEW ? [{`."""
_JS_PAIR = re.compile(rf"(\w+)['\"]?\s*:\s*(?:({_JS_STRING})|(\d+|true|false))\s*(?=[,}}\n])")


def _js_env(blocks: Mapping[int, str], at: int) -> Mapping[str, str]:
    """The variables of a pm2 application: `env`, and what `env_production` has beside or instead."""
    inside = [(start, block) for start, block in blocks.items() if at < start < at + len(blocks[at])]
    found: dict[str, str] = {}
    for key in ("env", "env_production"):
        for start, block in inside:
            if re.search(rf"\b{key}['\"]?\s*:\s*$", blocks[at][: start - at]):
                found |= {m[1]: _text(m[2]) if m[2] else m[6] for m in _JS_PAIR.finditer(block)}
    return found


def _js_objects(text: str) -> Mapping[int, str]:
    """Every object literal without the objects in it (`env` of pm2's applications), by where it begins, in order."""
    found: dict[int, str] = {}

    def blank(match: re.Match[str]) -> str:
        found[match.start()] = match[0]
        return " " * len(match[0])

    for _ in range(_DEEPEST):
        text = _JS_OBJECT.sub(blank, text)
    return dict(sorted(found.items()))


def _js_program(block: str, directory: str) -> Program | None:
    fields = {m[1]: _texts(m[2]) for m in re.finditer(rf"\b(\w+)['\"]?\s*:\s*(\[[^\]]*\]|{_JS_STRING})", block)}
    command = fields.get("command") or fields.get("cmd") or fields.get("script") or fields.get("exec") or ()
    if not command or any("${" in word for word in command):
        return None
    words = split_words(command[0]) if len(command) == 1 else command
    args = fields.get("args", ())
    words = (*words, *(split_words(args[0]) if len(args) == 1 else args))
    given = fields.get("node_args") or fields.get("interpreter_args") or fields.get("nodeArgs") or ()
    options = split_words(given[0]) if len(given) == 1 else given
    runner = _interpreter(words[0], fields) if "script" in fields and "command" not in fields else ()
    words = (*runner, *(options if runner[:1] == ("node",) else ()), *words)
    cwd = (fields.get("cwd") or fields.get("directory") or (".",))[0]
    return Program(
        name=(fields.get("name") or ("",))[0],
        words=words,
        directory=posixpath.normpath(posixpath.join(directory, cwd)),
    )


def _interpreter(script: str, fields: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What pm2 runs a script with. Source: pm2.keymetrics.io/docs/usage/application-declaration."""
    given = (fields.get("interpreter") or fields.get("exec_interpreter") or ("",))[0]
    if given:
        return () if given == "none" else (given,)
    if script.endswith(".sh"):
        return ("bash",)
    return ("node",) if re.search(r"/|\.[cm]?js$", script) else ()


def _texts(source: str) -> tuple[str, ...]:
    return tuple(a or b or c for a, b, c in re.findall(_JS_STRING, source))


def _text(source: str) -> str:
    return (*_texts(source), "")[0]


def _shell(name: str, text: str, directory: str) -> tuple[Program, ...]:
    """Lines that start something in the background, and the one that the script becomes."""
    found: list[Program] = []
    for line in (each.strip() for each in text.splitlines()):
        if step := re.fullmatch(r"cd\s+(\S+)", line):
            directory = posixpath.normpath(posixpath.join(directory, step[1].strip("'\"")))
        elif (line.endswith("&") and not line.endswith("&&")) or line.startswith("exec "):
            inner, where = plain_command(("sh", "-c", line.strip("()& ")), directory)
            if inner and not inner[0].startswith(('"$', "$")):
                found.append(Program(name=name, words=inner, directory=where))
    return tuple(found)


# --- several beside each other --------------------------------------------------------------------------------

TOGETHER = frozenset({"concurrently", "run-p", "npm-run-all", "npm-run-all2"})
"""Commands that start several processes beside each other."""


def commands_beside(words: Sequence[str], scripts: Mapping[str, str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The commands that `concurrently` or `run-p` starts beside each other, by the names that it gives them.

    Source: the readmes of concurrently and npm-run-all.
    """
    words = unwrap(words).words
    if words and posixpath.basename(words[0]) in TOGETHER - {"concurrently"}:
        asked = [w for w in words[1:] if not w.startswith("-")]
        return tuple((name, ("npm", "run", name)) for each in asked for name in _matching(each, scripts))
    if not words or posixpath.basename(words[0]) != "concurrently":
        return ()
    at = next((n for n, word in enumerate(words) if word in {"-n", "--names"}), 0)
    given = [w for n, w in enumerate(words[1:], 1) if not (at and n == at + 1)]
    calls = [(w, re.fullmatch(r"(?:npm|pnpm|yarn|node):(\S+)", w)) for w in given]
    rows = [_matching(found[1], scripts) if found else [w] if " " in w else [] for w, found in calls]
    lines = [f"npm run {line}" if line in scripts else line for row in rows for line in row]
    names = words[at + 1].split(",") if at and at + 1 < len(words) else []
    return tuple((name, ("sh", "-c", line)) for name, line in zip_longest(names[: len(lines)], lines, fillvalue=""))


def _matching(pattern: str, scripts: Mapping[str, str]) -> Sequence[str]:
    """The scripts that a pattern names: `start:*` is all that begin so."""
    return [name for name in scripts if fnmatchcase(name, pattern)]
