"""The stages that compile packages, in the order in which they need each other.

What builds one is its script, what runs before it, and what other packages have to run for it.
"""

import dataclasses
import functools
import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

from bake import config as cfg
from bake.config import suggestion
from bake.errors import ConfigError
from bake.lockfile import preparing
from bake.plan.closure import Closure
from bake.plan.request import Request
from bake.project import Project, argument_value
from bake.reads import Reached
from bake.shell import parse_line
from bake.workspace import BUILD_ROOT, Package, Part, find_circle, find_way, in_order, shown

Loads: TypeAlias = tuple[tuple[str, tuple[str, ...] | None], ...]
"""Packages of which a build reads some files, with the dependencies that these load; None for all of them."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The stage that compiles one package."""

    package: str
    name: str
    parts: tuple[Part, ...]
    """Its own source."""
    needs: tuple[str, ...]
    """Packages whose built folders arrive first, in build order."""
    script: str
    """npm script to run; "" when there is nothing to build."""
    before: tuple[str, ...] = ()
    """Scripts that run before it."""
    made: tuple[str, ...] = ()
    """Commands of the root that run before it, at the root: they write into the package."""
    is_command: bool = False
    """Whether `script` is a command line: package.json has no script, one of the root compiles the package."""
    args: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reads: tuple[str, ...] = ()
    """What its files name outside its folder, beside `inputs` and what every stage has."""
    loads: Loads = ()
    """Beside `needs`."""
    declared: tuple[str, ...] = ()
    """Those of `needs` of which it gets the declarations only."""
    wholly: tuple[tuple[str, str], ...] = ()
    """Others of them that are built, with why it gets all of them."""
    declares: tuple[tuple[str, str], ...] = ()
    """Folders of its own declarations and of their sources, where others get these; () where all of it is handed on."""
    configs: tuple[str, ...] = ()
    """The configurations of the compiler that make them."""
    compiler: str = ""
    """The version of TypeScript that builds find there."""
    beside: tuple[str, ...] = ()
    """What only its processes may read there."""
    commands: tuple[str, ...] = ()
    """Files of it that node_modules/.bin leads to: an install makes them executable, whatever git says."""
    state: str = ""
    """The engine's folder in which its build keeps things for the next one; "" where it keeps none."""
    results: tuple[tuple[str, str], ...] = ()
    """What it keeps when it only compiles: all in these folders, each with that of its sources."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The build of one package. needs: packages that its tasks name.

    script: "" when there is nothing to build; is_command: it is a command line, not the name of a script.
    """

    script: str = ""
    before: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    is_command: bool = False
    needs: tuple[str, ...] = ()


@functools.cache
def stage_name(path: str) -> str:
    """A package path as the name of a stage: lower-case letters, digits and dashes."""
    slug = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "root"
    plain = path.replace("/", "-") == slug
    return slug if plain and "-" not in path else f"{slug}-{hashlib.sha256(path.encode()).hexdigest()[:4]}"


def _needs(project: Project) -> Mapping[str, tuple[str, ...]]:
    """Direct build needs per package path: declared, referenced, imported without a declaration, gone into, configured.

    A bundler reads no reference, and of what an alias leads to the files alone that it reaches. A compiler reads of
    what only development needs what its sources name.
    """
    workspace = project.workspace
    needs: dict[str, tuple[str, ...]] = {}
    for package in project.packages:
        settings = project.settings(package)
        named = {found.path for n in settings.needs if (found := workspace.find(n))}
        bundled = project.outside(package.path).bundled
        if bundled is None:
            direct = {*workspace.needs(package.path), *project.members(package.path)} - _unread(project, package)
        else:
            direct = {*workspace.dependencies(package.path), *bundled.needs}
        needs[package.path] = tuple(sorted({*direct, *named} - {package.path}))
    known = frozenset(p.path for p in project.packages if p.path)
    for package in project.packages:
        others = {*_entered(project, package, known)} - {package.path}
        entered = {p for p in others if not find_way(p, package.path, needs)}
        needs[package.path] = tuple(sorted({*needs[package.path], *entered} - {package.path}))
    return needs


_THERE = frozenset({"--prefix", "--cwd", "-C", "--dir"})


