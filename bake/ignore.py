"""Which files are sources: what git ignores is not, nor are results of builds and secrets."""

from collections.abc import Iterable, Iterator
from pathlib import Path

NEVER_SENT = (
    "**/node_modules",
    "**/.git",
    "**/.bake",
    "**/*.tsbuildinfo",
    "**/.turbo",
    "**/.env",
    "**/.env.local",
    "**/.env.*.local",
    "**/.npmrc",
    "**/.netrc",
    "**/.yarnrc",
    "**/id_rsa*",
    "**/id_ed25519*",
    "**/*.pem",
    "**/*.key",
    "**/*.p12",
)
"""Results of builds and the usual names of secrets, as .dockerignore patterns."""


def load_git_ignored(root: Path, packages: Iterable[str]) -> tuple[str, ...]:
    """What the .gitignore files of the root and of the packages' folders say, as .dockerignore patterns."""
    folders = sorted({"", *(parent for package in packages for parent in _folders(package))})
    return tuple(dict.fromkeys(p for folder in folders for p in _load(root, folder)))


def _folders(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[: i + 1]) for i in range(len(parts)))


def _load(root: Path, folder: str) -> tuple[str, ...]:
    try:
        return parse_gitignore(
            (root / folder / ".gitignore").read_text(encoding="utf-8", errors="replace"), folder
        )
    except OSError:
        return ()


def parse_gitignore(text: str, folder: str) -> tuple[str, ...]:
    """The patterns of a .gitignore in `folder` as .dockerignore patterns.

    A pattern without a slash counts at any depth in git, at the root only in Docker; a leading slash means the
    folder itself in git. Sources: gitignore(5); docs.docker.com/build/concepts/context, .dockerignore files.
    """
    lines = (line.rstrip() for line in text.splitlines())
    return tuple(_pattern(line, folder) for line in lines if line.strip("!/ ") and not line.startswith("#"))


def _pattern(line: str, folder: str) -> str:
    mark, body = ("!", line[1:]) if line.startswith("!") else ("", line.removeprefix("\\"))
    body = body.rstrip("/")
    anchored = "/" in body
    body = body.lstrip("/") if anchored else f"**/{body}"
    return mark + (f"{folder}/{body}" if folder else body)
