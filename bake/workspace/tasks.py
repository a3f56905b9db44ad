"""What a workspace runs before and beside the builds of its packages: tasks of turbo, Nx and lage, steps of the root.

Sources: turborepo.com/docs/reference/configuration; nx.dev/reference/project-configuration; github.com/google/wireit;
microsoft.github.io/lage/docs/guides/pipeline.
"""

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from posixpath import join, normpath, relpath
from typing import Any, Final

from bake.files import table, words
from bake.lockfile import steps
from bake.shell import Step, parse_call, parse_line, split_words, unwrap
from bake.workspace.packages import Package, member_of
from bake.workspace.tsconfig import TsConfigs, parse_jsonc

_CHECKS: Final = frozenset(
    {"lint", "test", "typecheck", "type-check", "check-types", "check", "format", "dev", "clean"}
)
"""Tasks that make nothing that a build reads, and want tools and services that a build has not."""

_ROOT_TASK: Final = "//#"
"""What turbo puts before a script of the root; packages have none of that name."""

Needs = Mapping[str, tuple[str, ...]]
"""Task -> what runs first: `codegen` of the same package, `^build` of those it needs, `lib#build` of one."""


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """What runs first, beside what npm runs around a script by itself.

    shared: for the tasks of every package. own: package path -> the same for its own. first: scripts that the root's
    build runs in packages before theirs, with the names of the packages, () for all. compiled: path of a package
    without the script -> the command by which the root compiles it, or Nx; of the root what its script does for itself.
    made: package path -> commands of the root's build that name it, before packages are built. makers: package path ->
    the files that these commands name.
    """

    shared: Needs = field(default_factory=dict)
    own: Mapping[str, Needs] = field(default_factory=dict)
    first: tuple[tuple[str, tuple[str, ...]], ...] = ()
    compiled: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    makers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def named(self) -> frozenset[str]:
        """The names of tasks that any task asks for."""
        needs = (self.shared, *self.own.values())
        asked = (name for each in needs for names in each.values() for name in names)
        return frozenset(name.lstrip("^").rpartition("#")[2] for name in asked)

    def before(self, package: Package, task: str) -> tuple[str, ...]:
        """Return what runs before a task of a package, in order."""
        named = self.own.get(package.path, {}).get(task)
        return self.shared.get(task, ()) if named is None else named

    def prepared(self, package: Package) -> Iterator[str]:
        """Yield the scripts of a package that the root's build runs before its build."""
        for script, names in self.first:
            if script in package.scripts and (
                not names or not {package.name, package.path, f"./{package.path}"}.isdisjoint(names)
            ):
                yield script


def load_tasks(root: Path, packages: Iterable[Package], script: str) -> Tasks:
    """Read the tasks of a workspace. packages: with the root first. script: the one that builds.

    What cannot be read says nothing: its own tool will complain.
    """
    everyone = tuple(packages)
    turbo, nx = _read_json(root / "turbo.json"), _read_json(root / "nx.json")
    tasks = {**_lage_tasks(root), **table(turbo, "pipeline"), **table(turbo, "tasks")}
    names = {package.name: package for package in everyone}
    makers = _load_makers(root, everyone, script)
    defaults = {task: _nx_needs(about, names) for task, about in table(nx, "targetDefaults").items()}
    return Tasks(
        shared={**defaults, **{task: _turbo_needs(about) for task, about in tasks.items() if "#" not in task}},
        own={p.path: own for p in everyone if (own := _own_needs(root, p, tasks, names))},
        first=tuple(_first_scripts(everyone[0], script)),
        made={path: tuple(commands) for path, commands in makers.items()},
        makers={path: tuple(f for files in commands.values() for f in files) for path, commands in makers.items()},
        compiled={
            **_built_by_nx(root, everyone, script),
            **_compiled_by_root(root, everyone, script),
            **({"": mine} if (mine := own_steps(everyone[0], script)) else {}),
        },
    )


