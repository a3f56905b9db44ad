"""What a process looked for and its image has not, and which of it `trace = "files"` has left out. Pure."""

import base64
import dataclasses
import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bake.images.traces import TracedPackage
from bake.plan import TREE

_LINE = re.compile(r"^bake-miss (\{.*\})\r?\n?", re.M)
_TAILS = ("", ".js", ".json", ".node", ".mjs", ".cjs", "/index.js", "/index.json", "/index.node")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A file that was not there, or a module that a file asked for in vain."""

    path: str = ""
    name: str = ""
    by: str = ""


def watching(environment: Mapping[str, str], program: str) -> Mapping[str, str]:
    """The environment with a program that tells of misses loaded first; it travels in the variable itself."""
    given = environment.get("NODE_OPTIONS", "")
    load = f"--import=data:text/javascript;base64,{base64.b64encode(program.encode()).decode()}"
    return {**environment, "NODE_OPTIONS": f"{given} {load}".strip()}


def parse_misses(log: str) -> tuple[tuple[Miss, ...], str]:
    """What a log tells of misses, and the log without that."""
    found = [one for text in _LINE.findall(log) if isinstance(one := _parsed(text), dict)]
    misses = (Miss(path=one.get("path", ""), name=one.get("name", ""), by=one.get("from", "")) for one in found)
    return tuple(dict.fromkeys(misses)), _LINE.sub("", log)


def _parsed(text: str) -> object:
    """A line's value; None of one that another process wrote into."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def lost(misses: Iterable[Miss], packages: Sequence[TracedPackage]) -> Iterator[tuple[Miss, str]]:
    """The misses that an image with all files would not have -> what to keep."""
    places = {each.place: each for each in packages}
    told: set[str] = set()
    for miss in misses:
        kept = _lost_module(miss, places) if miss.name else _lost_file(miss.path.removeprefix(f"{TREE}/"), places)
        if kept and kept not in told:
            told.add(kept)
            yield miss, kept


def _lost_module(miss: Miss, places: Mapping[str, TracedPackage]) -> str:
    folder = posixpath.dirname(miss.by).removeprefix(TREE).strip("/")
    if miss.name.startswith((".", "/")):
        path = posixpath.normpath(posixpath.join(f"/{folder}", miss.name.removeprefix(TREE))).strip("/")
        return next((kept for tail in _TAILS if (kept := _lost_file(path + tail, places))), "")
    words = miss.name.split("/")
    name, rest = "/".join(words[: 1 + miss.name.startswith("@")]), "/".join(words[1 + miss.name.startswith("@") :])
    while True:
        place = posixpath.join(folder, "node_modules", name)
        if place in places:
            if places[place].left == ("**",):
                return name
            inside = (posixpath.join(place, rest + tail) for tail in _TAILS) if rest else ()
            return next((kept for path in inside if (kept := _lost_file(path, places))), "")
        if not folder:
            return ""
        folder = posixpath.dirname(folder)


def _lost_file(path: str, places: Mapping[str, TracedPackage]) -> str:
    """What to keep for a path that the trace left out, "" where nobody has it."""
    place = max((p for p in places if path == p or path.startswith(f"{p}/")), key=len, default="")
    inside = path.removeprefix(place).strip("/")
    left = places[place].left if place else ()
    name = place.rpartition("node_modules/")[2]
    if left == ("**",):
        return name if inside in ("", "package.json") else ""
    if not inside or not any(file == inside or file.startswith(f"{inside}/") for file in left):
        return ""
    whole = inside if inside in left else f"{inside}/**"
    return f"node_modules/{name}/{whole}" if "node_modules/" in place else posixpath.join(place, whole)