def _entered(project: Project, package: Package, known: frozenset[str]) -> Iterator[str]:
    """Which of the known packages the scripts of a package's build go into: `cd ../shared && npm run build`."""
    script = _script(project, package)
    names = (f"pre{script}", script, f"post{script}", *_installed(project, package, script)) if script else ()
    for text in (package.scripts.get(name, "") for name in names):
        folder = package.path
        for step in parse_line(text):
            rows = pairwise(word for each in step.words for word in each.partition("=")[::2] if word)
            given = [to for word, to in rows if word in _THERE]
            if step.words[0] == "cd" and len(step.words) == 2:
                folder = posixpath.normpath(posixpath.join(folder, step.words[1]))
            places = {posixpath.normpath(posixpath.join(folder, to)) for to in given} | {folder}
            yield from places & known


def _unread(project: Project, package: Package) -> frozenset[str]:
    """Packages that only development asks for, and whose types nothing takes that is compiled."""
    compiled, workspace = project.outside(package.path).compiled, project.workspace
    if compiled is None:
        return frozenset()
    kept = {*package.dependencies, *compiled.modules}
    names = (n for n in package.dev_dependencies if n not in kept and not n.startswith("@types/"))
    found = {other.path for n in names if (other := workspace.find(n))}
    read = {other for other in found if any(f"{path}/".startswith(f"{other}/") for path in compiled.paths)}
    return frozenset(found - read - {*workspace.references.get(package.path, ()), *project.members(package.path)})


def build_stages(project: Project, request: Request, closures: Mapping[str, Closure]) -> tuple[Stage, ...]:
    needs = _needs(project)
    work = plan_work(project, needs)
    needs = {path: tuple(sorted({*named, *work[path].needs} - {path})) for path, named in needs.items()}
    services = [project.service_path(s) for s in project.config.packaged]
    order = in_order(sorted({*services, *(p for c in closures.values() for p in c.packages)}), needs)
    reach = {p: in_order((p,), needs)[:-1] for p in order}
    known = {p: _library(project, p, work[p]) for p in order}
    # One stage for all has no order between packages that need each other: their scripts run as they come.
    if project.config.workspace.build == "whole":
        return tuple(_stage(project, request, p, reach[p], work, known) for p in order)
    building = frozenset(path for path, one in work.items() if one.script)
    if circle := find_circle(building & {*order}, needs):
        what = f"packages need each other to build: {' -> '.join(circle)}"
        raise ConfigError("workspace", what, 'set workspace.build = "whole"')
    own = {p: reach[p] if p in building else _written(project, p, reach) for p in order}
    # Each after what it needs, which reaches less than it.
    places = sorted(order, key=lambda p: (len(reach[p]) if own[p] else 0, p in building))
    used = frozenset(n for named in needs.values() for n in named)
    return _handing_on(_compiling_anew(tuple(_stage(project, request, p, own[p], work, known) for p in places), used))


def _compiling_anew(stages: tuple[Stage, ...], used: frozenset[str]) -> tuple[Stage, ...]:
    """The stages, of which those that others use compile all of their sources each time.

    The compiler writes the members of a type that it inferred in the order in which it met them, which is another one
    when it checks a part only: an edit inside a function would change declarations, and build again all that use them.
    """
    return tuple(dataclasses.replace(s, state="", results=()) if s.results and s.package in used else s for s in stages)


