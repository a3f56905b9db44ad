"""What the output of a failed build says is missing, and what to do about it. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bake.plan import TREE, Stage
from bake.sources import package_name
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
    """A build that failed. root_files: what every stage has. exists: of a path in the workspace."""

    workspace: Workspace
    stage: Stage
    root_files: Sequence[str]
    exists: Callable[[str], bool]

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
        if name.startswith("../"):
            yield f"it reads {name} outside its folder: add the file to {failed.key}.inputs"
        elif wanted != failed.package.name and (wanted in installed or (wanted and failed.workspace.find(wanted))):
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
    """Files of the workspace that a tool looked for by their place in the image."""
    there = (failed.stage.package, *failed.stage.needs, *failed.stage.inputs, *failed.stage.reads, *failed.root_files)
    for path in (m[1] for line in lines if _MISSING.search(line) for m in _FILE.finditer(line)):
        if "node_modules" in path or any(f"{path}/".startswith(f"{t}/") for t in there) or not failed.exists(path):
            continue
        members = failed.workspace.packages
        owner = next((p.name for p in members if f"{path}/".startswith(f"{p.path}/")), "")
        if owner:
            yield f"it reads {path}: add {owner} to {failed.key}.needs"
        elif failed.stage.package:
            yield f"it reads {path} outside its folder: add the file, or the folder of it, to {failed.key}.inputs"


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
