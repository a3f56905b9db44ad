"""What differs between npm, pnpm and yarn in a build: commands, caches, files. Only `load_` functions read files.

Sources: https://docs.npmjs.com/cli/commands/npm-ci, https://pnpm.io/cli/install, https://pnpm.io/settings,
https://yarnpkg.com/cli/install, https://yarnpkg.com/configuration/yarnrc, https://classic.yarnpkg.com/docs/cli/install.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from bake.errors import WorkspaceError
from bake.files import is_inside, normal, npmrc_option, parse_npmrc, parse_yaml, read_text, table, words
from bake.lockfile import node_platform, pnpm, yarn
from bake.semver import satisfies

Layout = Literal["places", "walk"]


def _no_files() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """A package manager as the stages of a build use it; every command runs at the workspace's root.

    setup: brings it into a base image that has only Node and npm; "" when it is there. install: everything.
    production: without development packages, for $cpu (npm's word for the target's) where it names it.
    run: words before a script's name. rebuild: words before the names of packages whose scripts shall run; ""
    when bake runs these scripts itself. cache: the directory that installs share. files: what installs read
    beside the manifests, path -> text. layout: "places" when the lockfile tells where packages will lie, "walk" when
    only the installed tree does. patches: whether patch-package finds its way in the tree. hoisted: folders of links
    that the manager makes on its own account. public: patterns of names that it links at the root for everybody.
    isolates: scripts run without the records of the whole installation. hooks: `prestart` is run before `start`.
    """

    name: str
    install: str
    production: str
    run: str
    cache: str
    setup: str = ""
    rebuild: str = ""
    files: Mapping[str, str] = field(default_factory=_no_files)
    layout: Layout = "places"
    patches: bool = True
    hoisted: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    isolates: bool = True
    hooks: bool = True


NPM = Manager(
    name="npm",
    install="npm ci --ignore-scripts --no-audit --no-fund",
    production="npm ci --omit=dev --ignore-scripts --no-audit --no-fund --os=linux --cpu=$cpu",
    run="npm run",
    cache="/root/.npm",
    rebuild="npm rebuild --ignore-scripts=false --foreground-scripts",
)

PNPM = "10"
"""Which pnpm builds use when package.json names none."""

BERRY = "4"
CLASSIC = "1.22.22"
"""Which yarn builds use, likewise."""

BUILD_ROOT = "/app"
"""Where the workspace lies in build stages, and in images (bake.plan.TREE)."""

_PNPM_HOME = "/root/.pnpm"
_PNPM_OPTIONS = " ".join(
    (
        "--ignore-scripts",
        # Copies: the carved files' modes and times are changed, the store's must not be.
        "--config.package-import-method=copy",
        f"--config.store-dir={_PNPM_HOME}/store",
        f"--config.cache-dir={_PNPM_HOME}/cache",
        # The names that bake.pnpm expects, whatever the workspace's settings are.
        "--config.virtual-store-dir=node_modules/.pnpm",
        "--config.virtual-store-dir-max-length=120",
        "--config.enable-global-virtual-store=false",
        # Scripts in node_modules/.bin would name the build's paths.
        "--config.prefer-symlinked-executables=true",
        # The version is there already; pnpm 12 would want the lockfile to hold it.
        "--config.manage-package-manager-versions=false",
        "--config.pm-on-fail=ignore",
        "--config.confirm-modules-purge=false",
    )
)


def make_pnpm(version: str, *, files: Mapping[str, str], hoisted: bool) -> Manager:
    """Return pnpm in a version (or range). hoisted: the workspace sets `node-linker=hoisted`."""
    install = f"CI=true pnpm install --frozen-lockfile {_PNPM_OPTIONS}"
    # What pnpm's own scripts in node_modules/.bin, which builds do not have, let programs find.
    path = "" if hoisted else f"NODE_PATH={BUILD_ROOT}/node_modules/.pnpm/node_modules "
    return Manager(
        name="pnpm",
        setup=f"npm install --global --no-audit --no-fund pnpm@{version}",
        install=install,
        production=f"{install} --prod",
        run=f"{path}pnpm --config.verify-deps-before-run=false --config.pm-on-fail=ignore run",
        cache=_PNPM_HOME,
        files=files,
        layout="walk" if hoisted else "places",
        patches=hoisted,
        hoisted=() if hoisted else ("node_modules/.pnpm/node_modules", "node_modules"),
    )


_YARN_HOME = "/root/.yarn-bake"
_BERRY = " ".join(
    (
        f"YARN_GLOBAL_FOLDER={_YARN_HOME}",
        "YARN_ENABLE_GLOBAL_CACHE=true",
        "YARN_ENABLE_TELEMETRY=false",
        "YARN_ENABLE_PROGRESS_BARS=false",
        # A check of the workspace's, by code that need not be there.
        "YARN_ENABLE_CONSTRAINTS_CHECKS=false",
        # Copies: hard links into the shared cache would change with the carved files.
        "YARN_NM_MODE=classic",
    )
)


def make_berry(version: str, *, release: str, files: Mapping[str, str]) -> Manager:
    """Return yarn 3 or newer. release: the committed file that `yarnPath` names; "" to install that version."""
    command = f"node {shlex.quote(f'{BUILD_ROOT}/{release}')}" if release else "yarn"
    install = f"{_BERRY} {command} install --immutable --mode=skip-build"
    made = _make_yarn(f"@yarnpkg/cli-dist@{version}", command, install, release=release, files=files)
    # Its `run` asks .yarn-state.yml, which tells of every package.
    return replace(made, isolates=False, hooks=False)


def make_classic(version: str, *, release: str, files: Mapping[str, str]) -> Manager:
    """Return yarn 1. release: the committed file that `yarn-path` names; "" to install that version."""
    command = f"node {shlex.quote(f'{BUILD_ROOT}/{release}')}" if release else "yarn"
    options = f"--frozen-lockfile --ignore-scripts --ignore-engines --non-interactive --cache-folder {_YARN_HOME}"
    # Packages of every platform: yarn 1 cannot be told another platform than its own. Its own 30 seconds for a
    # package are too few where several installs share a line.
    install = f"{command} install {options} --ignore-platform --network-timeout 300000"
    return _make_yarn(f"yarn@{version}", command, install, release=release, files=files)


def _make_yarn(package: str, command: str, install: str, *, release: str, files: Mapping[str, str]) -> Manager:
    """What every yarn has in common. package: what npm installs where no release is committed."""
    return Manager(
        name="yarn",
        # Official Node images have a yarn 1 in the place of the command.
        setup="" if release else f"npm install --global --force --no-audit --no-fund {package}",
        install=install,
        production=install,
        run=f"{command} run",
        cache=_YARN_HOME,
        files=files,
        layout="walk",
    )


def load_yarn(root: Path, manifest: Mapping[str, Any], text: str) -> Manager:
    """Return the workspace's yarn. text: its yarn.lock. Raises WorkspaceError for settings not supported."""
    return _load_classic(root, manifest) if yarn.is_classic(text) else _load_berry(root, manifest)