def _handing_on(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The stages, with declarations only where somebody gets them."""
    asked = {need for stage in stages for need in stage.declared}
    return tuple(s if s.package in asked else dataclasses.replace(s, declares=(), configs=()) for s in stages)


def _written(project: Project, path: str, reach: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What a package without a script needs: those that may write into it. Else it stays the source that it is."""
    writers = (n for n in reach[path] if project.settings(project.workspace.package(n)).outputs)
    return tuple(n for n in writers if path not in reach[n])


def _stage(
    project: Project,
    request: Request,
    path: str,
    needs: tuple[str, ...],
    works: Mapping[str, Work],
    known: Mapping[str, "_Library"],
) -> Stage:
    package = project.workspace.package(path)
    settings, work = project.settings(package), works[path]
    compiled = project.outside(path).compiled
    built = [n for n in needs if work.script and works[n].script and project.config.workspace.build == "split"]
    why = {n: _why_whole(compiled, n, known[path], known[n]) for n in built}
    declared = tuple(n for n, reason in why.items() if not reason)
    return Stage(
        package=path,
        name=f"build-{stage_name(path)}",
        parts=project.parts[path],
        needs=needs,
        script=work.script,
        before=work.before,
        made=work.made,
        is_command=work.is_command,
        args={
            **_traced_from(project, path),
            **{k: filled_argument(v, project, request) for k, v in settings.args.items()},
        },
        inputs=settings.inputs,
        outputs=settings.outputs,
        reads=_unbrought(project, _read(project, path, declared), {*needs} - {*declared}, settings.inputs),
        loads=_loads(project, path, needs),
        declared=declared,
        wholly=tuple((n, reason) for n, reason in why.items() if reason),
        declares=known[path].declares,
        configs=compiled.configs if compiled and known[path].declares else (),
        compiler=known[path].compiler,
        beside=_unbrought(project, project.outside(path).run, needs, settings.inputs),
        commands=project.commands(package) if path else (),
        state=_state(project, path, work),
        results=_results(project, path, work),
    )


def _loads(project: Project, path: str, needs: Iterable[str]) -> Loads:
    bundled = project.outside(path).bundled
    return tuple((p, names) for p, names in bundled.loads.items() if p not in needs) if bundled else ()


def _results(project: Project, path: str, work: Work) -> tuple[tuple[str, str], ...]:
    """What a build keeps that only compiles; () where something else may have a hand in it."""
    compiled = project.outside(path).compiled
    pairs = compiled.results if compiled and not work.made else ()
    return pairs if all(re.fullmatch(r"[\w./@-]+", name) for pair in pairs for name in pair) else ()


def _state(project: Project, path: str, work: Work) -> str:
    """Where a build keeps things. What a compiler notes is of no use without all that it wrote."""
    config, settings = project.config, project.settings(project.workspace.package(path))
    wanted = config.workspace.state and settings.state and config.workspace.build == "split"
    keeps = work.script and (project.outside(path).compiled is None or _results(project, path, work))
    return f"bake-state-{config.project.name}-{stage_name(path)}" if wanted and keeps else ""


def _traced_from(project: Project, path: str) -> Mapping[str, str]:
    """Where Next.js traces from: it looks for a lockfile, which builds do not get.

    Source: github.com/vercel/next.js, packages/next/src/server/config-shared.ts.
    """
    complete = (s for s in project.config.packaged.values() if s.standalone)
    mine = (s.standalone for s in complete if project.workspace.package(s.package).path == path)
    made = any(posixpath.basename((folder or "").rstrip("/")) == "standalone" for folder in mine)
    return {"NEXT_PRIVATE_OUTPUT_TRACE_ROOT": BUILD_ROOT} if made else {}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Library:
    """What decides whether others get a package's declarations. why: they do not, nor does it get others' ones.

    declares: where its declarations are, and the sources that they are of. compiler: the version of TypeScript that its
    scripts find.
    """

    why: str
    declares: tuple[tuple[str, str], ...] = ()
    compiler: str = ""


def _library(project: Project, path: str, work: Work) -> _Library:
    settings, compiled = project.settings(project.workspace.package(path)), project.outside(path).compiled
    if not settings.declarations:
        return _Library(why=f'packages."{shown(path)}".declarations = false')
    if compiled is None:
        return _Library(why=f"the build of {shown(path)} does more than compile")
    alone = path and not settings.outputs and not work.made
    return _Library(why="", declares=compiled.declares if alone else (), compiler=_compiler(project, path))


def _why_whole(compiled: Reached | None, need: str, mine: _Library, other: _Library) -> str:
    """Why a build gets all of a package that it needs, "" when it gets its declarations only."""
    if mine.why or other.why or compiled is None:
        return mine.why or other.why
    if need in compiled.whole:
        return "it reads more than declarations there"
    if not other.declares:
        return "no configuration says where declarations of it go"
    version = re.match(r"(\d+)\.(\d+)\.", mine.compiler)
    if version is None or mine.compiler != other.compiler:
        return "it is compiled by another TypeScript"
    old = (int(version[1]), int(version[2])) < (5, 6)
    return "its TypeScript, before 5.6, checks again what it compiles again" if old and compiled.again else ""


def _compiler(project: Project, path: str) -> str:
    """The version of TypeScript that the scripts of a package find, "" for none."""
    lock = project.workspace.lock
    found = lock.resolve(path, "typescript") or lock.resolve("", "typescript")
    return lock.entries[found].version if found else ""


def _read(project: Project, path: str, declared: Iterable[str]) -> Iterator[str]:
    """What a build reads outside its package, but for what declarations stand for."""
    read = project.outside(path)
    named = read.compiled.named if read.compiled else frozenset()
    for place in (*read.built, *sorted(named - {*read.built})):
        if place in named or not any(place.startswith(f"{one}/") for one in declared):
            yield place


def _unbrought(project: Project, found: Iterable[str], needs: Iterable[str], inputs: Iterable[str]) -> tuple[str, ...]:
    """What is read outside a package and nothing else brings."""
    there = {*needs, *project.vendored, *project.matches((*project.root_files, *inputs))}
    return tuple(p for p in found if not any(p == one or p.startswith(f"{one}/") for one in there))


def isolates_builds(project: Project, stages: Sequence[Stage]) -> bool:
    """A single build has nobody to be kept apart from."""
    settings = project.config.workspace
    several = settings.build == "split" and sum(bool(s.script) for s in stages) > 1
    return settings.isolate and several and project.workspace.tool.isolates


def filled_argument(given: str | cfg.Arg, project: Project, request: Request) -> str:
    """An argument with what git says of the commit, where it asks for that; "" where git says nothing."""
    version = project.config.project.version or request.version or project.workspace.root_package.version
    known = {"sha": request.revision[:12], "branch": request.branch, "version": version}
    return re.sub(
        r"\{(sha|branch|version)\}", lambda match: known[match[1]], argument_value(given, request.environment)
    )


# --- what builds a package ------------------------------------------------------------------------------


def plan_work(project: Project, needs: Mapping[str, tuple[str, ...]]) -> Mapping[str, Work]:
    """The build of every package. needs: package path -> packages that its build needs."""
    walk = _Walk(project, needs)
    for package in project.packages:
        script = _script(project, package)
        for first in (*_installed(project, package, script), *(project.tasks.prepared(package) if script else ())):
            walk.visit(package, first)
        walk.visit(package, script or project.config.workspace.script)
    return {package.path: walk.work(package) for package in project.packages}


def _installed(project: Project, package: Package, script: str) -> tuple[str, ...]:
    """What an install runs in a member, which comes before all builds there too."""
    without = package.name in project.config.install.without_scripts
    return () if without or not package.path else preparing(package.scripts, script)


class _Walk:
    """Tasks in the order in which they ask for each other."""

    def __init__(self, project: Project, needs: Mapping[str, tuple[str, ...]]) -> None:
        self._project, self._needs = project, needs
        self._known = {package.path: package for package in project.packages}
        self._order: dict[str, list[str]] = {path: [] for path in self._known}
        self._named: dict[str, set[str]] = {path: set() for path in self._known}
        self._seen: set[tuple[str, str]] = set()

    def visit(self, package: Package, task: str) -> None:
        """Put a task behind those that it asks for, as far as packages have scripts of their names."""
        if (package.path, task) in self._seen or self._project.settings(package).build is False:
            return
        self._seen.add((package.path, task))
        for name in self._project.tasks.before(package, task):
            self._first(package, name)
        if task in package.scripts:
            self._order[package.path].append(task)

    def _first(self, package: Package, name: str) -> None:
        if name.startswith("^"):
            for need in self._needs[package.path]:
                if need in self._known:
                    self.visit(self._known[need], name[1:])
            return
        owner, sign, task = name.rpartition("#")
        found = self._project.workspace.find(owner) if sign else package
        if found is not None and found.path in self._known:
            self.visit(found, task)
            if found.path != package.path and task in found.scripts:
                self._named[package.path].add(found.path)

    def work(self, package: Package) -> Work:
        """What came together for a package."""
        settings, order = self._project.settings(package), self._order[package.path]
        made = self._project.tasks.made.get(package.path, ()) if settings.build is not False else ()
        command = self._project.tasks.compiled.get(package.path, "") if settings.build is True else ""
        main = _script(self._project, package)
        if command and (not main or not package.path):
            return Work(script=command, before=tuple(order), made=made, is_command=True)
        last = main or next(iter(order[-1:]), "")
        first = tuple(task for task in order if task != last)
        if made and not last:
            return Work(script="true", made=made, is_command=True)
        return Work(script=last, before=first, made=made, needs=tuple(sorted(self._named[package.path])))


def _script(project: Project, package: Package) -> str:
    """The script that builds a package, "" for none."""
    settings = project.settings(package)
    if settings.build is False:
        return ""
    if isinstance(settings.build, str):
        if settings.build not in package.scripts:
            hint = suggestion(settings.build, package.scripts)
            raise ConfigError(
                cfg.FILE_NAME, f'packages."{shown(package.path)}".build: no script {settings.build!r} there', hint
            )
        return settings.build
    script = project.config.workspace.script
    return script if script in package.scripts else ""
