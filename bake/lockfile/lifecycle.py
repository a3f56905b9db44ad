"""Install scripts: which third-party packages need theirs, which of the workspace's own do something. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bake.lockfile.lockfile import Entry, Lockfile
from bake.semver import satisfies
from bake.shell import parse_call, parse_line

_WITHOUT = {
    # Their binaries are packages of their own, one per platform; the script only checks or links.
    **dict.fromkeys(("@parcel/watcher", "@swc/core", "@tailwindcss/oxide", "esbuild", "fsevents", "lmdb"), "*"),
    **dict.fromkeys(("msgpackr-extract", "nx", "turbo", "unrs-resolver", "workerd"), "*"),
    "bcrypt": ">=6.0.0",
    "sharp": ">=0.33.0",
    # They carry the binaries of every platform (prebuildify), or do without in JavaScript.
    **dict.fromkeys(("@serialport/bindings-cpp", "bufferutil", "classic-level", "cpu-features", "keccak"), "*"),
    **dict.fromkeys(("leveldown", "secp256k1", "sodium-native", "ssh2", "utf-8-validate"), "*"),
    # They print a message or send statistics.
    **dict.fromkeys(("@apollo/protobufjs", "@nestjs/core", "@scarf/scarf", "@strapi/strapi", "core-js"), "*"),
    **dict.fromkeys(("core-js-pure", "ejs", "es5-ext", "msw", "protobufjs", "styled-components", "vue-demi"), "*"),
}
"""Package -> versions that work without their install script."""

_WITH = frozenset(
    {
        *("@prisma/client", "@prisma/engines", "@tensorflow/tfjs-node", "argon2", "bcrypt", "better-sqlite3", "canvas"),
        *("couchbase", "duckdb", "ffmpeg-static", "grpc", "ibm_db", "isolated-vm", "kerberos", "libpq", "node-pty"),
        *("node-rdkafka", "node-sass", "onnxruntime-node", "oracledb", "prisma", "puppeteer", "re2", "sharp"),
        *("sqlite3", "usb", "zeromq"),
    }
)
"""Packages that need it, but for the versions above: they compile or download."""

_FOR_BUILDS = frozenset({"@prisma/client", "@prisma/engines", "node-sass", "prisma"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptAdvice:
    """Names of packages with an install script. unknown: bake does not know whether they need it."""

    run: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def advise(lock: Lockfile, reached: Iterable[str]) -> ScriptAdvice:
    """Sort the install scripts among the lock entries that images hold by what is known of them."""
    verdicts = {e.name: _verdict(e) for p in sorted(set(reached)) if has_script(lock, e := lock.entries[p])}
    sorted_by = {v: tuple(sorted(n for n, w in verdicts.items() if w == v)) for v in ("run", "without", "unknown")}
    builds = {e.name for e in lock.entries.values() if has_script(lock, e) and e.name in _FOR_BUILDS}
    return ScriptAdvice(
        run=sorted_by["run"], without=sorted_by["without"], unknown=sorted_by["unknown"], builds=tuple(sorted(builds))
    )


def has_script(lock: Lockfile, entry: Entry) -> bool:
    """Whether a package has an install script; lockfiles of yarn and pnpm do not say so, of some it is known."""
    return entry.install_script or (lock.manager != "npm" and _verdict(entry) == "run")


def _verdict(entry: Entry) -> str:
    version = entry.version or "0.0.0"
    if entry.name in _WITHOUT and (_WITHOUT[entry.name] == "*" or satisfies(version, _WITHOUT[entry.name])):
        return "without"
    return "run" if entry.name in _WITH else "unknown"


# --- the workspace's own ----------------------------------------------------------------------------------

LIFECYCLE = ("preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare")
"""Scripts of the workspace's own packages that an install runs. Source: docs.npmjs.com/cli/using-npm/scripts."""

_DEEPEST = 6
"""Scripts that call scripts: further down is a cycle."""
_NEEDLESS = re.compile(
    # For developers: git's hooks, checks of their tools, browsers of tests.
    r"husky|lefthook|simple-git-hooks|git-hooks|hooksPath|pre-commit|commitlint|lint-staged|^git\b|only-allow|is-ci\b"
    r"|check-node-version|check-engine|playwright|cypress|puppeteer browsers|opencollective|install-app-deps"
    # What bake does itself: builds of packages, patches.
    r"|patch-package|\bturbo\b|\blerna\b|\bnx (?:run|run-many|build|reset|sync|affected)\b"
    r"|^(?=.*\bbuild)(?:npm|pnpm|yarn)\b.*\s(?:-ws?|--workspaces?|--filter|-F|-r|--recursive|workspaces?)\b"
    # Nothing.
    r"|^(?:echo|exit|true|test|\[|cd|rm|rimraf|chmod|:)(?:\s|$)|^node -e ['\"]{2}$|^$"
)


def steps(scripts: Mapping[str, str], name: str, depth: int = 0) -> Iterator[str]:
    """Yield the simple commands of a script, those of scripts that it runs in their places."""
    for step in parse_line(scripts.get(name, "")):
        call = parse_call(step.words)
        if call and call.name in scripts and not (call.packages or call.arguments or call.every) and depth < _DEEPEST:
            yield from steps(scripts, call.name, depth + 1)
        else:
            yield step.text


def preparing(scripts: Mapping[str, str], build: str = "") -> tuple[str, ...]:
    """Return the scripts that an install of the workspace runs to make what a package's build or process reads."""
    return tuple(name for name, _ in unheeded(scripts, build) if name in {"postinstall", "prepare"})


def unheeded(scripts: Mapping[str, str], build: str = "") -> tuple[tuple[str, str], ...]:
    """Return (script, its text) of the install scripts that a build may miss. build: the script that it runs."""
    ran = (f"pre{build}", build, f"post{build}") if build else ()
    done = {step for name in ran for step in steps(scripts, name)}
    return tuple(
        (name, scripts[name])
        for name in LIFECYCLE
        if name not in ran and any(s not in done and not _NEEDLESS.search(s) for s in steps(scripts, name))
    )
