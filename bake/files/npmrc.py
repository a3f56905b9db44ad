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
_KEPT = frozenset(
    re.findall(
        r"\S+",
        """
    allow-remote allow-scripts audit auto-install-peers before bin-links block-exotic-subdeps ca cafile catalog-mode
    child-concurrency cpu dedupe-direct-deps dedupe-injected-deps dedupe-peer-dependents deploy-all-files dev
    enable-modules-dir enable-pre-post-scripts engine-strict extend-node-path fetch-retries fetch-retry-factor
    fetch-retry-maxtimeout fetch-retry-mintimeout fetch-timeout force force-legacy-deploy foreground-scripts fund
    git-shallow-hosts global-style hoist hoist-pattern hoist-workspace-packages http-proxy https-proxy
    ignore-compatibility-db ignore-dep-scripts ignore-pnpmfile ignore-scripts ignore-workspace-root-check
    ignored-optional-dependencies include include-workspace-root init-module inject-workspace-packages install-links
    install-strategy legacy-bundling legacy-peer-deps libc link-workspace-packages local-address lockfile
    lockfile-include-tarball-url lockfile-version loglevel manage-package-manager-versions maxsockets
    merge-git-branch-lockfiles-branch-pattern min-release-age minimum-release-age modules-cache-max-age modules-dir
    network-concurrency never-built-dependencies no-proxy node-linker node-options node-version nodedir noproxy
    offline omit only only-built-dependencies optimistic-repeat-install optional os package-import-method
    package-lock package-manager-strict package-manager-strict-version patches-dir peers-suffix-max-length pnpmfile
    prefer-dedupe prefer-frozen-lockfile prefer-offline prefer-online prefer-symlinked-executables
    prefer-workspace-packages production progress proxy public-hoist-pattern rebuild-bundle recursive-install
    registry registry-supports-time-field replace-registry-host reporter resolution-mode
    resolve-peers-from-workspace-root save save-bundle save-dev save-exact save-optional save-peer save-prefix
    save-prod save-workspace-protocol script-shell shamefully-hoist shared-workspace-lockfile shell-emulator
    shrinkwrap side-effects-cache side-effects-cache-readonly strict-dep-builds strict-peer-dependencies
    strict-peer-deps strict-ssl symlink sync-injected-deps-after-scripts tag trust-policy unsafe-perm
    update-notifier use-node-version verify-deps-before-run verify-store-integrity virtual-store-dir
    virtual-store-dir-max-length workspace-concurrency workspaces workspaces-update
        """,
    )
)
"""Options of npm and pnpm that installs heed and that are no credential. What is not named here may be one.

Sources: docs.npmjs.com/cli/v11/using-npm/config; pnpm.io/settings.
"""
_OWN = re.compile(r"@[^:/]+:registry|node-mirror:\w+|\w+[_-](mirror|host|site|path|dir|version|skip[_-]\w+)")
"""Registries of scopes, and what packages' own install scripts read (`sharp_binary_host`)."""


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
    """The settings of an .npmrc that installs heed and that cannot hold a credential."""
    kept = ((key, value) for _, key, value in _settings(text) if _is_harmless(key, value))
    # Written anew: a comment may stand behind a value.
    return "".join(f"{key}={_escaped(value)}\n" for key, value in kept)


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


def _escaped(value: str) -> str:
    return re.sub(r"([;#\\])", r"\\\1", value)


def _is_harmless(key: str, value: str) -> bool:
    name = key.removesuffix("[]")
    return (name in _KEPT or _OWN.fullmatch(name) is not None) and re.search(r"://[^/\s]*@", value) is None
