"""The programs that a supervisor's file or an image names, and what makes two of them the same. Pure."""

import configparser
import dataclasses
import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

_STEPS = re.compile(r"\s*(?:&&|\|\||;|\n)\s*")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_SCRIPT = re.compile(r"\.(?:[cm]?[jt]sx?|py|sh|json)$")
_WRAPPERS = frozenset({"exec", "env", "nice", "tini", "dumb-init", "--", "npx"})
_FOLDERS = frozenset({"dist", "build", "out", "public"})
"""Words that name a folder of files to serve, not a subcommand."""

_JS_OBJECT = re.compile(r"\{[^{}]*\}")
_JS_STRING = r"'([^'\n]*)'|\"([^\"\n]*)\"|`([^`]*)`"
_JS_SPAWN = re.compile(rf"\b(?:spawn|execFile|fork)\(\s*({_JS_STRING})\s*,\s*\[([^\]]*)\]")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One process that an image starts. directory: absolute, where it starts."""

    name: str
    words: tuple[str, ...]
    directory: str


def identity(program: Program, root: str, packages: Iterable[str], scripts: Mapping[str, Mapping[str, str]]) -> str:
    """What a process is, however it is started: the first path of its command inside a package, else its program.

    `node services/x/dist/server.js` in /app and `node dist/server.js` in /app/services/x are the same. scripts: package
    path or name -> its npm scripts, so that `npm run start --workspace x` is what that script runs.
    """
    words, directory = _simple(program.words, program.directory)
    if words and words[0] in ("npm", "pnpm", "yarn") and (found := _script(words, directory, root, scripts)):
        inner = Program(name=program.name, words=tuple(shlex.split(found[0])), directory=found[1])
        return identity(inner, root, packages, {})
    members = tuple(packages)
    for word in words[1:]:
        if path := _inside(word, directory, root, members):
            return path
    name = posixpath.basename(words[0]) if words else program.name
    script = next((w for w in words[1:] if _SCRIPT.search(w)), "") if name in ("node", "python", "sh", "bash") else ""
    return posixpath.relpath(posixpath.join(directory, script), root) if script else name


def _simple(words: Sequence[str], directory: str) -> tuple[tuple[str, ...], str]:
    """The command behind shells, assignments and wrappers, and where it starts."""
    rest = list(words)
    while rest:
        if (
            posixpath.basename(rest[0]) in ("sh", "bash", "ash", "dash")
            and len(rest) > 2
            and re.fullmatch(r"-\w*c", rest[1])
        ):
            return _last_step(rest[2], directory)
        if not (_ASSIGNMENT.match(rest[0]) or posixpath.basename(rest[0]) in _WRAPPERS):
            break
        rest.pop(0)
    return tuple(rest), directory


def _last_step(text: str, directory: str) -> tuple[tuple[str, ...], str]:
    """The last command of a shell line, after the `cd` before it."""
    *before, last = _STEPS.split(text.strip())
    for step in before:
        if found := re.fullmatch(r"cd\s+(\S+)", step):
            directory = posixpath.normpath(posixpath.join(directory, found[1].strip("'\"")))
    return _simple(_split(last), directory)


def _split(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text, comments=True))
    except ValueError:
        return tuple(text.split())


def _script(
    words: Sequence[str], directory: str, root: str, scripts: Mapping[str, Mapping[str, str]]
) -> tuple[str, str] | None:
    """The text of the npm script that the words run, and its package's folder."""
    line = " ".join(words)
    named = re.search(r"(?:--workspace[= ]|-w[= ]?|--prefix[= ]|--filter[= ]|\bworkspace )(\S+)", line)
    package = posixpath.normpath(named[1]) if named else posixpath.relpath(directory, root)
    plain = [w for w in words[1:] if not w.startswith("-") and w not in ("run", "workspace", named[1] if named else "")]
    text = scripts.get(package, {}).get(plain[0] if plain else "start")
    folder = next((p for p in scripts if scripts[p] is scripts.get(package) and not p.startswith("@")), package)
    return (text, posixpath.join(root, folder)) if text else None


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
        found = re.findall(r"^([\w-]+):\s*(.+)$", text, re.M)
        return tuple(Program(name=n, words=_split(c), directory=directory) for n, c in found)
    if re.search(r"\.[cm]?[jt]s$", path):
        return _javascript(text, directory)
    if text.startswith("#!") and re.search(r"^#!.*\b(?:ba|da|a)?sh\b", text):
        return _shell(posixpath.basename(path), text, directory)
    return ()


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
            words=_split(parser.get(section, "command")),
            directory=parser.get(section, "directory", fallback=directory),
        )
        for section in sections
    )


def _javascript(text: str, directory: str) -> tuple[Program, ...]:
    """Object literals with a command (pm2's `script` too), and calls of spawn with literals."""
    objects = [p for block in _JS_OBJECT.findall(text) if (p := _js_program(block, directory))]
    calls = [
        Program(name="", words=(_text(m[1]), *_texts(m[5])), directory=directory) for m in _JS_SPAWN.finditer(text)
    ]
    return (*objects, *calls)


def _js_program(block: str, directory: str) -> Program | None:
    fields = {m[1]: _texts(m[2]) for m in re.finditer(rf"\b(\w+)['\"]?\s*:\s*(\[[^\]]*\]|{_JS_STRING})", block)}
    command = fields.get("command") or fields.get("cmd") or fields.get("script") or fields.get("exec") or ()
    if not command:
        return None
    words = _split(command[0]) if len(command) == 1 else command
    args = fields.get("args", ())
    words = (*words, *(_split(args[0]) if len(args) == 1 else args))
    words = ("node", *words) if "script" in fields and "command" not in fields else words
    cwd = (fields.get("cwd") or fields.get("directory") or (".",))[0]
    return Program(
        name=(fields.get("name") or ("",))[0],
        words=words,
        directory=posixpath.normpath(posixpath.join(directory, cwd)),
    )


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
            inner, where = _last_step(line.strip("()& "), directory)
            if inner and not inner[0].startswith(('"$', "$")):
                found.append(Program(name=name, words=inner, directory=where))
    return tuple(found)
