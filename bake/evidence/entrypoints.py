"""What a shell script becomes: the process that it ends in, what runs before it and beside it. Pure."""

import posixpath
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bake.evidence.dockerfiles import substitute
from bake.shell import EXECUTORS, KEYWORDS, MANAGERS, Step, parse_line, unwrap
from bake.sources import TOGETHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Becomes:
    """The process that a script ends in.

    words: its command, () when it cannot be told. passes: it becomes its own arguments (`exec "$@"`). execs: the
    process takes its place, so that it gets signals. before: commands that ran first. beside: processes that go on in
    the background. directory: where it went, from where it began.
    """

    words: tuple[str, ...] = ()
    passes: bool = False
    execs: bool = False
    directory: str = ""
    before: tuple[str, ...] = ()
    beside: tuple[tuple[str, ...], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    """Variables that the script sets for it."""


def read_script(text: str, arguments: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Becomes:
    """Read a script as it runs with these arguments and variables; `case` and `if` on them are followed."""
    plain = _plain(text)
    known = {**(env or {}), **({"1": arguments[0]} if arguments else {})}
    known |= dict(_assigned(plain, known))
    plain = _decided(_followed(plain, known), known)
    known |= dict(_assigned(plain, known))
    steps = tuple(_levelled(plain))
    beside = tuple(s.words for _, s in steps if s.joint == "&" and _is_process(s.words))
    front = [(level, s) for level, s in steps if s.joint != "&"]
    execs = [(level, s) for level, s in front if s.words[0] == "exec" and s.words[1:]]
    outer = [s for level, s in execs if level == 0]
    last = next((s for level, s in reversed(front) if level == 0), None)
    branches = [s for _, s in execs or front if _is_process(s.words)]
    if outer:
        end: Step | None = outer[0]
    elif not execs and last and _is_process(last.words):
        end = last
    else:
        # Branches that differ in options only start the same program; the last one is what runs without settings.
        end = branches[-1] if len({_program(s.words) for s in branches}) == 1 else None
    if end is None or any(end.text in loop for loop in _LOOP.findall(plain)):
        # What it waits for in the background, beside a file server, is the process.
        alone = beside[:1] if len({*beside}) == 1 and _AWAITS.search(plain) else ()
        front_steps = (s.text for _, s in front if alone and _is_process(s.words))
        return Becomes(words=alone[0], before=tuple(front_steps)) if alone else Becomes(beside=beside)
    words = end.words[1:] if end.words[0] == "exec" else end.words
    passes = bool(_ARGUMENTS.fullmatch(words[0]))
    shifted = sum(s.words[0] == "shift" for level, s in steps[: [s for _, s in steps].index(end)] if not level)
    words = words if passes else tuple(_given(words, arguments[shifted:]))
    return Becomes(
        words=() if passes else words,
        passes=passes,
        execs=end.words[0] == "exec",
        directory=_directory(s for level, s in front if level == 0 and s is not end),
        before=tuple(
            s.text
            for _, s in front
            if s.words[0] != "exec" and _is_process(s.words) and _program(s.words) != _program(end.words)
        ),
        beside=beside,
        env=tuple((n, known[n]) for n in _EXPORTED.findall(plain) if n in known and n not in (env or {})),
    )


_AWAITS = re.compile(r"^[ \t]*wait\b", re.M)
_LOOP = re.compile(r"\b(?:while|until|for)\b.*?\bdo\b.*?\bdone\b", re.S)
"""What a shell does again and again: nothing that the script becomes."""
_ARGUMENTS = re.compile(r"\$@|\$\{@\}|\$\*|\$\{1\+\$@\}")
_FUNCTION = re.compile(r"^([ \t]*)(?:function\s+)?[\w-]+\s*\(\)\s*\{.*?^\1\}[ \t]*$", re.M | re.S)
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1([^\n]*)\n.*?^\s*\2[ \t]*$", re.M | re.S)
_CASE = re.compile(r"^[ \t]*case\s+(?P<what>\S+)\s+in\b(?P<branches>.*?)^[ \t]*esac\b", re.M | re.S)
_BRANCH = re.compile(r"^[ \t]*\(?(?P<patterns>[^()\n]+?)\s*\)(?P<body>.*?)(?:;;|\Z)", re.M | re.S)


def _plain(text: str) -> str:
    return _HEREDOC.sub(r"\3", _FUNCTION.sub("", re.sub(r"^\s*#[^\n]*$", "", text, flags=re.M)))


_ASSIGNED = re.compile(r"^(?:export[ \t]+)?(\w+)=(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"';&|]*)(?=[ \t]*(?:$|;|&&))", re.M)


def _given(words: Sequence[str], arguments: Sequence[str]) -> Iterator[str]:
    """A command with the script's arguments where it names them."""
    for word in words:
        yield from arguments if _ARGUMENTS.fullmatch(word) else (word,)


_EXPORTED = re.compile(r"^export[ \t]+(\w+)=", re.M)


def _assigned(text: str, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that a script gives values that are told, before anything depends on them."""
    values = dict(known)
    for name, value in _ASSIGNED.findall(text):
        plain = value if value.startswith("'") else substitute(value, values)
        if "$" not in plain and "`" not in plain:
            values[name] = plain.strip("\"'")
            yield name, values[name]


def _followed(text: str, known: Mapping[str, str]) -> str:
    """The text with the branch of each `case` on a known variable in its place; other ones are left out."""

    def branch(found: re.Match[str]) -> str:
        value = substitute(found["what"].strip("\"'"), known)
        for each in _BRANCH.finditer(found["branches"]) if "$" not in value else ():
            patterns = (p.strip().strip("\"'") for p in each["patterns"].split("|"))
            if any(fnmatchcase(value, p) for p in patterns):
                return each["body"]
        return ""

    return _CASE.sub(branch, text)


_IF = re.compile(
    r"^(?P<indent>[ \t]*)if[ \t]+(?P<test>[^\n;]+?)[ \t]*(?:;[ \t]*|\n\s*)then\b(?P<body>.*?)^(?P=indent)fi\b",
    re.M | re.S,
)
_ELSE = r"^{}(?:elif[ \t]+([^\n;]+?)[ \t]*(?:;[ \t]*|\n\s*)then|else)\b"
_TEST = re.compile(r"(?:\[\[?|test)\s+(?P<left>\S+)\s+(?P<sign>==?|!=)\s+(?P<right>\S+?)\s*(?:\]\]?)?")


def _decided(text: str, known: Mapping[str, str]) -> str:
    """The text with the branch that is taken in the place of each `if` that known variables decide."""

    def branch(found: re.Match[str]) -> str:
        parts = re.split(_ELSE.format(re.escape(found["indent"])), found["body"], flags=re.M)
        tests = [found["test"], *parts[1::2]]
        for test, body in zip(tests, parts[0::2], strict=True):
            holds = True if test is None else _holds(test, known)
            if holds is None:
                return found[0]
            if holds:
                return _decided(textwrap.dedent(body), known)
        return ""

    return _IF.sub(branch, text)


def _holds(test: str, known: Mapping[str, str]) -> bool | None:
    """Whether a comparison holds, None when that is not known."""
    found = _TEST.fullmatch(test.strip())
    if not found or "$" not in found["left"]:
        return None
    left, right = (substitute(found[side].strip("\"'"), known) for side in ("left", "right"))
    return None if "$" in left + right else (left == right) == (found["sign"] != "!=")


def _levelled(text: str) -> Iterator[tuple[int, Step]]:
    """Simple commands, and inside how many conditions and loops each is."""
    level = 0
    for step in parse_line(text) or tuple(s for line in text.splitlines() for s in parse_line(line)):
        words = step.words
        while words and words[0] in KEYWORDS:
            level += (words[0] in {"if", "for", "while", "until", "{"}) - (words[0] in {"fi", "done", "}"})
            words = words[1:] if words[0] not in {"for", "if", "while", "until", "elif"} else ()
        if words:
            text = re.sub(rf"^(?:(?:{'|'.join(map(re.escape, KEYWORDS))})\s+)+", "", step.text)
            yield level, Step(text=text, words=words, joint=step.joint, expands=step.expands)


TIMERS = frozenset({"supercronic", "crond", "cron"})
"""Commands that start others at the times of a table."""
_STARTS = frozenset({"node", "tsx", "ts-node", "next", "nuxt", "nest", "pm2-runtime", "supervisord", "prisma", "exec"})


def _is_process(words: Sequence[str]) -> bool:
    """Whether a command does a program's work, rather than preparing the shell."""
    rest = unwrap(words).words
    if not rest:
        return False
    name = posixpath.basename(rest[0])
    if name in TOGETHER | TIMERS:
        return True
    own = rest[0].startswith(("./", "/app/")) or name.endswith((".sh", ".js", ".mjs"))
    return name in _STARTS or name in MANAGERS or name in EXECUTORS or own or bool(_ARGUMENTS.fullmatch(rest[0]))


def _program(words: Sequence[str]) -> str:
    """What a command runs: its file, or its first word."""
    files = (w for w in words if re.search(r"\.[cm]?[jt]sx?$", w) and not w.startswith("-"))
    return next(reversed([*files]), words[1] if words[0] == "exec" else words[0])


def _directory(steps: Iterator[Step]) -> str:
    moves = [s.words[1] for s in steps if s.words[0] == "cd" and len(s.words) == 2 and "$" not in s.words[1]]
    return posixpath.normpath(posixpath.join("", *moves)) if moves else ""
