"""What git says about the workspace: its commit, what changed, files of old."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bake.errors import UsageError, WorkspaceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The commit that is checked out. epoch: its time in seconds since 1970.

    dirty: paths below the root that differ from it, relative to the root, with untracked ones that git does not ignore.
    """

    revision: str = ""
    branch: str = ""
    version: str = ""
    source: str = ""
    epoch: int | None = None
    dirty: tuple[str, ...] = ()


def read_head(root: Path, environment: Mapping[str, str]) -> Head:
    """Describe HEAD; empty where there is no git or no commit. Raises WorkspaceError where git refuses the checkout.

    CI checks out commits without a branch; its variables name it then.
    """
    prefix = _read_prefix(root)
    revision = git(root, "rev-parse", "-q", "--verify", "HEAD") if prefix is not None else ""
    if prefix is None or not revision:
        return Head()
    time = git(root, "log", "-1", "--format=%ct")
    return Head(
        revision=revision,
        branch=_branch(root, environment),
        version=git(root, "describe", "--tags", "--exact-match").removeprefix("v"),
        source=_url(git(root, "remote", "get-url", "origin")),
        epoch=int(time) if time.isdigit() else None,
        dirty=_read_dirty(root, prefix),
    )


def _read_prefix(root: Path) -> str | None:
    """The path from the repository's top to the root; None without a repository.

    A checkout that git cannot read is not the same as none: its images would be tagged as if they were of no commit.
    """
    top = next((f for f in (root, *root.parents) if (f / ".git").exists()), None)
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--show-prefix"],
            cwd=root, capture_output=True, text=True, errors="replace", check=False, env=_plain_words(),
        )  # fmt: skip
    except OSError:
        if top is None:
            return None
        what = "is not installed, and this is a checkout whose commit and files it knows"
        raise WorkspaceError("git", what, "install it") from None
    if done.returncode == 0:
        return done.stdout.rstrip("\n")
    if top is None:
        return None
    raise _refusal(root, done.stderr, what=_UNREADABLE[0], remedy=_UNREADABLE[1])


