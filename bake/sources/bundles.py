"""What bundlers on a package's command lines make of which source. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from posixpath import basename, dirname, normpath, splitext
from typing import Final

from bake.shell import parse_line, unwrap

_BUNDLERS: Final = frozenset({"esbuild", "bun", "ncc", "rollup"})
_RUN_BY: Final = frozenset({"bunx", "npx", "pnpm", "yarn"})
_OUTPUT: Final = re.compile(r"(?:--(?:outfile|outdir|out|file|dir)|-o|-d)(?:=(?P<value>.+))?")
_SCRIPT: Final = re.compile(r"[^-].*\.[cm]?[jt]sx?")


def bundled_sources(scripts: Iterable[str], path: str) -> Iterator[str]:
    """Yield the sources of which a script has a file made: `esbuild --bundle src/a.ts --outfile=dist/b.cjs`."""
    for step in (step for text in scripts for step in parse_line(text)):
        words = unwrap(step.words).words
        words = words[1:] if words and words[0] in _RUN_BY else words
        if words and words[0] in _BUNDLERS:
            sources = (normpath(word) for word in words[1:] if _SCRIPT.fullmatch(word))
            outputs = {normpath(output) for output in _outputs(words)}
            yield from (s for s in sources if s != path and (path in outputs or _is_called(s, path, outputs, words[0])))


def _outputs(words: Sequence[str]) -> Iterator[str]:
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if found := _OUTPUT.fullmatch(word):
            yield found["value"] or following


def _is_called(source: str, path: str, folders: Iterable[str], bundler: str) -> bool:
    """Whether a file in an output folder is called after its source; ncc calls all of them index."""
    name = "index" if bundler == "ncc" else splitext(basename(source))[0]
    return dirname(path) in folders and splitext(basename(path))[0] == name
