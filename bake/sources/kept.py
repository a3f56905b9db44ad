"""What of a package's folder goes into images: the rules by name. Pure."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache

NEVER = ("node_modules", "**/.env*", "**/.npmrc", "**/.yarnrc*", "**/.netrc", "**/.git")
"""Never in an image, whatever `files` says: node_modules comes as layers, the rest holds secrets or history.

A .env file that git tracks is no secret."""

_LEFTOVERS = ("**/*.tsbuildinfo", "**/.DS_Store", ".next/cache", ".{turbo,nx,cache,parcel-cache,angular,nyc_output}")
"""What builds and desktops leave for themselves."""

_TYPESCRIPT = "**/*.{ts,tsx,mts,cts}"

_TOOLS = (
    *("eslint", "prettier", "stylelint", "jest", "vitest", "vite", "rollup", "webpack", "babel", "postcss", "tailwind"),
    *("playwright", "cypress", "tsup", "tsdown", "turbo", "commitlint", "lint-staged"),
)
_DOTTED = ("eslint", "prettier", "stylelint", "lintstaged", "commitlint", "babel")
_DEVELOPMENT = (
    *("{.gitignore,.gitattributes,.gitmodules,.gitlab-ci.yml,.dockerignore}", "{npm,yarn,pnpm}-{debug,error}.log*"),
    *("{Dockerfile,docker-compose,compose}{,.*,-*}", "*.Dockerfile"),
    ".{vscode,idea,husky,changeset,storybook,github,circleci}",
    *("{package-lock,npm-shrinkwrap}.json", ".yarn", ".pnpmfile.{cjs,mjs}", "patches/**/*.patch"),
    "{yarn.lock,pnpm-lock.yaml,pnpm-workspace.yaml,.npmignore,.nvmrc,.node-version,.editorconfig}",
    "{README,CHANGELOG,CONTRIBUTING}{,.md,.mdx,.txt,.rst}",
    # tests beside sources
    *("**/{__tests__,__mocks__,__fixtures__,__snapshots__}", "**/*.{test,spec}.{js,jsx,mjs,cjs,snap,ts,tsx,mts,cts}"),
    *("{test,tests,e2e,cypress}", "{coverage,playwright-report,test-results}"),
    # tools, by name; see _settings
    "{nodemon,turbo,jsconfig,typedoc,nx,project}.json",
)
"""Sources that only development needs. Only names with one meaning, and only sources: what a build wrote stays. A
docs/*.md, a next.config.js, a knexfile.ts turned .js, a routes/test/ may be needed at run time."""

_COMPILER = "**/tsconfig*.json"

LOADERS = frozenset(
    {
        *("tsx", "ts-node", "tsconfig-paths", "esbuild-register", "esbuild-runner", "jiti", "sucrase"),
        *("@swc-node/register", "@esbuild-kit/cjs-loader", "@esbuild-kit/esm-loader", "@oxc-node/core"),
    }
)
"""Packages that read tsconfig.json at run time."""


SETTINGS_READERS: Mapping[str, frozenset[str]] = {
    "babel": frozenset({"@babel/register", "@babel/node", "babel-register", "babel-node"}),
    "postcss": frozenset({"postcss-load-config"}),
    "prettier": frozenset({"prettier"}),
    "vite": frozenset({"vite", "vite-node"}),
}
"""Tool -> packages that read its settings at run time."""


def _settings(read: Collection[str]) -> tuple[str, str]:
    """Settings of tools, but for those of which processes read them."""
    named, dotted = (",".join(n for n in names if n not in read) for names in (_TOOLS, _DOTTED))
    return f".{{{dotted}}}{{rc,ignore}}{{,.*}}", f"{{{named}}}{{,.*}}.{{config,workspace,setup}}.*"


def left_out(*, files: Sequence[str] | None, sources: bool) -> tuple[str, ...]:
    """The patterns of what no process can load, whoever wrote it."""
    if files is not None:
        return ()
    return _LEFTOVERS if sources else (*_LEFTOVERS, _TYPESCRIPT)


def unneeded(
    paths: Iterable[str], *, files: Sequence[str] | None, sources: bool, read: Collection[str] = ()
) -> tuple[str, ...]:
    """Those of a package's source files that only development needs.

    sources: whether tsconfig.json is read too. read: tools whose settings are.
    """
    matches = path_matcher(_development(files=files, sources=sources, read=read))
    return tuple(path for path in paths if matches(path))


def _development(*, files: Sequence[str] | None, sources: bool, read: Collection[str] = ()) -> tuple[str, ...]:
    if files is not None:
        return ()
    return (*_DEVELOPMENT, *_settings(read), *(() if sources else (_COMPILER,)))


_TOKEN = re.compile(r"\*\*/|\*\*|[*?{},]|[\[\]().+^$|\\]")
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}


def keeper(
    *,
    files: Sequence[str] | None,
    exclude: Sequence[str],
    others: Sequence[str],
    settings: Iterable[str],
    sources: bool,
) -> Callable[[str], bool]:
    """A test for paths in a folder of somebody else's making: whether an image would have that file.

    Nothing tells there what a build wrote, so names of development count for all. others: folders in it that are other
    packages. settings: the .env files that git tracks.
    """
    never, excluded = path_matcher(NEVER), path_matcher(exclude)
    listed = path_matcher(files if files is not None else ("**",))
    left = path_matcher((*left_out(files=files, sources=sources), *_development(files=files, sources=sources)))
    nested, allowed = frozenset(others), frozenset(settings)

    def keeps(path: str) -> bool:
        if path not in allowed and any(never(path[:i]) or path[:i] in nested for i in (*_slashes(path), len(path))):
            return False
        return path == "package.json" or (listed(path) and not excluded(path) and not left(path))

    return keeps


def _slashes(path: str) -> list[int]:
    return [i for i, char in enumerate(path) if char == "/"]


def path_matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A test for paths: `*` and `?` within a name, `**` across names, `{a,b}` either; a folder means all below it."""
    return _matcher(tuple(patterns))


@lru_cache(maxsize=256)
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    if not patterns:
        return lambda _path: False
    sources = (_translate(p.removeprefix("./").rstrip("/")) for p in patterns)
    expression = re.compile(f"(?:{'|'.join(sources)})(?:/.*)?", re.S)
    return lambda path: expression.fullmatch(path) is not None


def _translate(pattern: str) -> str:
    depth = 0

    def token(match: re.Match[str]) -> str:
        nonlocal depth
        text = match[0]
        depth = max(0, depth + {"{": 1, "}": -1}.get(text, 0))
        if text == ",":
            return "|" if depth else ","
        return _MEANING.get(text, f"\\{text}")

    return _TOKEN.sub(token, pattern)
