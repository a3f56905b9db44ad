"""What texts say: the values that readers make of them, which are stored as JSON. Pure."""

import re
from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

FoundKind = Literal["static", "require", "dynamic", "type", "elided", "computed", "file"]

SCRIPTS: Final = frozenset({".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"})
COMPONENTS: Final = frozenset({".vue", ".svelte"})
TYPESCRIPT: Final = frozenset({".ts", ".tsx", ".mts", ".cts"})


class Found(NamedTuple):
    """One import as written.

    specifier: "@x/y/sub", "./z", "node:fs". line: from 1.
    guarded: the code goes on without it (a `try` block, `.catch()`).
    kind, besides the plain ones:
      "elided": an import without the word `type` of which TypeScript keeps nothing in its output, as the file
        uses its names as types only; a compiler told to keep imports (verbatimModuleSyntax) keeps it;
      "computed": put together at run time; the specifier is how a template begins ("./jobs/"), or "";
      "file": no import, but text that may name a script which the code starts (a worker, a child process).
    """

    specifier: str
    line: int
    kind: FoundKind
    guarded: bool = False


class Text(NamedTuple):
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


class Paths(NamedTuple):
    """Paths in texts of a file. plain: which a process may mean from where it starts. together: joined to something."""

    plain: frozenset[str]
    absolute: frozenset[str]
    together: frozenset[str]


class Chosen(NamedTuple):
    """What code may load by a name in a text. taken: what stands where libraries take the name of a package, a logger's
    transport, the driver of a database. variables: those it names of the ones that a package manager gives a script.
    chooses: it loads what a variable names."""

    taken: frozenset[str]
    variables: frozenset[str]
    chooses: bool


class Write(NamedTuple):
    """A place that code writes to, as written: a plain path, or the parts that it joins to a base.

    folder: it makes the folder itself. named: by a name that the text gives a value. kept: a library keeps files there.
    """

    plain: str | None
    base: str | None
    parts: str | None
    folder: bool
    named: bool
    kept: bool


def sets(row: Iterable[Any]) -> Iterable[Any]:
    """The fields of a value as it was before it was stored: lists were sets."""
    return (frozenset(field) if isinstance(field, list) else field for field in row)


# `node -p 'module.builtinModules'` of Node 24, without those that exist with "node:" only.
_BUILTINS = """
_http_agent _http_client _http_common _http_incoming _http_outgoing _http_server _stream_duplex
_stream_passthrough _stream_readable _stream_transform _stream_wrap _stream_writable _tls_common
_tls_wrap assert assert/strict async_hooks buffer child_process cluster console constants crypto
dgram diagnostics_channel dns dns/promises domain events fs fs/promises http http2 https inspector
inspector/promises module net os path path/posix path/win32 perf_hooks process punycode querystring
readline readline/promises repl stream stream/consumers stream/promises stream/web string_decoder
sys timers timers/promises tls trace_events tty url util util/types v8 vm wasi worker_threads zlib
"""
BUILTINS: Final = frozenset(_BUILTINS.split())

_NAME = re.compile(r"(?:@[\w.-]+/)?[A-Za-z0-9_-][\w.-]*(?=/|$)", re.ASCII)


def package_name(specifier: str) -> str:
    """Reduce "@x/y/sub?raw" to "@x/y"; "" for what names no package: "./x", "node:fs", "#x", "virtual:x"."""
    plain = specifier.partition("?")[0]
    if ":" in plain or "!" in plain or plain in BUILTINS:
        return ""
    match = _NAME.match(plain)
    return match[0] if match else ""
