"""What of a package's folder goes into images: docker/carve.mjs's rule, for folders that it has not seen. Pure."""

import dataclasses
import re
from collections.abc import Callable, Sequence

from bake.plan import Output

_LIST = r"const {name} = (\[.*?\]);"
_ITEM = re.compile(r"'([^']*)'(?:\s*\+\s*'([^']*)')?")
_TOKEN = re.compile(r"\*\*/|\*\*|[*?{},]|[\[\]().+^$|\\]")
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The patterns of carve.mjs, under its own names."""

    never: tuple[str, ...]
    build_time: tuple[str, ...]
    typescript: tuple[str, ...]
    read_by_tsx: tuple[str, ...]


def parse_rules(script: str) -> Rules:
    """The pattern lists of carve.mjs's text: they stand there once, and every image is made by them.

    Raises LookupError when a list is not there.
    """
    return Rules(
        never=_patterns(script, "NEVER"),
        build_time=_patterns(script, "BUILD_TIME"),
        typescript=_patterns(script, "TYPESCRIPT"),
        read_by_tsx=_patterns(script, "READ_BY_TSX"),
    )


def _patterns(script: str, name: str) -> tuple[str, ...]:
    found = re.search(_LIST.format(name=name), script, re.S)
    if found is None:
        raise LookupError(f"carve.mjs has no list {name}")
    text = re.sub(r"^\s*//.*$", "", found[1], flags=re.M)
    return tuple(first + second for first, second in _ITEM.findall(text))


def keeper(rules: Rules, output: Output) -> Callable[[str], bool]:
    """A test for paths relative to the package: whether an image would have that file."""
    never = glob(rules.never)
    listed = glob(output.files if output.files is not None else ("**",))
    build_time = glob(() if output.files is not None else rules.build_time)
    typescript = glob(() if output.files is not None or output.sources else rules.typescript)
    read_by_tsx = glob(rules.read_by_tsx if output.sources else ())
    excluded = glob(output.exclude)
    others = frozenset(output.others)

    def keeps(path: str) -> bool:
        if any(never(path[:i]) or path[:i] in others for i in (*_slashes(path), len(path))):
            return False
        wanted = listed(path) and not excluded(path) and not typescript(path)
        return path == "package.json" or (wanted and (not build_time(path) or read_by_tsx(path)))

    return keeps


def _slashes(path: str) -> list[int]:
    return [i for i, char in enumerate(path) if char == "/"]


def glob(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A test for paths: `*` and `?` within a name, `**` across names, `{a,b}` either; a folder means all below it."""
    if not patterns:
        return lambda _path: False
    sources = (_translate(p.removeprefix("./").rstrip("/")) for p in patterns)
    expression = re.compile(f"(?:{'|'.join(sources)})(?:/.*)?", re.S)
    return lambda path: expression.fullmatch(path) is not None


def _translate(pattern: str) -> str:
    depth = 0

    def token(match: re.Match[str]) -> str:
        nonlocal depth
        text = match[0]
        depth = max(0, depth + {"{": 1, "}": -1}.get(text, 0))
        if text == ",":
            return "|" if depth else ","
        return _MEANING.get(text, f"\\{text}")

    return _TOKEN.sub(token, pattern)