def _load_berry(root: Path, manifest: Mapping[str, Any]) -> Manager:
    text = read_text(root, yarn.SETTINGS) or ""
    settings = parse_yaml(text, yarn.SETTINGS)
    linker = str(settings.get("nodeLinker") or "pnp")
    if linker != "node-modules":
        what = "Plug'n'Play is not supported" if linker == "pnp" else f"nodeLinker: {linker} is not supported"
        raise WorkspaceError(yarn.SETTINGS, what, "set `nodeLinker: node-modules` and run `yarn install`")
    release = str(settings.get("yarnPath") or "").removeprefix("./")
    given = settings.get("plugins")
    plugins = (table({"": one}, "").get("path", one) for one in (given if isinstance(given, list) else ()))
    patches = sorted(path.relative_to(root).as_posix() for path in (root / ".yarn/patches").glob("*"))
    named = {"yarnPath": [release], "plugins": [one for one in plugins if isinstance(one, str)]}
    files = {
        **_load_files(root, (yarn.LOCKFILE, *patches)),
        **{
            n: t for key, names in named.items() for n, t in _load_files(root, names, f"{yarn.SETTINGS}: {key}").items()
        },
    }
    name, version = parse_package_manager(manifest)
    known = version if name == "yarn" and not version.startswith("1.") else ""
    return make_berry(
        known or BERRY,
        release=release if release in files else "",
        files={**files, yarn.SETTINGS: strip_yarn_credentials(text)},
    )


