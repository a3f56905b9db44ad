"""What the text of a file names: paths, modules, what a .proto file imports. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from posixpath import dirname, join, normpath
from typing import Final

from bake.files import begun_by

# Patterns begin with a fixed byte where they can: the search for it is many times as fast as that of alternatives.
_RELATIVE: Final = re.compile(
    rb"(\.(?<![\w./-]\.)(?:(?:/(?:\.\./)+|\./(?:\.\./)*)[\w@.+()\[\]-]*(?:/[\w@.+()\[\]-]+)*|/[\w@./+()\[\]-]+))"
)
_SPLIT: Final = re.compile(rb"""["']\.\.["'](?:\s*,\s*["'][\w@./+-]+["'])+""")
_CLIMBS: Final = re.compile(rb"""\.\./?["'`]""")
"""What both _SPLIT and _UPWARD have, and most texts have not."""
_PROTO: Final = re.compile(rb"""^\s*import\s+(?:public\s+|weak\s+)?"([\w./-]+)"\s*;""", re.M)
_UPWARD: Final = re.compile(rb"""["'`]((?:\./)?\.\.(?:/\.\.)*)/?["'`]((?:\s*,\s*["'`]\.\.["'`])*)""")
_JOINED: Final = re.compile(rb""",(\s*["'`][\w@.+-][\w@./+-]*["'`](?:\s*,\s*["'`][\w@./+-]+["'`])*)\s*\)""")
_QUOTED: Final = tuple(
    begun_by(word, rest + rb"""\s*["'`]([@~#$\w][^"'`\s*]*)["'`]""")
    for word, rest in (
        (b"from", b""),
        (b"import", rb"(?:\s*\()?"),
        (b"require", rb"(?:\.resolve)?\s*\("),
        (b"use", b"(?<=@use)"),
    )
)
_PATH: Final = re.compile(rb"""["'`]((?:\./)?[\w@+-][\w@.+-]*(?:/[\w@.+-]+)+|[\w@+-][\w@.+-]*\.\w+)["'`]""")
_ABSOLUTE: Final = re.compile(rb"""["'`](/[\w@.+-]+(?:/[\w@.+-]+)*)/?["'`]""")
_SEEKS: Final = re.compile(
    rb"\bfind-?[uU]p|\bpkg-?[uU]p\b|\blocate-?[pP]ath|\bfind\w*Root\b|\bdirname\(\s*(\w+)\s*\)\s*[!=]==?\s*\1\b"
    rb"|\b(\w+)\s*[!=]==?\s*(?:\w+\.)?dirname\(\s*\2\b"
)
_SEEKING: Final = (b"dirname(", b"find-", b"findUp", b"findup", b"pkg-", b"pkgUp", b"locate", b"Root")
"""What one of these calls has in any case: most texts have none."""
_NAME: Final = re.compile(rb"""["'`]([\w@.+-]*\w\.\w+|\.\w[\w.-]+)["'`]""")
_GAP: Final = rb"""(?:\s|/\*.*?\*/|//[^\n]*\n)*["'`]([^"'`\s]+)["'`]"""
_MODULE: Final = tuple(
    begun_by(word, rest + _GAP)
    for word, rest in (
        (b"from", b""),
        (b"import", rb"(?:\s*\(|\s+(?:type\s+)?[\w$]+\s*=\s*require\s*\()?"),
        (b"module", b""),
    )
)
_REQUIRED: Final = begun_by(b"require", rb"\s*\(" + _GAP)
_COMPUTED: Final = tuple(
    begun_by(word, rb"\s*\((?!\s*[\"'`][^\"'`$]*[\"'`]\s*[,)])") for word in (b"require", b"import")
)
_REFERENCE: Final = re.compile(rb"""^\s*///\s*<reference\s+(?:path|types)\s*=\s*["']([^"']+)["']""", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What a file names.

    relative: as it stands there. joined: from the root. quoted: names in code. protos: what a .proto file imports.
    sought: files that it looks for in the folders above. modules: what TypeScript looks for. required: what only
    JavaScript does. computes: code loads what stands nowhere.
    """

    relative: frozenset[str]
    joined: frozenset[str]
    quoted: frozenset[str]
    protos: frozenset[str]
    sought: frozenset[str]
    modules: frozenset[str]
    required: frozenset[str]
    computes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Paths in texts of a file. plain: which a process may mean from where it starts. together: joined to something."""

    plain: frozenset[str]
    absolute: frozenset[str]
    together: frozenset[str]


def parse_text(path: str, text: bytes) -> Text:
    """Read what a file names. path: from the root."""
    return Text(
        relative=_texts(_RELATIVE, text) | _split(text),
        joined=_joined_later(path, text),
        quoted=_texts_of(_QUOTED, text),
        protos=_texts(_PROTO, text) if path.endswith(".proto") else frozenset(),
        sought=_sought(text),
        modules=_texts_of(_MODULE, text) | (_texts(_REFERENCE, text) if b"<reference" in text else frozenset()),
        required=_texts(_REQUIRED, text),
        computes=any(pattern.search(text) for pattern in _COMPUTED),
    )


def _sought(text: bytes) -> frozenset[str]:
    """Names of files in code that walks upwards; package.json where it is the workspace's, not its own package's."""
    seeks = any(word in text for word in _SEEKING) and _SEEKS.search(text)
    found = _texts(_NAME, text) if seeks else frozenset()
    return found if b"workspaces" in text else found - {"package.json"}


def parse_paths(text: bytes) -> Paths:
    """Read the paths in a file's texts."""
    return Paths(plain=_texts(_PATH, text), absolute=_texts(_ABSOLUTE, text), together=_put_together(text))


def _put_together(text: bytes) -> frozenset[str]:
    return frozenset("/".join(_words(part)) for part in _JOINED.findall(text))


def relative_paths(text: str) -> frozenset[str]:
    """Return the paths in a text that begin with a dot."""
    return _texts(_RELATIVE, text.encode("utf-8", "replace"))


def _split(text: bytes) -> frozenset[str]:
    """What is joined in one place: `join('..', 'proto')`."""
    if not _CLIMBS.search(text):
        return frozenset()
    return frozenset("/".join(_words(part)) for part in _SPLIT.findall(text))


def _joined_later(path: str, text: bytes) -> frozenset[str]:
    """What is joined in one place to what leads upwards in another: `join(root, 'proto')`."""
    if not _CLIMBS.search(text):
        return frozenset()
    upward = {match[1].decode() + "/.." * match[2].count(b"..") for match in _UPWARD.finditer(text)}
    bases = {base for up in upward if not (base := normpath(join(dirname(path), up))).startswith("..")}
    names = _put_together(text) if bases else ()
    return frozenset(normpath(join(base, name)) for base in bases for name in names)


def _texts(pattern: re.Pattern[bytes], text: bytes) -> frozenset[str]:
    return frozenset(found.decode("utf-8", "replace") for found in pattern.findall(text))


def _texts_of(patterns: Iterable[re.Pattern[bytes]], text: bytes) -> frozenset[str]:
    return frozenset().union(*(_texts(pattern, text) for pattern in patterns))


def _words(part: bytes) -> tuple[str, ...]:
    return tuple(word.decode("utf-8", "replace") for word in re.findall(rb"""["']([^"']+)["']""", part))
