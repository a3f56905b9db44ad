"""The readers of texts. Their patterns and grammars are loaded for the first text that is read."""

from collections.abc import Callable
from dataclasses import dataclass
from posixpath import splitext
from typing import Any, Final, Generic, TypeVar

from bake.texts.said import Chosen, Found, Paths, Text, Write, sets

T_co = TypeVar("T_co", covariant=True)

LARGEST: Final = 1 << 18
"""Bytes of a text; larger files are data or bundles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader(Generic[T_co]):
    """A way to read texts. name: of its values among those that are stored.

    parse: what the text of a file at a path says, which is told by these two alone. unpack: that value, of what JSON
    makes of it. most: bytes beyond which a file is as one without a text; None where any counts.
    """

    name: str
    parse: Callable[[str, bytes], T_co]
    unpack: Callable[[Any], T_co]
    most: int | None = LARGEST


def _imports(path: str, text: bytes) -> tuple[Found, ...]:
    from bake.texts.scan import scan

    return scan(text.decode("utf-8", "replace"), suffix=splitext(path)[1])


def _text(path: str, text: bytes) -> Text:
    from bake.texts.names import parse_text

    return parse_text(path, text)


def _paths(_path: str, text: bytes) -> Paths:
    from bake.texts.names import parse_paths

    return parse_paths(text)


def _globs(_path: str, text: bytes) -> bool:
    from bake.texts.names import globs

    return globs(text)


def _quoted(_path: str, text: bytes) -> frozenset[str]:
    from bake.texts.words import parse_quoted

    return parse_quoted(text)


def _chosen(_path: str, text: bytes) -> Chosen:
    from bake.texts.words import parse_chosen

    return parse_chosen(text)


def _writes(_path: str, text: bytes) -> tuple[Write, ...]:
    from bake.texts.writes import parse_writes

    return parse_writes(text.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n"))


IMPORTS: Final = Reader(
    name="imports", parse=_imports, unpack=lambda rows: tuple(Found(*row) for row in rows), most=None
)
NAMES: Final = Reader(name="names", parse=_text, unpack=lambda row: Text(*sets(row)))
PATHS: Final = Reader(name="paths", parse=_paths, unpack=lambda row: Paths(*sets(row)))
GLOBS: Final = Reader(name="globs", parse=_globs, unpack=bool, most=None)
QUOTED: Final = Reader(name="quoted", parse=_quoted, unpack=frozenset[str])
CHOSEN: Final = Reader(name="chosen", parse=_chosen, unpack=lambda row: Chosen(*sets(row)))
WRITES: Final = Reader(name="writes", parse=_writes, unpack=lambda rows: tuple(Write(*row) for row in rows))