def _load_classic(root: Path, manifest: Mapping[str, Any]) -> Manager:
    text = read_text(root, ".yarnrc") or ""
    named = re.search(r'^\s*yarn-path\s+"?([^"\n]+)"?', text, re.M)
    release = named[1].removeprefix("./") if named else ""
    # .yarnrc names folders of the developer's machine as often as a release.
    files = _load_files(root, (yarn.LOCKFILE, *([release] if is_inside(root, release) else [])))
    name, version = parse_package_manager(manifest)
    known = version if name == "yarn" and version.startswith("1.") else CLASSIC
    return make_classic(known, release=release if release in files else "", files=files)


def strip_yarn_credentials(text: str) -> str:
    """Return the text of a .yarnrc.yml without tokens, passwords and comments.

    Raises WorkspaceError where one is written in more than a line of its own.
    """
    lines = [line for one in text.splitlines() if (line := re.sub(r"(^|[ \t])#[^'\"]*$", "", one)).strip()]
    kept = "".join(f"{line}\n" for line in lines if not _YARN_CREDENTIAL.search(line))
    left = parse_yaml(kept, yarn.SETTINGS)
    # What is left of a text of several lines is no setting.
    torn = not left and kept.strip("-\n") and len(kept.splitlines()) < len(lines)
    if torn or left != (_without_credentials(parse_yaml(text, yarn.SETTINGS)) or {}):
        remedy = "write each credential in a line of its own, or in the .yarnrc.yml of your home"
        raise WorkspaceError(yarn.SETTINGS, "holds a credential that bake cannot leave out of builds", remedy)
    return kept


_CREDENTIAL_KEYS = frozenset({"npmAuthToken", "npmAuthIdent"})
_LOGIN = r"https?://[^/\s]*@"
_YARN_CREDENTIAL = re.compile(rf"^\s*[\"']?({'|'.join(sorted(_CREDENTIAL_KEYS))})[\"']?\s*:|^\s*[\w-]+\s*:.*{_LOGIN}")


def _without_credentials(value: Any) -> Any:
    """What is left of a setting; an empty table is written as nothing."""
    if isinstance(value, dict):
        kept = {k: _without_credentials(v) for k, v in value.items() if k not in _CREDENTIAL_KEYS and not _is_login(v)}
        return kept or ({} if not value else "")
    return [_without_credentials(one) for one in value] if isinstance(value, list) else value


def _is_login(value: object) -> bool:
    return isinstance(value, str) and re.search(_LOGIN, value) is not None


def load_pnpm(root: Path, manifest: Mapping[str, Any], settings: Mapping[str, Any]) -> Manager:
    """Return the workspace's pnpm. settings: what pnpm-workspace.yaml holds.

    Raises WorkspaceError for settings that bake does not support.
    """
    npmrc = parse_npmrc(read_text(root, ".npmrc") or "")

    def setting(name: str) -> str:
        camel = re.sub(r"-(.)", lambda match: match[1].upper(), name)
        return str(settings.get(camel) or npmrc_option(npmrc, name))

    linker = setting("node-linker")
    if linker not in ("", "isolated", "hoisted"):
        raise WorkspaceError("pnpm", f"node-linker={linker} is not supported", "set it to isolated or hoisted")
    if setting("shared-workspace-lockfile") == "false":
        what = "shared-workspace-lockfile=false is not supported"
        raise WorkspaceError("pnpm", what, "remove the setting and run `pnpm install`")
    patches = {**table(settings, "patchedDependencies"), **table(table(manifest, "pnpm"), "patchedDependencies")}
    files = {
        **_load_files(root, (pnpm.LOCKFILE, pnpm.SETTINGS, ".pnpmfile.cjs", ".pnpmfile.mjs")),
        **_load_files(root, map(str, patches.values()), "patchedDependencies"),
    }
    tool = make_pnpm(_pnpm_version(manifest), files=files, hoisted=linker == "hoisted")
    patterns = words(settings.get("publicHoistPattern")) or tuple(filter(None, npmrc.get("public-hoist-pattern", ())))
    return replace(tool, public=("*",) if setting("shamefully-hoist") == "true" else patterns)


