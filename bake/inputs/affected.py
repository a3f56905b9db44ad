"""Which images a change affects, and by what: two plans and the changed files -> reasons. Pure."""

import dataclasses
import functools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from bake.lockfile import Entry, Lockfile
from bake.plan import MONOLITH, Closure, Image, Plan, Project, ServiceStage, Stage, closure
from bake.render import render_ignore
from bake.workspace import Workspace, literal, parse_dockerignore, shown

ReasonKind = Literal["template", "base", "config", "argument", "dependency", "source", "unknown"]

_KINDS: tuple[ReasonKind, ...] = ("template", "base", "config", "argument", "dependency", "source", "unknown")

_GIT_LABELS = frozenset(f"org.opencontainers.image.{name}" for name in ("revision", "version", "source"))
"""Labels that tell where an image comes from: a commit that changes nothing else builds no image."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why an image is affected.

    what: a file (relative to the workspace's root), a lock entry with its versions, a key with its values.
    via: the packages and lock entries from the image's package to it, both ends included; () where there is no way
    because everything is affected.
    """

    kind: ReasonKind
    what: str
    via: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """A workspace at one time, with its plan of every image."""

    project: Project
    plan: Plan


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What a person edited: changed files, and those that there are.

    paths: relative to the workspace's root, of deleted files and submodules too. tracked: every file that git has
    there, to see which of them a changed ignore rule concerns. templates: the changed ones of bake's own templates.
    """

    paths: tuple[str, ...]
    tracked: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()


def affected(old: Side, new: Side, edits: Edits) -> Mapping[str, tuple[Reason, ...]]:
    """Reasons per image of the new plan, in its order; () for an image that would come out the same.

    An image that the old plan has not is affected by that alone.
    """
    files = _visible(old, new, edits)
    common = tuple(_common(old, new, edits, files))
    sources = _sources(old, new, files)
    entries = {**_patched(old, new, files), **_changed_entries(old.project.workspace.lock, new.project.workspace.lock)}
    tools = _Tools(old, new, frozenset(entries))
    before = {i.target: i for i in old.plan.images}
    past, present = _Builds(old.plan), _Builds(new.plan)

    @functools.cache
    def of_service(service: str) -> tuple[Reason, ...]:
        was, now = past.ways(service), present.ways(service)
        ways = {**{p: way for p, way in was.items() if p in sources}, **now}
        held = (present.closure(service), past.closure(service))
        return (
            *_packages(past, present, was, now),
            *_reached(held[0], held[1], entries, (old, new)),
            *_dependencies(held, entries, tools, ways),
            *(Reason(kind="source", what=f, via=ways[p]) for p in ways for f in sources.get(p, ())),
        )

    result: dict[str, tuple[Reason, ...]] = {}
    for image in new.plan.images:
        found = [*common, *_own(before.get(image.target), image, old.plan, new.plan)]
        result[image.target] = _sorted([*found, *(of_service(image.service) if image.target in before else ())])
    return result


def monolith(old: Plan, new: Plan, paths: Iterable[str], ignore: str) -> tuple[Reason, ...]:
    """Why the old all-in-one image is affected: it copies its whole context.

    paths: changed ones, relative to the workspace's root. ignore: its .dockerignore's text.
    """
    if new.monolith is None:
        return ()
    ignores, folder = parse_dockerignore(ignore), new.monolith.context.removeprefix("./").strip("/.")
    inside = [p for p in paths if not folder or _holds(folder, p)]
    found = [Reason(kind="source", what=p) for p in inside if not ignores(p[len(folder) :].lstrip("/"))]
    found += [Reason(kind="template", what=p) for p in paths if p == new.monolith.dockerfile.removeprefix("./")]
    before, after = (_keyed("monolith.args", p.monolith.args if p.monolith else {}) for p in (old, new))
    return _sorted([*found, *_compare("argument", before, after)])


def everything(plan: Plan, what: str) -> Mapping[str, tuple[Reason, ...]]:
    """Every image is affected by something that says nothing about which."""
    return {t: (Reason(kind="unknown", what=what),) for t in (*(i.target for i in plan.images), MONOLITH)}


def _sorted(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    unique: dict[tuple[str, str], Reason] = {}
    for reason in reasons:
        known = unique.get((reason.kind, reason.what))
        if known is None or len(reason.via) < len(known.via):
            unique[reason.kind, reason.what] = reason
    return tuple(sorted(unique.values(), key=lambda r: (_KINDS.index(r.kind), len(r.via), r.what)))


# --- what every image shares ---------------------------------------------------------------------------


def _common(old: Side, new: Side, edits: Edits, files: Sequence[str]) -> Iterator[Reason]:
    for name in sorted({*edits.templates, *_differing(old.project.ejected, new.project.ejected)}):
        yield Reason(kind="template", what=name)
    yield from _compare("base", {"base.build": old.plan.builds.base}, {"base.build": new.plan.builds.base})
    yield from _compare("config", _settings(old), _settings(new))
    yield from _compare(
        "argument",
        _keyed("workspace.environment", old.plan.builds.environment),
        _keyed("workspace.environment", new.plan.builds.environment),
    )
    yield from _root_files(old, new, files)


def _settings(side: Side) -> Mapping[str, object]:
    """What every stage of the Dockerfile depends on, by the key that says it."""
    plan, project = side.plan, side.project
    return {
        "project.platforms": plan.platforms,
        "workspace.build": "whole" if plan.builds.whole else "split",
        "workspace.isolate": side.project.config.workspace.isolate,
        "install.build-scripts": plan.install.build_scripts,
        "layers.trim": plan.layers.trim,
        "patches": tuple(p.folder for p in plan.install.patches),
        "layers.most": project.config.layers.most,
        "secrets": tuple(m.option for m in plan.builds.mounts),
        "package manager": _Manager(project.workspace),
        "package.json: type": project.workspace.root_package.manifest.get("type"),
        ".npmrc": project.install_npmrc,
    }


class _Manager:
    """How packages are installed, but for the lockfile, whose entries are compared one by one; shown by name."""

    def __init__(self, workspace: Workspace) -> None:
        files = {name: text for name, text in workspace.tool.files.items() if name != workspace.lock_name}
        self.value = dataclasses.replace(workspace.tool, files=files)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Manager) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.value.name


def _root_files(old: Side, new: Side, files: Sequence[str]) -> Iterator[Reason]:
    """Changed files of the context that are no package's alone: builds of every package have them."""
    names, folders = {*old.project.root_files, *new.project.root_files}, _folders(old, new)
    listed = parse_dockerignore("\n".join(sorted(names)))
    patches = _patch_files(old, new)
    for path in (f for f in files if f not in patches):
        known = path in names or listed(path)
        owned = any(_holds(f, path) or _holds(path, f) for f in folders if f or not known)
        if not owned and not _inputs(new, path):
            yield Reason(kind="config" if known else "unknown", what=path)


