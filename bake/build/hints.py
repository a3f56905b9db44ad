"""What the output of a failed build says is missing, and what to do about it. Pure."""

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bake.plan import TREE, Stage
from bake.texts import package_name
from bake.workspace import Package, Workspace, shown

NOTHING = "the compiler's lines are above"

_IMPORT = re.compile(
    r"""Cannot find (?:module|package) '([^']+)'"""  # Node, TypeScript (TS2307)
    r"""|failed to resolve import "([^"]+)\""""  # Rollup, Vite
    r"""|Could not resolve "([^"]+)\""""  # esbuild
    r"""|Can't resolve '([^']+)'"""  # webpack
)
_TYPES = re.compile(r"Cannot find type definition file for '([^']+)'")  # TypeScript (TS2688)
_COMMAND = re.compile(r"(?:/bin/)?(?:(?:ba|da|a)?sh: )?(?:line )?(?:\d+: )?([\w.-]+): (?:command )?not found$")
_MISSING = re.compile(
    r"ENOENT|no such file|not found|cannot find|can't (?:find|resolve)|could not (?:resolve|load)", re.I
)
_FILE = re.compile(rf"(?<![\w/.-]){re.escape(TREE)}/((?:[\w@.+-]+/)*[\w@.+-]*\w)")
_OPENED = re.compile(r"ENOENT: no such file or directory, \w+ '(?!/)([^']+)'")
_IN_FOLDER = re.compile(rf"in '{re.escape(TREE)}/([^']+)'")
_IN_FILE = re.compile(
    rf"""(?:^|[\s"'(])({re.escape(TREE)}/)?((?:[\w@.+-]+/)*[\w@+-][\w@.+-]*\.[cm]?[jt]sx?)(?:[:("',]|$)"""
)
_SUFFIXES = (
    "",
    *(f"{index}.{suffix}" for index in ("", "/index") for suffix in ("ts", "tsx", "js", "mjs", "cjs", "json")),
)
_PRISMA = re.compile(
    r"@prisma/client['\"]* (?:has no exported member|did not initialize)|Cannot find module '\.prisma/client"
)
_GIT = re.compile(
    r"not a git repository|\bspawn(?:Sync)? git ENOENT|\bgit: (?:command )?not found|Command failed: git "
)
_GENERATE = (
    "Prisma's client is not generated: let the package with the schema run `prisma generate` in its build, "
    'with outputs = ["node_modules/.prisma"]'
)


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A build that failed. root_files: what every stage has.

    exists, in_clone: of a path from the root, in the workspace and in a clone of it. kept: what rule keeps a path from
    all builds, "" for none.
    """

    workspace: Workspace
    stage: Stage
    root_files: Sequence[str]
    exists: Callable[[str], bool]
    in_clone: Callable[[str], bool]
    kept: Callable[[str], str]

    @property
    def package(self) -> Package:
        """Whose build it was."""
        return self.workspace.package(self.stage.package)

    @property
    def key(self) -> str:
        """Its table in bake.toml."""
        return f'packages."{shown(self.stage.package)}"'


def remedy(failed: Failed, lines: Sequence[str]) -> str:
    """Return what to do about the failed build: the first thing that it misses, with its key."""
    prisma = (_GENERATE for line in lines if _PRISMA.search(line))
    git = (_asks_git(failed) for line in lines if _GIT.search(line))
    found = (
        *git,
        *_missing_modules(failed, lines),
        *_missing_files(failed, lines),
        *prisma,
        *_missing_commands(failed, lines),
    )
    return next(iter(found), NOTHING)


def _asks_git(failed: Failed) -> str:
    return (
        "it asks git, and a build has no repository: hand over what it asks for, as "
        f'{failed.key}.args.GIT_SHA = "{{sha}}" ({{branch}} and {{version}} too), and let it read that variable first'
    )


def _missing_modules(failed: Failed, lines: Sequence[str]) -> Iterator[str]:
    """Packages that are installed or of the workspace, but not given to this build."""
    installed = {e.name for e in failed.workspace.lock.entries.values()}
    for name in (name for line in lines for name in _missing_names(failed.workspace, line)):
        wanted = package_name(name)
        known = failed.workspace.find(wanted) if wanted else None
        given = known is None or known.path in failed.workspace.needs(failed.package.path)
        if failed.package.declares(wanted) and given:
            continue  # it is there, and something else is wrong with it
        if wanted != failed.package.name and (wanted in installed or known):
            manifest = failed.package.file("package.json")
            yield f"it needs {wanted}: declare it in {manifest}, or add it to {failed.key}.needs"


def _missing_names(workspace: Workspace, line: str) -> Iterator[str]:
    """Yield what a line says is missing, as it would be imported."""
    for match in _IMPORT.finditer(line):
        yield next(filter(None, match.groups()))
    for match in _TYPES.finditer(line):
        yield from (f"@types/{match[1]}", match[1])
    if called := _COMMAND.match(line.strip()):
        yield from (e.name for e in workspace.lock.entries.values() if called[1] in e.bins)


def _missing_files(failed: Failed, lines: Sequence[str]) -> Iterator[str]:
    """What is to be said of files that the workspace has and the build had not."""
    for path in _missing_paths(failed.stage.package, lines):
        if "node_modules" not in path.split("/") and failed.exists(path) and (said := _explain(failed, path)):
            yield said


def _missing_paths(package: str, lines: Sequence[str]) -> Iterator[str]:
    """Paths from the root that a tool looked for, as they stand there or as modules may be meant."""
    for at, line in enumerate(lines):
        if _MISSING.search(line):
            yield from (match[1] for match in _FILE.finditer(line))
        opened = _OPENED.search(line)
        yield from _inside(package, opened[1]) if opened else ()
        names = [name for match in _IMPORT.finditer(line) for name in match.groups() if name and name.startswith(".")]
        for folder in _naming(package, lines[at : at + 6]) if names else ():
            yield from (path for suffix in _SUFFIXES for path in _inside(folder, f"{names[0]}{suffix}"))


def _inside(folder: str, name: str) -> Iterator[str]:
    """A relative path in a folder, unless it leads out of the workspace."""
    path = posixpath.normpath(posixpath.join(folder, name))
    if not path.startswith(("../", "/")) and path not in {".", ".."}:
        yield path


def _naming(package: str, lines: Sequence[str]) -> Sequence[str]:
    """The folder of the file that names a module, as the lines tell it; nothing where they do not."""
    for line in lines:
        if found := _IN_FOLDER.search(line):
            return (found[1],)
        if found := _IN_FILE.search(line):
            return (posixpath.dirname(found[2] if found[1] else posixpath.join(package, found[2])),)
    return ()


def _explain(failed: Failed, path: str) -> str:
    """Why the build has not got a path that the workspace has; "" where it has, or nobody knows."""
    stage, members = failed.stage, failed.workspace.packages
    owner = max((p for p in members if f"{path}/".startswith(f"{p.path}/")), key=lambda p: len(p.path), default=None)
    if owner and owner.path in stage.needs:
        return ""
    if owner and owner.path != stage.package:
        return f"it reads {path}: add {owner.name} to {failed.key}.needs"
    if not failed.in_clone(path):
        cloned = "builds get what a clone has: track it, or let a script before make it"
        return f"it reads {path}, which git ignores, and {cloned}"
    there = (stage.package, *stage.needs, *stage.inputs, *stage.reads, *stage.beside, *failed.root_files)
    if rule := failed.kept(path):
        return f"it reads {path}: {rule}"
    if not stage.package or any(f"{path}/".startswith(f"{t}/") for t in there):
        return ""
    return f"it reads {path} outside its folder: add the file, or the folder of it, to {failed.key}.inputs"


def _missing_commands(failed: Failed, lines: Sequence[str]) -> Iterator[str]:
    """Commands that no installed package brings."""
    manifest = failed.package.file("package.json")
    for name in (m[1] for line in lines if (m := _COMMAND.match(line.strip()))):
        yield f"it calls {name}: declare what brings it in {manifest}, or set {failed.key}.build = false"


_GIT_LOGIN = (
    "a dependency comes from a git repository that wants a login: give [secrets.git] with ssh = true in bake.toml (the "
    'agent of $SSH_AUTH_SOCK), or with file = "~/.ssh/id_ed25519" too'
)
_INSTALLS = {
    r"\bspawn git\b.*ENOENT|\bgit: (?:command )?not found|syscall spawn git": (
        "base.build lacks git, which a dependency is fetched with: name an image that has it, such as node:24, and not "
        "its slim variant"
    ),
    r"Could not resolve hostname (?P<what>[\w.-]+)": (
        "the build does not reach the host{what}: see the engine's network and proxy settings"
    ),
    r"Permission denied \(publickey|Host key verification failed|could not read Username|\bgit (?:--\S+ )*ls-remote"
    r"|Could not read from remote repository": _GIT_LOGIN,
    r"pkg-config: (?:command )?not found|No package '(?P<what>[\w.+-]+)' found|Package \S+ was not found in the": (
        "an install script needs a library of the system{what}, which base.build lacks: give an image of your own that "
        "has its headers and pkg-config"
    ),
    r"gyp ERR! find Python|Could not find any Python|not found: make|(?:make|g\+\+|cc1plus)(?:: command)?: not found": (
        "base.build lacks Python or a compiler for an install script: name an image with both, such as node:24, "
        "and not its slim variant"
    ),
    r"EINTEGRITY|ERR_PNPM_TARBALL_INTEGRITY|YN0018": (
        "the registry's bytes are not those of the lockfile: find out which are right"
    ),
    r"\bE40[13]\b|ERR_PNPM_FETCH_40[13]|YN0041": (
        "the npm registry wants a login: give an .npmrc with it as [secrets.npmrc] in bake.toml"
    ),
    r"404 Not Found - GET (?P<what>\S+)|\bE404\b|ERR_PNPM_FETCH_404|YN0035": (
        "the npm registry has no such package{what}, or shows it after a login: see .npmrc, and [secrets.npmrc] in "
        "bake.toml"
    ),
    r"SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY_LEAF": (
        "the build does not trust the certificate: give its CA as [secrets.ca] in bake.toml"
    ),
    r"(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT)(?: (?P<what>[\w.:-]+))?": (
        "the build does not reach the host{what}: see .npmrc, and the engine's network and proxy settings"
    ),
}
"""What a failed install says -> what to do.

Sources: docs.npmjs.com; pnpm.io/errors; yarnpkg.com/advanced/error-codes.
"""


def install_remedy(lines: Sequence[str]) -> str:
    """Return what to do about a failed step that is no package's build: an install, an install script."""
    text = "\n".join(lines)
    for said, told in _INSTALLS.items():
        if found := re.search(said, text):
            what = found.groupdict().get("what")
            return told.format(what=f" ({what})" if what else "")
    return "its output is above"
