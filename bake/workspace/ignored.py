"""Which files are sources: what git ignores is not, nor are results of builds and secrets."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from posixpath import dirname

NEVER_SENT = ("node_modules", ".git", ".bake", ".npmrc", ".netrc", ".yarnrc")
"""Names of what no build gets even where git tracks it: installs and logins have ways of their own."""

UNTRACKED = (".env", ".env.*", "id_rsa*", "id_ed25519*", "*.pem", "*.key", "*.p12", "*.tsbuildinfo", ".turbo", ".envrc")
"""Usual names of secrets and of results: they are sources where git tracks them, and only there."""

RESULTS = ("dist", "coverage")
"""Folders at the top of a package with a build, likewise."""

_WITHOUT_GIT = (".env", ".env.local", ".env.*.local", *UNTRACKED[2:])


BESIDE = (
    *(".git*", ".circleci", ".husky", ".changeset", ".vscode", ".idea", ".devcontainer", ".editorconfig", ".nvmrc"),
    *("bake.toml", "bake.lock", ".bake*", "docker-bake.*", "docker-compose*", "compose.y*ml"),
    *(".dockerignore", "Dockerfile*", "*.Dockerfile"),
    *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", ".yarn", ".yarnrc*", ".pnp.*"),
    *("pnpm-lock.yaml", "pnpm-workspace.yaml", ".pnpmfile.*"),
)
"""What lies at the workspace's root for git, editors, CI, package managers and bake: no sources of the root package."""


def anywhere(names: Iterable[str]) -> tuple[str, ...]:
    """Names as .dockerignore patterns that count at any depth."""
    return tuple(f"**/{name}" for name in names)


def literal(path: str) -> str:
    """A path as a .dockerignore pattern."""
    return re.sub(r"([*?\[\\])", r"\\\1", path)


def untracked(*, versioned: bool) -> tuple[str, ...]:
    """The names of files that are left out unless git tracks them. Without git, every other `.env.*` is a source."""
    return UNTRACKED if versioned else _WITHOUT_GIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Files or folders of a package, and the folder of the tree that they go to.

    listed: found on disk, one by one; the build context may lack them.
    """

    paths: tuple[str, ...]
    folder: str
    listed: bool = False


def load_parts(root: Path, path: str, inside: Collection[str]) -> tuple[Part, ...]:
    """Return what a package's own sources are. inside: the folders of other packages in its folder.

    Without any, its folder as a whole; else what lies around them, so that their edits are not its own.
    """
    if not inside:
        return (Part(paths=(path,), folder=path),)
    return tuple(_load_around(root, path, frozenset(inside)))


def _load_around(root: Path, folder: str, others: Collection[str]) -> Iterator[Part]:
    found = {f"{folder}/{each.name}".lstrip("/"): each.is_dir() for each in (root / folder).iterdir()}
    own = {path: is_folder for path, is_folder in sorted(found.items()) if path not in others and _counts(path)}
    if files := tuple(path for path, is_folder in own.items() if not is_folder):
        yield Part(paths=files, folder=folder, listed=True)
    for path in (path for path, is_folder in own.items() if is_folder):
        if any(other.startswith(f"{path}/") for other in others):
            yield from _load_around(root, path, others)
        else:
            yield Part(paths=(path,), folder=path, listed=True)


def _counts(path: str) -> bool:
    at_root = not dirname(path)
    return path.rpartition("/")[2] not in {"node_modules", ".git"} and not (
        at_root and any(fnmatchcase(path, pattern) for pattern in BESIDE)
    )


def load_git_ignored(root: Path, packages: Iterable[str]) -> tuple[str, ...]:
    """What the .gitignore files of the root and of the packages' folders say, as .dockerignore patterns."""
    folders = sorted({"", *(parent for package in packages for parent in _folders_around(package))})
    return tuple(dict.fromkeys(p for folder in folders for p in _load_gitignore(root, folder)))


def _folders_around(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[: i + 1]) for i in range(len(parts)))


def _load_gitignore(root: Path, folder: str) -> tuple[str, ...]:
    file = root / folder / ".gitignore"
    try:
        # git follows no link here either.
        return () if file.is_symlink() else parse_gitignore(file.read_text(encoding="utf-8", errors="replace"), folder)
    except OSError:
        return ()


def parse_gitignore(text: str, folder: str) -> tuple[str, ...]:
    """The patterns of a .gitignore in `folder` as .dockerignore patterns.

    A pattern without a slash counts at any depth in git, at the root only in Docker; a leading slash means the
    folder itself in git. Sources: gitignore(5); docs.docker.com/build/concepts/context, .dockerignore files.
    """
    lines = (line.rstrip() for line in text.splitlines())
    wanted = (line for line in lines if line.strip("!/ ") and not line.startswith("#") and _is_pattern(line))
    return tuple(_docker_pattern(line, folder) for line in wanted)


def _is_pattern(line: str) -> bool:
    """Whether Docker can compare by it: git takes a range from z to a, or a last backslash, for what never matches."""
    try:
        _expression(line)
    except re.error:
        return False
    return (len(line) - len(line.rstrip("\\"))) % 2 == 0


def _docker_pattern(line: str, folder: str) -> str:
    mark, body = ("!", line[1:]) if line.startswith("!") else ("", line.removeprefix("\\"))
    body = body.rstrip("/")
    anchored = "/" in body
    body = body.lstrip("/") if anchored else f"**/{body}"
    return mark + (f"{folder}/{body}" if folder else body)


def parse_dockerignore(text: str) -> Callable[[str], bool]:
    """A test for paths relative to the context: whether the patterns of a .dockerignore keep that file out.

    The last pattern that matches the path or a folder above it decides. Source: moby/patternmatcher,
    MatchesOrParentMatches; docs.docker.com/build/concepts/context.
    """
    lines = (line.strip() for line in text.splitlines() if not line.startswith("#"))
    signs = groupby((line for line in lines if line), lambda line: line.startswith("!"))
    rules = [(kept, _matcher([line.removeprefix("!") for line in run])) for kept, run in signs]
    rules.reverse()

    def ignores(path: str) -> bool:
        return next((not kept for kept, matches in rules if matches(path)), False)

    return ignores


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether any of the patterns matches; most are plain paths, which need no search."""
    cleaned = [p.strip().strip("/").removeprefix("./") for p in patterns]
    plain = frozenset(p for p in cleaned if not _SPECIAL.search(p))
    wild = [_expression(p) for p in cleaned if p not in plain]

    def matches(path: str) -> bool:
        parts = path.split("/")
        above = ("/".join(parts[: i + 1]) for i in range(len(parts)))
        return any(a in plain for a in above) or any(w(path) for w in wild)

    return matches


_SPECIAL = re.compile(r"[*?\[\\]")
_WORDS = re.compile(r"\*\*/?|\*|\?|\\.|\[[^]]+\]|.", re.S)


def _expression(pattern: str) -> Callable[[str], object]:
    """A pattern as a regular expression that also matches everything below what the pattern names."""
    return re.compile("".join(map(_word, _WORDS.findall(pattern))) + r"(/.*)?\Z", re.S).match


def _word(word: str) -> str:
    if word.startswith("**"):
        return "(.*/)?" if word.endswith("/") else ".*"
    if word.startswith("["):
        return "[" + word[1:-1].replace("\\", "\\\\") + "]"
    return {"*": "[^/]*", "?": "[^/]"}.get(word) or re.escape(word[-1])
