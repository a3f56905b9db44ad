"""What stands in quotes in a text, and what of it code may load. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from bake.texts.patterns import begun_by
from bake.texts.said import Chosen

_QUOTED = re.compile(rb"""["'`](@[\w.-]+/[\w.-]+|\w[\w.-]*)["'`/]""")
_VALUE = re.compile(rb""":\s*['"`](@[\w.-]+/[\w.-]+|[\w][\w.-]*)['"`]""")
_KEY = re.compile(
    rb"\b(?:target|transport|driver|dialect|client|adapter|engine|provider|plugin|preset|loader|store|module)"
    rb"""\w*['"]?\s*\Z"""
)
_LONGEST: Final = 80  # bytes before a colon that a key is looked for in
_RESOLVED = begun_by(b"require", rb"""\.resolve\(\s*['"`](@[\w.-]+/[\w.-]+|[\w][\w.-]*)['"`/]""")
_CHOSEN: Final = tuple(begun_by(word, rb"\s*\(\s*(?:/\*[^*]*\*/\s*)?[A-Za-z_$`(]") for word in (b"import", b"require"))
"""Code that loads what a variable names."""
_OF_SCRIPTS = re.compile(rb"npm_package_\w+")
"""Variables that package managers give the process of a script."""


def parse_quoted(text: bytes) -> frozenset[str]:
    """Every text in quotes that may name a package."""
    return _decoded(_QUOTED.findall(text))


def parse_chosen(text: bytes) -> Chosen:
    """What code may load by a name in a text."""
    return Chosen(
        taken=_decoded(_taken(text)),
        variables=_decoded(_OF_SCRIPTS.findall(text)),
        chooses=any(pattern.search(text) for pattern in _CHOSEN),
    )


def _taken(text: bytes) -> Iterator[bytes]:
    """Yield what stands where the name of a package is taken: the value of a telling key, and what is resolved."""
    for value in _VALUE.finditer(text):
        if _KEY.search(text, max(0, value.start() - _LONGEST), value.start()):
            yield value[1]
    yield from _RESOLVED.findall(text)


def _decoded(names: Iterable[bytes]) -> frozenset[str]:
    return frozenset(name.decode("ascii", "replace") for name in names)