def _refusal(root: Path, said: str, *, what: str, remedy: str) -> WorkspaceError:
    """The error for a repository that git does not read. said: what it wrote."""
    if "dubious ownership" in said:
        top = next((f for f in (root, *root.parents) if (f / ".git").exists()), root)
        refused = "git refuses this checkout, which belongs to another user"
        return WorkspaceError(str(top), refused, f"run `git config --global --add safe.directory {top}`")
    lines = said.strip().splitlines()
    fatal = [line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: ")]
    reason = next(iter((*fatal, *lines[-1:])), "gave no reason")
    if reason.startswith("not a git repository") and any((f / ".git").exists() for f in (root, *root.parents)):
        what, remedy = _UNREADABLE
    return WorkspaceError(str(root), f"{what} ({reason})", remedy)


_UNREADABLE = ("git cannot read this checkout", "mend it, or take its .git away")
"""What is wrong where there is a .git that git takes for none, whatever was asked for."""


def _plain_words() -> Mapping[str, str]:
    """The environment in which git speaks English."""
    return {**os.environ, "LC_ALL": "C"}


def _read_dirty(root: Path, prefix: str) -> tuple[str, ...]:
    """Source: git-status(1), "Porcelain Format Version 1", -z: a rename names the place that it left in a part more."""
    words = ("status", "--porcelain", "-z", "--untracked-files=all", "--ignore-submodules=none", "--", ".")
    parts = iter(git(root, *words, strip=False).split("\0"))
    paths: list[str] = []
    for part in parts:
        paths += [part[3:], *([next(parts)] if part[:1] in {"R", "C"} else [])]
    return tuple(p.removeprefix(prefix) for p in paths if p and p.startswith(prefix))


def git(root: Path, *words: str, strip: bool = True) -> str:
    """Output of a git command, stripped; "" when it fails."""
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return ""
    if done.returncode != 0:
        return ""
    return done.stdout.strip() if strip else done.stdout


def _branch(root: Path, environment: Mapping[str, str]) -> str:
    named = (
        environment.get("GITHUB_HEAD_REF")
        or environment.get("GITHUB_REF_NAME")
        or environment.get("CI_COMMIT_REF_NAME")
    )
    return named or git(root, "symbolic-ref", "--short", "-q", "HEAD")


def _url(remote: str) -> str:
    """A remote as an URL without credentials, for the source label."""
    if remote.startswith("git@"):
        host, _, path = remote.removeprefix("git@").partition(":")
        remote = f"https://{host}/{path}"
    scheme, separator, rest = remote.partition("://")
    if not separator:
        return ""
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}".removesuffix(".git")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What differs between a revision and the working tree.

    base: the commit compared with. paths: sorted, relative to the workspace's root, deleted and untracked files
    among them; a renamed file is there under both names, a submodule by its folder. outside: the other changed
    paths of the repository, absolute.
    """

    base: str
    paths: tuple[str, ...]
    outside: tuple[str, ...] = ()


def read_changes(root: Path, since: str) -> Changes:
    """What the working tree below `root` changes since it left `since`.

    The comparison is with the merge base of `since` and HEAD, so what others did on `since` in the meantime does
    not count; where histories are unrelated, with `since` itself. Raises UsageError for a revision that is not there
    and WorkspaceError without git, or where a shallow clone lacks the history.
    """
    base = _merge_base(root, since)
    top = Path(_required(root, "rev-parse", "--show-toplevel"))
    # A rename counts for the place it left and the place it came to. What somebody told git to overlook, in
    # .gitmodules or in settings of their own, is in the build's context all the same.
    told = ("--no-renames", "--no-relative", "--no-ext-diff", "--ignore-submodules=none")
    changed = _listed(root, "diff", "--name-only", "-z", *told, base)
    others = ("--others", "--exclude-per-directory=.gitignore")
    untracked = _listed(root, "ls-files", *others, "-z", "--full-name", "--", str(top))
    prefix = _required(root, "rev-parse", "--show-prefix")
    paths = sorted({*changed, *untracked})
    return Changes(
        base=base,
        paths=tuple(p.removeprefix(prefix) for p in paths if p.startswith(prefix)),
        outside=tuple(str(top / p) for p in paths if not p.startswith(prefix)),
    )


def list_tracked(root: Path) -> tuple[str, ...]:
    """Every file below `root` that git tracks, those of submodules among them, relative to it; () without git."""
    return _tracked(root, "--recurse-submodules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A file as git has it. mode: such as 100644. name: git's own, of the content."""

    mode: str
    name: str
    data: bytes


def read_files(root: Path, revision: str, wanted: Callable[[str], bool]) -> Mapping[str, Blob]:
    """The files below `root` at a revision whose path (relative to it) is wanted, those of submodules among them.

    A submodule that is not checked out, or lacks its commit, gives none. Raises WorkspaceError without git.
    """
    files: dict[str, Blob] = {}
    found: dict[str, tuple[str, str]] = {}
    prefix = _required(root, "rev-parse", "--show-prefix").rstrip("/")
    tree = git(root, "rev-parse", "-q", "--verify", f"{revision}:{prefix}")
    for line in _listed(root, "ls-tree", "-r", "-z", "--full-tree", tree) if tree else ():
        about, _, path = line.partition("\t")
        mode, kind, name = about.split()
        if kind == "blob" and wanted(path):
            found[path] = (mode, name)
        elif kind == "commit" and git(root / path, "rev-parse", "-q", "--verify", f"{name}^{{commit}}"):
            files |= _read_submodule(root, path, name, wanted)
    data = _blobs(root, tuple(name for _, name in found.values()))
    return files | {
        path: Blob(mode=mode, name=name, data=content)
        for (path, (mode, name)), content in zip(found.items(), data, strict=True)
    }