def _read_json(file: Path) -> Mapping[str, Any]:
    try:
        value = parse_jsonc(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


_PIPELINE: Final = re.compile(r"\bpipeline\s*:\s*(?=\{)")
_REMARK: Final = re.compile(r"(?<!\S)//[^\n]*|/\*.*?\*/", re.S)
_QUOTED: Final = re.compile(r"'([^'\\\n]*)'|`([^`$\\]*)`")
_KEY: Final = re.compile(r"([{,]\s*)([A-Za-z_$][\w$]*)(?=\s*:)")


def _lage_tasks(root: Path) -> Mapping[str, Mapping[str, Any]]:
    """The tasks of lage's pipeline in turbo's words, where they stand there as a literal; {} for what is computed."""
    given = next((t for end in ("js", "cjs", "mjs", "ts") if (t := _script_text(root / f"lage.config.{end}"))), "")
    text = _REMARK.sub("", given)
    found = _PIPELINE.search(text)
    if found is None:
        return {}
    depths = accumulate({"{": 1, "}": -1}.get(char, 0) for char in text[found.end() :])
    end = next((at for at, depth in enumerate(depths) if not depth), len(text))
    plain = _QUOTED.sub(lambda m: json.dumps(m[1] or m[2] or ""), text[found.end() : found.end() + end + 1])
    try:
        value = parse_jsonc(_KEY.sub(r'\1"\2"', plain))
    except ValueError:
        return {}
    rows = ((task, a if isinstance(a, list) else a.get("dependsOn")) for task, a in value.items() if a)
    return {task: {"dependsOn": [str(n).replace("^^", "^") for n in named or ()]} for task, named in rows}


def _turbo_needs(about: Any) -> tuple[str, ...]:
    named = words(about.get("dependsOn")) if isinstance(about, dict) else ()
    return tuple(_without_checks(name for name in named if not name.startswith(("$", _ROOT_TASK))))


def _without_checks(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if name.lstrip("^").rpartition("#")[2].partition(":")[0] not in _CHECKS)


def _nx_needs(about: Any, names: Mapping[str, Package]) -> tuple[str, ...]:
    named = about.get("dependsOn") if isinstance(about, dict) else ()
    rows = named if isinstance(named, list) else ()
    return tuple(_without_checks(one for each in rows for one in _nx_names(each, names)))


def _nx_names(one: Any, names: Mapping[str, Package]) -> Iterator[str]:
    """Yield what one item of Nx's `dependsOn` says, in turbo's words."""
    if isinstance(one, str):
        project, colon, target = one.partition(":")
        yield f"{project}#{target}" if colon and project in names else one
    elif isinstance(one, dict) and isinstance(one.get("target"), str):
        target = str(one["target"])
        projects = one.get("projects")
        if one.get("dependencies") or projects == "dependencies":
            yield f"^{target}"
        else:
            chosen = words(projects) or ("self",)
            yield from (target if project == "self" else f"{project}#{target}" for project in chosen)


def _own_needs(root: Path, package: Package, tasks: Mapping[str, Any], names: Mapping[str, Package]) -> Needs:
    """What a package's own files say, and what turbo.json says of it by name."""
    folder = root / package.path
    prefix = f"{package.name}#"
    own = {task.removeprefix(prefix): _turbo_needs(about) for task, about in tasks.items() if task.startswith(prefix)}
    if package.path:
        turbo = _read_json(folder / "turbo.json")
        mine = {**table(turbo, "pipeline"), **table(turbo, "tasks")}
        own |= {
            task: _turbo_needs(about)
            for task, about in mine.items()
            if isinstance(about, dict) and "dependsOn" in about
        }
    targets = {
        **table(_read_json(folder / "project.json"), "targets"),
        **table(table(package.manifest, "nx"), "targets"),
    }
    own |= {t: _nx_needs(a, names) for t, a in targets.items() if isinstance(a, dict) and "dependsOn" in a}
    wireit = table(package.manifest, "wireit")
    elsewhere = {path.path: path.name for path in names.values()}
    return own | {task: made for task, about in wireit.items() if (made := tuple(_wireit(package, about, elsewhere)))}


def _wireit(package: Package, about: Any, names: Mapping[str, str]) -> Iterator[str]:
    """Yield the scripts of other packages that one of wireit's asks for: it runs those of its own package itself."""
    named = about.get("dependencies") if isinstance(about, dict) else ()
    for one in named if isinstance(named, list) else ():
        text = one.get("script") if isinstance(one, dict) else one
        folder, colon, script = str(text).rpartition(":")
        path = normpath(join(package.path, folder))
        if colon and folder.startswith(".") and path in names:
            yield f"{names[path]}#{script}"


# --- what the root's script makes itself ---------------------------------------------------------------

_HANDED_ON: Final = (("npx",), ("pnpm",), ("yarn",), ("bunx",))
_NO_MAKERS: Final = frozenset(
    {"cd", "echo", "mkdir", "rm", "rimraf", "del", "tsc", "turbo", "nx", "lerna", "eslint", "prettier", "biome", "test"}
    | {"vitest", "jest", "set", "export", "true", "exit", "husky", "wsrun", "concurrently", "docker", "git", "wireit"}
    | {"lage", "moon", "rush"}
)
"""Commands of a root's build that make no sources: they tidy up, look, or build packages."""
_CONFIGURATIONS: Final = ("*codegen*.*", "buf.gen.yaml", "buf.yaml", "orval.config.*", "openapi-ts.config.*")
_WRITES: Final = re.compile(r"\b(?:write|append|output|cp|copy|rename|symlink|exec|spawn)\w*\s*\(|createWriteStream")
_SCRIPTS: Final = (".js", ".mjs", ".cjs", ".ts")
_LARGEST: Final = 1 << 17


def _load_makers(root: Path, packages: Iterable[Package], script: str) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Package path -> commands of the root's build that name it before packages are built -> the files that they name.

    A command names a package by its words, or by the text of a script or of its tool's configuration.
    """
    first, *members = packages
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for command, files, texts in _writing(root, first, script) if members else ():
        joined = re.sub(r"['\"`]\s*,\s*['\"`]", "/", "\n".join(texts))
        for member in members:
            if re.search(rf"(?<![\w-]){re.escape(member.path)}(?![\w-])", joined):
                found.setdefault(member.path, {})[command] = files
    return found


def unplaced_makers(root: Path, packages: Sequence[Package], script: str) -> tuple[str, ...]:
    """Commands of the root's build that may make sources, and that no package is known for: nothing runs them."""
    made = {command for commands in _load_makers(root, packages, script).values() for command in commands}
    found = (command for command, _, _ in _writing(root, packages[0], script)) if len(packages) > 1 else ()
    return tuple(dict.fromkeys(command for command in found if command not in made))


def _writing(root: Path, package: Package, script: str) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield commands that may make sources, each with the files that it names, and texts: scripts have to write."""
    asked = (step.text for task in _root_tasks(root, script) for step in _steps_around(package, task))
    for command in dict.fromkeys((*_makers(package, script), *asked)):
        files = tuple(_named_files(root, command))
        texts = (command, *(_script_text(root / file) for file in files))
        if not any(file.endswith(_SCRIPTS) for file in files) or any(map(_WRITES.search, texts)):
            yield command, files, texts


def _root_tasks(root: Path, script: str) -> Iterator[str]:
    """Yield the scripts of the root that turbo.json has run before packages are built: `dependsOn: ["//#codegen"]`."""
    turbo = _read_json(root / "turbo.json")
    for task, about in {**table(turbo, "pipeline"), **table(turbo, "tasks")}.items():
        if task.rpartition("#")[2] == script and isinstance(about, dict):
            roots = (name for name in words(about.get("dependsOn")) if name.startswith(_ROOT_TASK))
            yield from _without_checks(name.removeprefix(_ROOT_TASK) for name in roots)


def _makers(root: Package, script: str) -> Iterator[str]:
    """Yield the commands of the root's build before it builds packages that may make sources."""
    for step in _steps_around(root, script):
        words = unwrap(step.words).words
        called = words[1:] if words[:1] in _HANDED_ON else words
        call = parse_call(words)
        if call is not None and (call.every or call.packages) and call.name == script:
            return
        whole = call is not None and (call.every or call.packages or call.verb == "run")
        if called and not whole and called[0] not in _NO_MAKERS and not called[0].startswith("-"):
            yield step.text


def _named_files(root: Path, command: str) -> Iterator[str]:
    words = [word.partition("=")[2] or word for word in split_words(command)]
    for word in words:
        place = normpath(word)
        if not place.startswith(("/", "..")) and (root / place).is_file():
            yield place
    if not any(word.endswith(_SCRIPTS) for word in words):
        yield from sorted(f.name for pattern in _CONFIGURATIONS for f in root.glob(pattern) if f.is_file())


def _script_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace") if file.stat().st_size <= _LARGEST else ""
    except OSError:
        return ""


# --- the root's own script -----------------------------------------------------------------------------


def _first_scripts(root: Package, script: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what the root's build runs in packages before it builds them."""
    for step in _steps_around(root, script):
        call = parse_call(step.words)
        if call is None or not call.name or not (call.every or call.packages):
            continue
        if call.name == script:
            return
        if next(_without_checks((call.name,)), ""):
            yield call.name, call.packages


def _steps_around(root: Package, script: str) -> Iterator[Step]:
    """Yield the commands of a script of the root, after those that npm runs before it."""
    for text in (*steps(root.scripts, f"pre{script}"), *steps(root.scripts, script)):
        yield from parse_line(text)


def _compiled_by_root(root: Path, packages: tuple[Package, ...], script: str) -> Mapping[str, str]:
    """Package path -> the command that compiles it alone, of those that `tsc -b` or `tsc -p` of the root compile."""
    members = frozenset(package.path for package in packages if package.path)
    configs = TsConfigs(str(root), {package.name: str(root / package.path) for package in packages})
    found: dict[str, str] = {}
    for text in steps(packages[0].scripts, script):
        for step in parse_line(text):
            for option, file in _compiled_files(configs, root, step.words):
                if member := member_of(file, members):
                    inside = shlex.quote(file.removeprefix(f"{member}/"))
                    found.setdefault(member, f"tsc {option} {inside}")
    return found


# --- Nx's own targets ----------------------------------------------------------------------------------

_DEEPEST: Final = 4  # folders between the root and a project


def _built_by_nx(root: Path, packages: tuple[Package, ...], script: str) -> Mapping[str, str]:
    """The root's path -> the command that builds the applications in its folder, where Nx has a target for that.

    Packages of their own have scripts. Source: nx.dev/nx-api/nx/documents/run-many.
    """
    members = frozenset(package.path for package in packages if package.path)
    names: list[str] = []
    for folder in _nx_projects(root, _DEEPEST) if (root / "nx.json").is_file() else ():
        config = _read_json(folder / "project.json")
        application = config.get("projectType") == "application" and script in table(config, "targets")
        if application and not member_of(folder.relative_to(root).as_posix(), members):
            names.append(str(config.get("name") or folder.name))
    # The daemon would stay behind, and its answers come from before the files were there.
    command = f"NX_DAEMON=false nx run-many -t {script} -p {shlex.quote(','.join(sorted(names)))}"
    return {"": command} if names else {}


def _nx_projects(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the folders below one that have a project.json, sorted."""
    if (folder / "project.json").is_file():
        yield folder
    names = sorted(each.name for each in os.scandir(folder) if each.is_dir(follow_symlinks=False)) if depth else ()
    for name in names:
        if name not in {"node_modules", "dist", "tmp"} and not name.startswith("."):
            yield from _nx_projects(folder / name, depth - 1)


# --- the root's own part -------------------------------------------------------------------------------

ORCHESTRATORS: Final = ("turbo", "nx", "lerna", "wsrun", "moon", "lage", "rush")
"""Commands that run the scripts of packages."""


def own_steps(root: Package, script: str) -> str:
    """Return what a script of the root does beside handing on to packages: `tsc` of `tsc && npm run build -ws`.

    "" where it does one of both only, or what it does cannot be taken apart.
    """
    lines = [line for text in steps(root.scripts, script) for line in parse_line(text)]
    own = [line.text for line in lines if not _hands_on(line.words)]
    plain = all(line.words[0] not in {"cd", "pushd"} for line in lines) and _is_a_chain(root.scripts, script)
    return " && ".join(own) if plain and len(own) < len(lines) else ""


def _is_a_chain(scripts: Mapping[str, str], name: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a script, and those that it calls, do one thing after another."""
    lines = parse_line(scripts.get(name, ""))
    called = {call.name for line in lines if (call := parse_call(line.words))} & scripts.keys() - seen - {name}
    return all(line.joint in {"", "&&"} for line in lines) and all(
        _is_a_chain(scripts, c, seen | {name}) for c in called
    )


def _hands_on(called: tuple[str, ...]) -> bool:
    call = parse_call(called)
    return call is not None and (call.every or bool(call.packages) or call.tool in ORCHESTRATORS)


# --- the root's compiler -------------------------------------------------------------------------------


def _expanded(root: Path, word: str) -> tuple[str, ...]:
    """What a shell makes of a word with wildcards."""
    if not set("*?[") & {*word} or word.startswith(("/", "..")):
        return (word,)
    return tuple(sorted(place.relative_to(root).as_posix() for place in root.glob(word)))


def _compiled_files(configs: TsConfigs, root: Path, called: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the tsconfig files of the workspace that a command compiles, with the option for one of them."""
    called = called[1:] if called[:1] in _HANDED_ON else called
    called = called[1:] if called[:1] == ("exec",) else called
    if called[:1] != ("tsc",):
        return
    plain = [place for word in called[1:] if not word.startswith("-") for place in _expanded(root, word)]
    files: Iterable[str] = ()
    option = "-b" if {"-b", "--build"} & {*called} else "-p" if {"-p", "--project"} & {*called} else ""
    if option == "-b":
        files = configs.with_references([configs.file_at(place) for place in plain or ["."]])
    elif option and plain:
        files = (configs.file_at(plain[0]),)
    yield from ((option, relpath(file, root)) for file in files if file)
