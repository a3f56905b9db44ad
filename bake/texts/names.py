"""What the text of a file names: paths, modules, what a .proto file imports. Pure."""

import re
from collections.abc import Iterable
from posixpath import dirname, join, normpath
from typing import Final

from bake.texts.patterns import RELATIVE, begun_by, texts_of
from bake.texts.said import Paths, Text

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
_GLOBBING: Final = re.compile(rb"import\.meta\.glob|require\.context\s*\(|webpackContext")
_REFERENCE: Final = re.compile(rb"""^\s*///\s*<reference\s+(?:path|types)\s*=\s*["']([^"']+)["']""", re.M)


def parse_text(path: str, text: bytes) -> Text:
    """Read what a file names. path: from the root."""
    return Text(
        relative=texts_of(RELATIVE, text) | _split(text),
        joined=_joined_later(path, text),
        quoted=_all_texts(_QUOTED, text),
        protos=texts_of(_PROTO, text) if path.endswith(".proto") else frozenset(),
        sought=_sought(text),
        modules=_all_texts(_MODULE, text) | (texts_of(_REFERENCE, text) if b"<reference" in text else frozenset()),
        required=texts_of(_REQUIRED, text),
        computes=any(pattern.search(text) for pattern in _COMPUTED),
    )


def _sought(text: bytes) -> frozenset[str]:
    """Names of files in code that walks upwards; package.json where it is the workspace's, not its own package's."""
    seeks = any(word in text for word in _SEEKING) and _SEEKS.search(text)
    found = texts_of(_NAME, text) if seeks else frozenset()
    return found if b"workspaces" in text else found - {"package.json"}


def parse_paths(text: bytes) -> Paths:
    """Read the paths in a file's texts."""
    return Paths(plain=texts_of(_PATH, text), absolute=texts_of(_ABSOLUTE, text), together=_put_together(text))


def globs(text: bytes) -> bool:
    """Whether code has a bundler look for files by a pattern."""
    return _GLOBBING.search(text) is not None


def _put_together(text: bytes) -> frozenset[str]:
    return frozenset("/".join(_words(part)) for part in _JOINED.findall(text))


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


def _all_texts(patterns: Iterable[re.Pattern[bytes]], text: bytes) -> frozenset[str]:
    return frozenset().union(*(texts_of(pattern, text) for pattern in patterns))


def _words(part: bytes) -> tuple[str, ...]:
    return tuple(word.decode("utf-8", "replace") for word in re.findall(rb"""["']([^"']+)["']""", part))
