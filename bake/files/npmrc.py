"""The settings that npm and pnpm read from an .npmrc. Pure: the file's text in, its options out.

Sources: docs.npmjs.com/cli/v11/configuring-npm/npmrc, npm's package `ini` and @npmcli/config, lib/env-replace.js.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

Npmrc: TypeAlias = Mapping[str, tuple[str, ...]]
"""Option -> its values; arrays (`key[] = a`) have several."""

_AS_WRITTEN: Mapping[str, str] = {}
_VARIABLE = re.compile(r"(?<!\\)(\\*)\$\{([^${}?]+)(\?)?\}")
_CREDENTIALS = frozenset(
    {"_auth", "_authtoken", "_password", "username", "email", "cert", "key", "certfile", "keyfile"}
)
"""Keys that are, or lead to, a credential. Source: docs.npmjs.com, npmrc, "Auth related configuration"."""


def parse_npmrc(text: str, env: Mapping[str, str] = _AS_WRITTEN) -> Npmrc:
    """An .npmrc (ini) as options; `${NAME}` is env's, or stays as it is (`${NAME?}`: empty) when unset."""
    options: dict[str, tuple[str, ...]] = {}
    for _, key, written in _settings(text):
        name, value = expand_variables(key, env), expand_variables(written, env)
        array = name.removesuffix("[]")
        options[array] = (value,) if array == name else (*options.get(array, ()), value)
    return options


def npmrc_option(options: Npmrc, key: str) -> str:
    """The value that counts of an option; "" for none and for `null`."""
    values = options.get(key, ())
    return values[-1] if values and values[-1] != "null" else ""


def wants_login(options: Npmrc) -> bool:
    """Whether a registry is named with credentials, be they only a variable that holds them."""
    return any(key.startswith("//") and key.rpartition(":")[2].startswith("_") for key in options)


def strip_credentials(text: str) -> str:
    """The lines of an .npmrc that npm reads, without those that are, or lead to, a credential."""
    return "".join(f"{line}\n" for line, key, value in _settings(text) if not _is_credential(key, value))


def expand_variables(text: str, env: Mapping[str, str]) -> str:
    """The text with `${NAME}` replaced as npm does; an odd number of backslashes before it keeps it."""

    def value(found: re.Match[str]) -> str:
        if len(found[1]) % 2:
            return found[0][(len(found[1]) + 1) // 2 :]
        return found[1][len(found[1]) // 2 :] + env.get(found[2], "" if found[3] else f"${{{found[2]}}}")

    return _VARIABLE.sub(value, text)


def _settings(text: str) -> Iterator[tuple[str, str, str]]:
    """(line, key, value) of each setting, before variables are put in."""
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if key.startswith("["):
            return  # what follows belongs to a section, and npm has no option in any
        if key and key[0] not in ";#":
            yield line, _bare(key), _bare(value) if equals else "true"


def _bare(text: str) -> str:
    """An ini word: quoted, or up to the first `;` or `#` that has no backslash before it."""
    word = text.strip()
    if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'":
        return word[1:-1]
    uncommented = re.split(r"(?<!\\)[;#]", word, maxsplit=1)[0].strip()
    return re.sub(r"\\([;#\\])", r"\1", uncommented)


def _is_credential(key: str, value: str) -> bool:
    named = key.lower().removesuffix("[]") in _CREDENTIALS
    return named or key.startswith("//") or re.search(r"://[^/]*@", value) is not None