def _read_submodule(root: Path, folder: str, commit: str, wanted: Callable[[str], bool]) -> Mapping[str, Blob]:
    files = read_files(root / folder, commit, lambda path: wanted(f"{folder}/{path}"))
    return {f"{folder}/{path}": blob for path, blob in files.items()}


def _blobs(root: Path, names: Sequence[str]) -> Iterator[bytes]:
    """The blobs of these names, by one process. Source: git-cat-file(1), batch output."""
    if not names:
        return
    done = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=root, input="".join(f"{n}\n" for n in names).encode(),
        capture_output=True, check=True,
    )  # fmt: skip
    rest = done.stdout
    for _name in names:
        head, _, rest = rest.partition(b"\n")
        size = int(head.split()[2])
        yield rest[:size]
        rest = rest[size + 1 :]


def _merge_base(root: Path, since: str) -> str:
    commit = _commit(root, since)
    if base := git(root, "merge-base", commit, "HEAD"):
        return base
    if _is_shallow(root):
        raise WorkspaceError(since, "this clone is shallow and ends before the commit where HEAD left it", _DEEPEN)
    return commit


def _commit(root: Path, since: str) -> str:
    """The full name of a revision's commit."""
    _required(root, "rev-parse", "--show-toplevel")
    if since.startswith("-") or not (
        commit := git(root, "rev-parse", "--verify", "-q", "--end-of-options", f"{since}^{{commit}}")
    ):
        what = "no such revision in this clone"
        if _is_shallow(root):
            raise WorkspaceError(since, f"{what}, which is shallow", _DEEPEN)
        if remote := git(root, "rev-parse", "--verify", "-q", "--end-of-options", f"origin/{since}^{{commit}}"):
            raise UsageError(since, what, f"origin/{since} is there ({remote[:12]})")
        raise UsageError(since, what, "fetch it, or name another one")
    return commit


_DEEPEN = "run `git fetch --unshallow` (actions/checkout: `fetch-depth: 0`; GitLab: `GIT_DEPTH: 0`)"


def _is_shallow(root: Path) -> bool:
    return git(root, "rev-parse", "--is-shallow-repository") == "true"


def _required(root: Path, *words: str, wanted: str = "what changed", remedy: str = "build without --since") -> str:
    """Output of a git command that fails only where there is no repository. wanted: what it shall say."""
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        raise WorkspaceError("git", "is not installed", "install it: what changed is known by git") from None
    if done.returncode != 0:
        raise _refusal(root, done.stderr, what=f"git cannot say {wanted}", remedy=remedy)
    return done.stdout.rstrip("\n")


def _listed(root: Path, *words: str) -> tuple[str, ...]:
    """The parts of a git command's output that `-z` ends with NUL."""
    return _parts(_required(root, *words))


def _parts(output: str) -> tuple[str, ...]:
    return tuple(part for part in output.split("\0") if part)


def is_versioned(root: Path) -> bool:
    """Whether git can tell what there is in a folder: there is a repository, and git."""
    return any((folder / ".git").exists() for folder in (root, *root.parents)) and shutil.which("git") is not None


def list_ignored(root: Path, names: Iterable[str] = ()) -> tuple[str, ...]:
    """Every file below `root` that git tracks although a .gitignore or one of these names would leave it out.

    Relative to `root`; () without a repository. Raises WorkspaceError where git refuses it.
    """
    if not is_versioned(root):
        return ()
    words = ("ls-files", "-z", "--cached", "--ignored", "--exclude-per-directory=.gitignore")
    excluded = (f"--exclude={name}" for name in names)
    return _parts(_required(root, *words, *excluded, wanted="what it tracks", remedy="repair the repository"))


def list_sources(root: Path) -> tuple[str, ...]:
    """Every file below `root` that git tracks or does not ignore, relative to it; () without git."""
    return tuple(dict.fromkeys(_tracked(root, "--cached", "--others", "--exclude-per-directory=.gitignore")))


def _tracked(root: Path, *words: str) -> tuple[str, ...]:
    return _parts(git(root, "ls-files", "-z", *words))
