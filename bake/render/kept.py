"""What of a package's folder goes into images: the rules by name. Pure."""

import re
from collections.abc import Callable, Sequence

from bake.plan import Output

NEVER = ("node_modules", "**/.env*", "**/.npmrc", "**/.yarnrc*", "**/.git")
"""Never in an image, whatever `files` says: node_modules comes as layers, the rest holds secrets or history."""

_TOOLS = "eslint,prettier,stylelint,jest,vitest,vite,rollup,webpack,babel,postcss,tailwind,playwright,cypress"
_BUILD_TIME = (
    *("**/.git*", "**/.DS_Store", "**/*.log", "**/*.tsbuildinfo"),
    *("**/{Dockerfile,docker-compose,compose}{,.*,-*}", "**/*.Dockerfile"),
    ".{vscode,idea,husky,changeset,storybook,turbo,cache,nyc_output,github,circleci}",
    *(".next/cache", ".dockerignore", "{package-lock,npm-shrinkwrap}.json", ".yarn"),
    *(".pnpmfile.{cjs,mjs}", "patches/**/*.patch"),
    "{yarn.lock,pnpm-lock.yaml,pnpm-workspace.yaml,.npmignore,.nvmrc,.node-version,.editorconfig}",
    # documents
    *("*.md", "*.mdx", "docs", "**/{README,CHANGELOG,CONTRIBUTING}{,.*}"),
    # tests
    *("**/{__tests__,__mocks__,__fixtures__,__snapshots__}", "**/*.{test,spec}.*"),
    *("{,dist/,build/,lib/,out/,src/}{test,tests,e2e}", "**/{coverage,playwright-report,test-results}", "cypress"),
    # tools, by name
    "**/.{eslint,prettier,stylelint,lintstaged,commitlint,babel}{rc,ignore}{,.*}",
    f"**/{{{_TOOLS},tsup,tsdown,turbo,commitlint,lint-staged}}{{,.*}}.{{config,workspace,setup}}.*",
    "**/{nodemon,turbo,jsconfig,typedoc,nx,project}.json",
)
"""Left out when the package does not list its files. Only names with one meaning: a templates/*.md, a next.config.js, a
knexfile.ts turned .js, a routes/test/ may be needed at run time, so they stay."""

_UNLESS_SOURCES_RUN = ("**/*.{ts,tsx,mts,cts}", "**/tsconfig*.json")
"""TypeScript, and the settings whose paths and JSX count where it is run."""

_TOKEN = re.compile(r"\*\*/|\*\*|[*?{},]|[\[\]().+^$|\\]")
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}


def left_out(*, files: Sequence[str] | None, sources: bool) -> tuple[str, ...]:
    """The patterns of what stays out of images by its name."""
    if files is not None:
        return ()
    return _BUILD_TIME if sources else (*_BUILD_TIME, *_UNLESS_SOURCES_RUN)


def keeper(output: Output) -> Callable[[str], bool]:
    """A test for paths relative to the package: whether an image would have that file."""
    never = glob(NEVER)
    listed = glob(output.files if output.files is not None else ("**",))
    left = glob(left_out(files=output.files, sources=output.sources))
    excluded = glob(output.exclude)
    others = frozenset(output.others)

    def keeps(path: str) -> bool:
        if any(never(path[:i]) or path[:i] in others for i in (*_slashes(path), len(path))):
            return False
        return path == "package.json" or (listed(path) and not excluded(path) and not left(path))

    return keeps


def _slashes(path: str) -> list[int]:
    return [i for i, char in enumerate(path) if char == "/"]


def glob(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A test for paths: `*` and `?` within a name, `**` across names, `{a,b}` either; a folder means all below it."""
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