# --- files ---------------------------------------------------------------------------------------------


def _visible(old: Side, new: Side, edits: Edits) -> tuple[str, ...]:
    """The changed files that a build of before or of now sees, and those that only one of them sees."""
    texts = [render_ignore(side.project, side.plan) for side in (old, new)]
    was = parse_dockerignore(texts[0])
    now = parse_dockerignore(texts[1]) if texts[0] != texts[1] else was
    folders = _folders(old, new)
    paths = {p for p in edits.paths if not (was(p) and now(p)) or any(_holds(p, f) for f in folders)}
    if now is not was:
        paths |= {p for p in edits.tracked if was(p) != now(p)}
    return tuple(sorted(paths))


def _folders(old: Side, new: Side) -> tuple[str, ...]:
    return tuple({s.package: None for side in (old, new) for s in side.plan.builds.stages})


def _holds(folder: str, path: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _inputs(side: Side, path: str) -> tuple[str, ...]:
    """The packages that read a file outside their folder."""
    named = ((s.package, (*s.inputs, *map(literal, s.reads))) for s in side.plan.builds.stages)
    return tuple(package for package, names in named if names and parse_dockerignore("\n".join(names))(path))


def _sources(old: Side, new: Side, files: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Package path -> the changed files that its build reads. A changed submodule stands for all it holds."""
    found: dict[str, list[str]] = {}
    folders = _folders(old, new)
    for path in files:
        inside = sorted((f for f in folders if _holds(f, path)), key=len)[-1:]
        below = [f for f in folders if f and _holds(path, f)]
        for folder in {*inside, *below, *_inputs(old, path), *_inputs(new, path)}:
            found.setdefault(folder, []).append(path)
    return {folder: tuple(paths) for folder, paths in found.items()}


# --- packages ------------------------------------------------------------------------------------------


Ways = Mapping[str, tuple[str, ...]]
"""Package or lock entry -> the way to it from where one starts, both ends included."""


class _Builds:
    """What the images of a plan are built from; the same for all images of a service."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.stages = {s.package: s for s in plan.builds.stages}
        self.outputs = {o.package: o for o in plan.outputs}
        self.services = {s.service: s for s in plan.services}
        self._known: dict[str, Ways] = {}

    def closure(self, service: str) -> Closure:
        """The service's closure; empty where the plan has no such service."""
        stage = self.services.get(service)
        return stage.closure if stage else Closure(entries=(), packages=(), via={})

    def ways(self, service: str) -> Ways:
        """The way to every package whose build the service's images contain or follow."""
        if service not in self._known:
            stage = self.services.get(service)
            self._known[service] = _ways(self.stages, stage, whole=self.plan.builds.whole) if stage else {}
        return self._known[service]


def _ways(stages: Mapping[str, Stage], service: ServiceStage, *, whole: bool) -> Ways:
    if whole:
        return {p: (service.package, p) if p != service.package else (p,) for p in stages}
    reached: dict[str, list[str]] = {}
    for package in service.closure.packages:
        reached.setdefault(_owner(service.closure, package), []).append(package)
    ways: dict[str, tuple[str, ...]] = {service.package: (service.package,)}
    queue = deque([service.package])
    while queue:
        path = queue.popleft()
        for need in (*_direct(stages, path), *reached.get(path, ())):
            if need not in ways:
                ways[need] = (*ways[path], need)
                queue.append(need)
    # What a lock entry of npm's own brings, such as a `file:` dependency's link, has a longer way.
    return ways | {p: (service.package, p) for p in service.closure.packages if p not in ways}


def _owner(reach: Closure, package: str) -> str:
    """The package whose dependency leads to a package; a link lies between them."""
    before = reach.via.get(package, "")
    return reach.via.get(before, "") if before not in reach.packages else before


def _direct(stages: Mapping[str, Stage], path: str) -> tuple[str, ...]:
    """The needs of a package that are not needs of another need of it."""
    needs = stages[path].needs if path in stages else ()
    indirect = {n for need in needs if need in stages for n in stages[need].needs}
    return tuple(n for n in needs if n not in indirect)


def _packages(old: _Builds, new: _Builds, was: Ways, now: Ways) -> Iterator[Reason]:
    """Which packages make the image, and how they are built."""
    for path, way in now.items():
        if path not in was:
            yield Reason(kind="config", what=f"{shown(path)} is needed now", via=way)
            continue
        before, after = _stage(old, path), _stage(new, path)
        reasons = (*_compare("config", before[0], after[0]), *_compare("argument", before[1], after[1]))
        yield from (dataclasses.replace(reason, via=way) for reason in reasons)
    for path in sorted(was.keys() - now.keys()):
        yield Reason(kind="config", what=f"{shown(path)} is no longer needed", via=was[path])


def _stage(builds: _Builds, path: str) -> tuple[Mapping[str, object], Mapping[str, object]]:
    stage, output = builds.stages.get(path), builds.outputs.get(path)
    key = f'packages."{shown(path)}"'
    settings: dict[str, object] = {}
    if stage:
        settings |= {
            f"{key}.build": (*stage.before, stage.script),
            f"{key}.inputs": stage.inputs,
            f"{key}.outputs": stage.outputs,
        }
        settings[f"{key}.needs"] = tuple(sorted(stage.needs))
    if output:
        settings |= {f"{key}.files": output.files, f"{key}.exclude": output.exclude, f"{key}.sources": output.sources}
    return settings, _keyed(f"{key}.args", stage.args if stage else {})


# --- third-party packages ------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Moved:
    """A place of the lockfile that is not what it was."""

    old: Entry | None
    new: Entry | None

    def __str__(self) -> str:
        if self.old is None or self.new is None:
            there = [f"{one.name} {one.version}" for one in (self.old, self.new) if one]
            return f"{there[0]} ({'new' if self.new else 'gone'})"
        name = self.new.name
        if self.old.version == self.new.version:
            return f"{name} {self.new.version} (other content)"
        return f"{name} {self.old.version} -> {self.new.version}"


def changed_packages(old: Lockfile, new: Lockfile) -> Mapping[str, str]:
    """Lock entry -> what became of it, in words, for every entry that is not what it was."""
    return {path: str(moved) for path, moved in _changed_entries(old, new).items()}


def _changed_entries(old: Lockfile, new: Lockfile) -> Mapping[str, _Moved]:
    paths = {*old.entries, *new.entries}
    pairs = {p: _Moved(old.entries.get(p), new.entries.get(p)) for p in paths}
    return {p: pair for p, pair in pairs.items() if _identity(pair.old) != _identity(pair.new)}


def _patch_files(old: Side, new: Side) -> Mapping[str, str]:
    """File -> the lock entry that it changes, of the patches of before and of now."""
    return {file: place for side in (old, new) for each in side.plan.install.patches for file, place in each.places()}


def _patched(old: Side, new: Side, files: Iterable[str]) -> Mapping[str, str]:
    """Lock entry -> the changed patch of it."""
    patches, locks = _patch_files(old, new), (old.project.workspace.lock, new.project.workspace.lock)
    return {patches[f]: f for f in files if f in patches and any(patches[f] in lock.entries for lock in locks)}


def _identity(entry: Entry | None) -> tuple[str, ...]:
    """What decides an entry's files. Where it comes from does not count when its content is known."""
    if entry is None:
        return ()
    return (entry.name, entry.version, entry.link, entry.integrity or entry.resolved)


class _Tools:
    """The lock entries that builds can use: of a package, and of the root for all of them."""

    def __init__(self, old: Side, new: Side, changed: frozenset[str]) -> None:
        self._sides = [(side, _leading(side.project.workspace.lock, changed)) for side in (new, old) if changed]
        self._changed = changed
        self._known: dict[str, Ways] = {}

    def of(self, package: str) -> Ways:
        """The way to each changed entry from the package, its devDependencies among the first steps."""
        if package not in self._known:
            ways: dict[str, tuple[str, ...]] = {}
            for side, leading in self._sides:
                reach = _development(side, package, leading)
                ways |= {e: reach.chain(e) for e in reach.entries if e in self._changed and e not in ways}
            self._known[package] = ways
        return self._known[package]


def _leading(lock: Lockfile, goals: Iterable[str]) -> frozenset[str]:
    """Every path from which one of the goals can be reached."""
    sources: dict[str, list[str]] = {}
    for path, edges in lock.edges.items():
        for edge in edges:
            sources.setdefault(edge.target or "", []).append(path)
    found = set(goals)
    stack = list(found)
    while stack:
        new = [s for s in sources.get(stack.pop(), ()) if s not in found]
        found.update(new)
        stack += new
    return frozenset(found)


def _development(side: Side, package: str, leading: frozenset[str]) -> Closure:
    """What a build of the package can reach; nothing when it does not lead where one looks."""
    lock = side.project.workspace.lock
    if package not in lock.packages:
        return Closure(entries=(), packages=(), via={})
    names = {*side.project.workspace.package(package).dev_dependencies, *side.project.build_names(package)}
    there = {n: target for n in sorted(names) if (target := lock.resolve(package, n))}
    if leading.isdisjoint({package, *there.values()}):
        return Closure(entries=(), packages=(), via={})
    plan = side.plan
    return closure(lock, package, platforms=plan.platforms, libc=plan.builds.libc, extra={package: tuple(there)})


def _reached(now: Closure, was: Closure, changed: Mapping[str, object], sides: Sequence[Side]) -> Iterator[Reason]:
    """Lock entries that are what they were, and reached where they were not, or the other way round."""
    locks = [side.project.workspace.lock for side in sides]
    for entries, reach, said in ((was.entries, now, "reached now"), (now.entries, was, "no longer reached")):
        for path in sorted(set(reach.entries).difference(entries) - changed.keys()):
            entry = next(lock.entries[path] for lock in locks if path in lock.entries)
            what = f"{entry.name} {entry.version}".rstrip()
            yield Reason(kind="dependency", what=f"{what} ({said})", via=reach.chain(path))


def _dependencies(
    held: Iterable[Closure], changed: Mapping[str, object], tools: _Tools, ways: Ways
) -> Iterator[Reason]:
    """Changed lock entries that the images hold, or that a build of their packages can use."""
    if not changed:
        return
    for reach in held:
        for path in (e for e in reach.entries if e in changed):
            yield Reason(kind="dependency", what=str(changed[path]), via=reach.chain(path))
    for package, way_there in ways.items():
        for path, chain in tools.of(package).items():
            yield Reason(kind="dependency", what=str(changed[path]), via=(*way_there, *chain[1:]))
    for path, chain in tools.of("").items():
        yield Reason(kind="dependency", what=str(changed[path]), via=("package.json", *chain[1:]))


# --- the image itself ----------------------------------------------------------------------------------


def _own(before: Image | None, image: Image, old: Plan, new: Plan) -> Iterator[Reason]:
    if before is None:
        yield Reason(kind="config", what="new image")
        return
    yield from _compare("config", _image(old, before), _image(new, image))
    yield from _compare("base", _base(old, before), _base(new, image))


def _base(plan: Plan, image: Image) -> Mapping[str, object]:
    service = next(s for s in plan.services if s.service == image.service)
    return {"base.runtime": service.base, "base.libc": service.libc, "system packages": service.system}


def _image(plan: Plan, image: Image) -> Mapping[str, object]:
    service = next(s for s in plan.services if s.service == image.service)
    key = f"services.{image.service}" + (f".roles.{image.role}" if image.role else "")
    held = {p.rpartition("node_modules/")[2] for p in service.closure.entries}
    return {
        f"{key}.package": shown(image.package),
        f"{key}.directory": image.directory or ".",
        f"{key}.entrypoint": image.entrypoint,
        f"{key}.command": image.command,
        f"{key}.port": image.port,
        f"{key}.user": image.user,
        f"{key}.static": image.static,
        f"{key}.healthcheck": image.health if image.healthcheck else None,
        **_keyed(f"{key}.env", image.env),
        **_keyed(f"{key}.labels", {k: v for k, v in image.labels.items() if k not in _GIT_LABELS}),
        "install.scripts": tuple(s for s in plan.install.scripts if s in held),
    }


# --- comparing -----------------------------------------------------------------------------------------


def _compare(kind: ReasonKind, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Reason]:
    for key in _differing(old, new):
        yield Reason(kind=kind, what=f"{key}: {_shown(old.get(key))} -> {_shown(new.get(key))}")


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(k for k in {**old, **new} if (k in old, old.get(k)) != (k in new, new.get(k)))


def _keyed(prefix: str, table: Mapping[str, object]) -> Mapping[str, object]:
    return {f"{prefix}.{key}": value for key, value in table.items()}


def _shown(value: object) -> str:
    """A value as a person reads it, on one line and not too long."""
    if value is None or value in ("", ()):
        return "(none)"
    words = [str(v) for v in value] if isinstance(value, tuple) else [str(value)]
    text = " ".join(" ".join(words).split())
    return text if len(text) <= 100 else f"{text[:97]}..."


def way(via: Sequence[str]) -> str:
    """A chain of packages and lock entries by their names."""
    return " > ".join(shown(path.rpartition("node_modules/")[2]) for path in via)


def first(reasons: Sequence[Reason]) -> str:
    """One line for a table: the weightiest reason and how many more there are."""
    if not reasons:
        return ""
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{reasons[0].what}{more}"
