"""Templates that a workspace keeps as its own, and whether bake's have changed since. Pure."""

import difflib
import hashlib
import re
from collections.abc import Mapping

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


def changes(old: str, new: str, file: str) -> str:
    """What bake changed in a template, as a diff that `patch` applies to the copy. file: the copy's path."""
    lines = difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), file, file)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