def _wanted_pnpm(manifest: Mapping[str, Any]) -> str:
    """Return the major version that `devEngines` or `engines` allow: the usual one, else the least.

    pnpm refuses a workspace whose engines want another pnpm.
    """
    tool = table(table(manifest, "devEngines"), "packageManager")
    range_ = str(tool.get("version") or "") if tool.get("name") == "pnpm" else ""
    range_ = range_ or str(table(manifest, "engines").get("pnpm") or "")
    least = re.search(r"\d+", range_)
    return PNPM if not least or satisfies(f"{PNPM}.999.0", range_) else str(max(9, int(least[0])))


def _pnpm_version(manifest: Mapping[str, Any]) -> str:
    name, version = parse_package_manager(manifest)
    if name != "pnpm" or not version:
        return _wanted_pnpm(manifest)
    if not re.match(r"\d+(\.|$)", version) or int(version.partition(".")[0]) < 9:
        what = f"packageManager names pnpm {version}, bake supports pnpm 9 and newer"
        raise WorkspaceError("package.json", what, "run `corepack use pnpm@latest-10`")
    return version


def _load_files(root: Path, names: Iterable[str], where: str = "") -> Mapping[str, str]:
    """The texts of those files that are there, by their paths from the root. where: what names them."""
    texts = ((normal(name) or name, read_text(root, name, where=where)) for name in names)
    return {name: text for name, text in texts if text is not None}


def staged_files(manager: Manager, platforms: Iterable[str], libcs: Iterable[str]) -> Mapping[str, str]:
    """Return the files that installs read, path -> text, with every target platform among their settings."""
    files = dict(manager.files)
    settings = {"pnpm": "pnpm-workspace.yaml", "yarn": ".yarnrc.yml"}.get(manager.name)
    if settings is not None and (manager.name == "pnpm" or settings in files):
        files[settings] = _with_platforms(files.get(settings, ""), supported_platforms(platforms, libcs))
    return files


def manifest_settings(
    manager: Manager, manifest: Mapping[str, Any], platforms: Iterable[str], libcs: Iterable[str]
) -> Mapping[str, Any]:
    """Return the fields of the root's package.json that hold settings of the manager, for every platform.

    pnpm 9 reads supportedArchitectures there, pnpm 11 in pnpm-workspace.yaml only, pnpm 10 in both.
    """
    if manager.name != "pnpm":
        return {}
    supported = {key: list(words) for key, words in supported_platforms(platforms, libcs).items()}
    return {"pnpm": {**table(manifest, "pnpm"), "supportedArchitectures": supported}}


def supported_platforms(platforms: Iterable[str], libcs: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Return `supportedArchitectures` of pnpm and yarn: the build's own platform and every target."""
    pairs = [node_platform(platform) for platform in platforms]
    return {
        "os": tuple(dict.fromkeys(("current", *(system for system, _ in pairs)))),
        "cpu": tuple(dict.fromkeys(("current", *(cpu for _, cpu in pairs)))),
        "libc": tuple(dict.fromkeys(("current", *libcs))),
    }


def _with_platforms(text: str, supported: Mapping[str, Iterable[str]]) -> str:
    """Put the setting into the text of a YAML file, instead of the one that it has."""
    kept = re.sub(r"^supportedArchitectures:[^\n]*\n?(?:(?:[ \t]+[^\n]*|\s*)\n)*", "", f"{text.rstrip()}\n", flags=re.M)
    lines = [f"  {key}: [{', '.join(words)}]" for key, words in supported.items()]
    return "\n".join((*([kept.strip()] if kept.strip() else []), "supportedArchitectures:", *lines, ""))


def parse_package_manager(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Return (name, version) of package.json's `packageManager`; ("", "") when it names none.

    Source: https://nodejs.org/api/packages.html#packagemanager; a hash may follow the version. Raises WorkspaceError
    for what is no version: builds install what it says by a shell's command.
    """
    value = manifest.get("packageManager")
    if not isinstance(value, str):
        return "", ""
    name, _, version = value.partition("@")
    plain = version.partition("+")[0]
    if plain and not _VERSION.fullmatch(plain):
        raise WorkspaceError("package.json: packageManager", f"{value!r} names no version", f"write {name}@<version>")
    return name, plain


_VERSION = re.compile(r"[\w.-]+")
