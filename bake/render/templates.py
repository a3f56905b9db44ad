"""The templates that ship with bake, those that a workspace keeps as its own, and whether bake's have changed since."""

import hashlib
import re
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

_HEADER = re.compile(
    r"\A\{#- bake eject: (?P<name>\S+) of bake (?P<version>\S+), sha256 (?P<hash>[0-9a-f]{64})\..*?-#\}\n", re.S
)


def make_ejected(name: str, text: str, version: str) -> str:
    """A copy of a template with a header that says what it was copied from; rendering drops the header."""
    return (
        f"{{#- bake eject: {name} of bake {version}, sha256 {_hash(text)}.\n"
        "    Change it freely; bake renders this file instead of its own. Keep these lines: by them bake tells\n"
        "    when its own has changed since (`bake eject --diff`). -#}\n" + text
    )


def strip_header(text: str) -> str:
    """The template as it is without the header."""
    return _HEADER.sub("", text)


def behind(ejected: Mapping[str, str], own: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the copies whose original has changed; a copy without its header is taken as it is."""
    found = ((name, _HEADER.match(text)) for name, text in ejected.items())
    return tuple(name for name, header in found if header and header["hash"] != _hash(own[name]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def template_names(folder: str) -> tuple[str, ...]:
    """The names of the files in a folder that ships with bake."""
    return tuple(sorted(each.name for each in _shipped(folder).iterdir() if each.is_file()))


def template_text(name: str) -> str:
    """The text of a file that ships with bake."""
    return _shipped(name).read_text(encoding="utf-8")


def _shipped(name: str) -> Traversable:
    """A file or folder that ships with bake: in the wheel below bake/templates, in a checkout at its root."""
    installed = resources.files("bake") / "templates" / name
    return installed if installed.is_file() or installed.is_dir() else Path(__file__).parents[2] / name
