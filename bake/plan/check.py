"""What would go wrong, found before the build: lockfile, platforms, imports, install scripts, commands. Pure."""

import dataclasses
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from bake.config import WorkspaceSettings, suggestion
from bake.files import normal
from bake.lockfile import MissingPlatformPackage, has_script, missing_platform_packages, unheeded
from bake.plan.images import TREE, image_needs
from bake.plan.plan import Plan
from bake.plan.services import ServiceStage, starts_by_name
from bake.project import Project
from bake.semver import is_range, satisfies
from bake.shell import SHELLS
from bake.sources import Undeclared, path_matcher
from bake.workspace import NEVER_SENT, TOOL, Package, Workspace, parse_dockerignore, parse_stages, shown

Level = Literal["error", "warning"]

_DEPENDENCY_FIELDS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong or odd.

    where: package, file or key. services: the services that it touches. file, line: for annotations, relative to
    the workspace's root. remedy: the command or change that mends it.
    """

    level: Level
    rule: str
    where: str
    what: str
    remedy: str
    services: tuple[str, ...] = ()
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        whose = f" (in {', '.join(self.services)})" if self.services else ""
        return f"{self.where}: {self.what}{whose}; {self.remedy}"


def check(project: Project, plan: Plan) -> tuple[Finding, ...]:
    """Every finding about the planned images, errors first, otherwise by place."""
    found = (
        *_folders(plan),
        *_settings(project, plan),
        *_keys(project, plan),
        *_pointers(project, plan),
        *_beyond(project, plan),
        *_manifests(project),
        *_gaps(plan),
        *_platforms(project, plan),
        *_copies(project, plan),
        *_imports(project, plan),
        *_scripts(project, plan),
        *_own_scripts(project, plan),
        *_patches(project, plan),
        *_commands(project, plan),
        *_shells(plan),
        *_engines(project, plan),
        *_starts(project, plan),
        *_git_dependencies(project, plan),
        *_git_calls(project, plan),
    )
    return tuple(sorted(dict.fromkeys(found), key=lambda f: (f.level, f.where, f.line, f.what)))


def _folders(plan: Plan) -> Iterator[Finding]:
    """Folders of packages whose names mean something else to Docker, to a shell, or to the patterns of secrets."""
    never_sent = parse_dockerignore("\n".join(NEVER_SENT))
    for stage in plan.builds.stages:
        if found := _ODD.search(stage.package):
            what = f"builds cannot work in a folder with {found[0]!r} in its name"
        elif stage.package and never_sent(stage.package):
            what = "builds never get a folder of this name, which is usual for secrets"
        else:
            continue
        yield _error("folder", shown(stage.package), what, "rename it", services=_users(plan, stage.package))


_ODD = re.compile(r"""["'`$*?:\[\]{}\\\x00-\x1f\x7f]|^[ ]|[ ](?=/|$)|(?<=/)[ ]""")


def _settings(project: Project, plan: Plan) -> Iterator[Finding]:
    """What bake.toml names and the workspace has not got."""
    script = project.config.workspace.script
    if _names_no_script(project):
        yield _setting(project, "workspace.script", f"no package has a script {script!r}", "correct it")
    for pattern in filter(project.names_nothing, project.config.workspace.files):
        yield _setting(project, "workspace.files", f"{pattern!r} names no file", "correct or remove it")
    for stage in plan.builds.stages:
        for pattern in filter(project.names_nothing, stage.inputs):
            key = f'packages."{shown(stage.package)}".inputs'
            yield _setting(
                project, key, f"{pattern!r} names no file", "correct or remove it", _users(plan, stage.package)
            )
    yield from _dockerfiles(project, plan)


def _dockerfiles(project: Project, plan: Plan) -> Iterator[Finding]:
    """Dockerfiles, and stages of them, that are named and are not there."""
    old = plan.monolith
    if old in plan.asked() and old and project.names_nothing(old.recipe.dockerfile):
        yield _setting(project, "monolith.dockerfile", f"no file {old.recipe.dockerfile!r}", "correct it")
    for image in plan.dockered:
        key, text, users = f"services.{image.service}", project.dockerfiles[image.service].text, (image.service,)
        names = [stage.name for stage in parse_stages(text or "", {})]
        wanted = image.recipe.stage
        if text is None:
            yield _setting(project, f"{key}.dockerfile", f"no file {image.source!r}", "correct it", users)
        elif wanted and wanted.lower() not in names:
            what = f"{image.source} has no stage {wanted!r}"
            yield _setting(project, f"{key}.target", what, suggestion(wanted, names) or "correct it", users)
        yield from _context(project, key, project.config.services[image.service].build_context, users)
    yield from _bases(project, plan)


def _bases(project: Project, plan: Plan) -> Iterator[Finding]:
    """Stages and contexts of bases of the workspace's own that are not there."""
    for base in plan.bases:
        key, names = f"bases.{base.key}", project.bases[base.key].stages
        if base.stage and base.stage.lower() not in (*names, *map(str, range(len(names)))):
            what = f"{base.dockerfile} has no stage {base.stage!r}"
            yield _setting(project, f"{key}.target", what, suggestion(base.stage, names) or "correct it")
        yield from _context(project, key, base.context)


def _context(project: Project, key: str, given: str, services: tuple[str, ...] = ()) -> Iterator[Finding]:
    folder = f"{normal(given) or ''}/".lstrip("/")
    if not any(file.startswith(folder) for file in project.reading.sources):
        yield _setting(project, f"{key}.context", f"no folder {given!r} with files", "correct it", services)


def _keys(project: Project, plan: Plan) -> Iterator[Finding]:
    """Private keys that git tracks: who has the image has them."""
    for output in plan.outputs:
        left_out = path_matcher((*output.exclude, *output.unneeded))
        for file in project.sources_of(output.package):
            path = f"{output.package}/{file}".lstrip("/")
            if path in project.reading.private_keys and not left_out(file):
                what = "a private key that git tracks is in images"
                remedy = f'mount it where it is used, and add "{file}" to packages."{shown(output.package)}".exclude'
                users = _users(plan, output.package)
                yield _warning("key", path, what, remedy, services=users, file=path)


def _pointers(project: Project, plan: Plan) -> Iterator[Finding]:
    """Files of packages that Git LFS has and this checkout has not: images would have the pointers."""
    for stage in plan.builds.stages:
        own = {posixpath.join(stage.package, file) for file in project.sources_of(stage.package)}
        files = [file for file in project.reading.pointers if file in own]
        if files:
            more = f", as {len(files) - 1} more" if files[1:] else ""
            what = f"is a pointer of Git LFS and not the file itself{more}"
            remedy = "run `git lfs pull` (in CI: a checkout with LFS)"
            users = _users(plan, stage.package)
            yield _warning("lfs", files[0], what, remedy, services=users, file=files[0])


def _beyond(project: Project, plan: Plan) -> Iterator[Finding]:
    """What code reads in the repository above the workspace."""
    for stage in plan.builds.stages:
        for file, target in project.reading.beyond.get(stage.package, ()):
            what = f"names {target}, above the workspace, and builds and images have what is in it alone"
            remedy = "keep that in the workspace, or a copy of it that git tracks"
            yield _warning("outside", file, what, remedy, services=_users(plan, stage.package), file=file)


def _setting(project: Project, key: str, what: str, remedy: str, services: tuple[str, ...] = ()) -> Finding:
    return _error("config", f"{project.file.name}: {key}", what, remedy, services=services)


def _users(plan: Plan, path: str) -> tuple[str, ...]:
    """Services whose closure holds a package or lock entry."""
    holders = (s for s in plan.services if s.closure.holds(path))
    owners = (s for s in plan.services if s.package == path)
    return tuple(dict.fromkeys(s.service for s in (*holders, *owners)))


def _manifests(project: Project) -> Iterator[Finding]:
    """package.json files that changed without the lockfile, and members that npm would take from the registry."""
    workspace = project.workspace
    if workspace.manager != "npm":
        yield from _unlocked(workspace)
        return
    for package in (workspace.root_package, *workspace.packages):
        locked = project.original.lock.raw["packages"].get(package.path)
        file = package.file("package.json")
        if locked is None:
            yield _error("lock", file, "is not in package-lock.json", "run `npm install`", file=file)
            continue
        for name in _changed(package.manifest, locked):
            what = f"{name} differs from package-lock.json"
            yield _error("lock", file, what, "run `npm install`", file=file)
    yield from _ranges(project)


def _unlocked(workspace: Workspace) -> Iterator[Finding]:
    """Packages and dependencies that another manager's lockfile does not know; ranges its own frozen install checks."""
    lock, remedy = workspace.lock, f"run `{workspace.manager} install`"
    for package in (workspace.root_package, *workspace.packages):
        file = package.file("package.json")
        locked = lock.packages.get(package.path)
        if locked is None:
            yield _error("lock", file, f"is not in {lock.file}", remedy, file=file)
            continue
        known = {**locked.dependencies, **locked.optional_dependencies, **locked.dev_dependencies}
        for field in ("dependencies", "optionalDependencies", "devDependencies"):
            for name in sorted(_table(package.manifest, field).keys() - known.keys()):
                yield _error("lock", file, f"{name} is not in {lock.file}", remedy, file=file)


def _changed(manifest: Mapping[str, object], locked: Mapping[str, object]) -> Iterator[str]:
    """Dependencies that package.json and the lockfile's copy of it do not agree on."""
    # npm drops a name from `dependencies` that is optional too.
    for field in _DEPENDENCY_FIELDS:
        ours, theirs = _table(manifest, field), _table(locked, field)
        if field == "dependencies":
            ours = {k: v for k, v in ours.items() if k not in _table(manifest, "optionalDependencies")}
        yield from sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))


def _table(manifest: Mapping[str, object], field: str) -> Mapping[str, object]:
    table = manifest.get(field)
    return table if isinstance(table, dict) else {}


def _ranges(project: Project) -> Iterator[Finding]:
    """A range that a member's version does not satisfy sends npm to the public registry for a private name."""
    members = {p.name: p for p in project.workspace.packages}
    for package in project.workspace.packages:
        wanted = {**package.dev_dependencies, **package.dependencies}
        for name, given in wanted.items():
            member = members.get(name)
            if member is None or ":" in given or "/" in given or given in {"*", "", "latest"}:
                continue
            if member.version and not satisfies(member.version, given):
                file = package.file("package.json")
                what = f"wants {name} {given}, the workspace has {member.version}: npm would ask the registry for it"
                yield _error("lock", file, what, f"change the range or the version in {member.path}", file=file)


def _gaps(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        for path, name in service.closure.missing:
            what = f"depends on {name}, which the lockfile does not hold"
            remedy = f"run `{plan.install.manager.name} install`"
            yield _error("lock", path or "package.json", what, remedy, services=(service.service,))


def _platforms(project: Project, plan: Plan) -> Iterator[Finding]:
    """Binaries that the lockfile lacks for a platform that is built."""
    lock = project.workspace.lock
    needed: dict[MissingPlatformPackage, None] = {}
    for libc in plan.install.libcs:
        reachable = frozenset(e for s in plan.services if s.libc == libc for e in s.closure.entries)
        needed |= dict.fromkeys(
            missing_platform_packages(lock, platforms=plan.platforms, libc=libc, reachable=reachable)
        )
    for gap in needed:
        what = f"{gap.name} {gap.version} for {gap.platform} is not in the lockfile (npm/cli#4828)"
        yield _error("platform", gap.parent, what, "run `bake lock`", services=_users(plan, gap.parent))


def _copies(project: Project, plan: Plan) -> Iterator[Finding]:
    """Workspace packages that pnpm injects with several versions of a peer: images have each package once."""
    lock = project.workspace.lock
    for path, names in lock.apart.items():
        services = tuple(s.service for s in plan.services if path in s.closure.packages)
        for name, versions in names.items() if services else ():
            place = lock.resolve(path, name)
            own = f"finds {lock.entries[place].version}" if place else "finds none"
            what = f"pnpm injects it with {name} {' and '.join(versions)}; images have it once, where it {own}"
            remedy = f"let all use one version of {name}, by an override"
            where = f"{path}/package.json"
            yield Finding(level="warning", rule="lock", where=where, what=what, remedy=remedy, services=services)


def _imports(project: Project, plan: Plan) -> Iterator[Finding]:
    """What sources import without declaring it."""
    for stage in plan.builds.stages:
        seen: set[str] = set()
        for found in project.undeclared(stage.package):
            one = found.import_
            if one.name in seen or (one.kind == "build" and found.provider):
                continue
            seen.add(one.name)
            services = _users(plan, stage.package)
            bundled = all(_bundles(s, stage.package) for s in plan.services if s.service in services)
            if found.provider and bundled:
                continue  # a bundler has put it into the output
            yield _import_finding(project.workspace, stage.package, found, services, bundled=bundled)


def _bundles(service: ServiceStage, package: str) -> bool:
    """Whether a service has a package's built files alone."""
    return service.static or package in service.closure.served


def _import_finding(
    workspace: Workspace, package: str, found: Undeclared, services: tuple[str, ...], *, bundled: bool
) -> Finding:
    """An import that package.json does not declare: a warning when something provides it, else an error.

    bundled: a bundler answers it, be it by an alias in its configuration, or fails the build.
    """
    one = found.import_
    key, manifest = f'packages."{shown(package)}".ignore', workspace.package(package).file("package.json")
    if found.provider:
        how = "as a devDependency" if found.dev else "without declaring it"
        level, what = "warning", f"imports {one.name} {how}; it was added to the image"
        remedy = f"declare it in the dependencies of {manifest}"
    elif one.kind == "build":
        level, what = "warning", f"imports {one.name} in a build file, and nothing provides it"
        remedy = f"install it, or add it to {key}"
    elif bundled:
        level, what = "warning", f"imports {one.name}, which nothing but the bundler's configuration may provide"
        remedy = f"install it, or add it to {key}"
    else:
        level, what = "error", f"imports {one.name}, which nothing provides"
        # Not `npm install NAME`: an alias may look like a package, which then is a stranger's.
        remedy = f"declare the package in {manifest} if it is one, or add the name to {key}"
    return Finding(
        level="error" if level == "error" else "warning",
        rule="import",
        where=f"{one.file}:{one.line}",
        what=what,
        remedy=remedy,
        services=services,
        file=one.file,
        line=one.line,
    )


def _scripts(project: Project, plan: Plan) -> Iterator[Finding]:
    """Packages of an image whose install script will not run."""
    lock, allowed = project.workspace.lock, {*plan.install.scripts, *project.config.install.without_scripts}
    for path in sorted({e for s in plan.services for e in s.closure.entries}):
        entry = lock.entries[path]
        if has_script(lock, entry) and entry.name not in allowed:
            yield Finding(
                level="warning",
                rule="script",
                where=path,
                what=f"has an install script that does not run ({entry.name} {entry.version})",
                remedy=f'add "{entry.name}" to install.scripts, or to install.without-scripts when it works without',
                services=_users(plan, path),
            )
    names = {e.name for e in lock.entries.values()}
    for name in (*plan.install.scripts, *plan.install.build_scripts):
        if name not in names:
            yield _error("script", "bake.toml: install", f"no package {name!r} in the lockfile", "remove it")


def _own_scripts(project: Project, plan: Plan) -> Iterator[Finding]:
    """Install scripts of the root and of packages in images, which no install in a build runs."""
    stages, without = {s.package: s for s in plan.builds.stages}, project.config.install.without_scripts
    for package in project.workspace.everyone:
        stage = stages.get(package.path)
        if package.name not in without and (stage or not package.path):
            script = stage.script if stage else ""
            services = _users(plan, package.path) if stage else ()
            ran = (stage.script, *stage.before) if stage and package.path else ()
            for name, text in unheeded(package.scripts, script):
                if name not in ran:
                    yield _own_script(package, name, text, script, services)


def _own_script(package: Package, name: str, text: str, build: str, services: tuple[str, ...]) -> Finding:
    where = f"its `{build}` script" if build else "the build of the package that needs it"
    return Finding(
        level="warning",
        rule="script",
        where=package.file("package.json"),
        what=f"its `{name}` script does not run in builds: {text}",
        remedy=f'run it in {where}, or add "{package.name}" to install.without-scripts when images do without',
        services=services,
        file=package.file("package.json"),
    )


def _patches(project: Project, plan: Plan) -> Iterator[Finding]:
    """Patches that cannot be applied, and those that change nothing."""
    lock = project.workspace.lock
    for patches in project.patches:
        if not plan.install.patches:
            what = "patch-package cannot work in pnpm's isolated node_modules"
            yield _error("patch", patches.folder, what, "use `pnpm patch`, or node-linker=hoisted")
            continue
        if lock.resolve(patches.package, TOOL) is None:
            name = plan.install.manager.name
            remedy = f"run `{name} {'install' if name == 'npm' else 'add'} -D {TOOL}`"
            yield _error("patch", patches.folder, f"{TOOL} applies these patches, and {lock.file} lacks it", remedy)
        for file, place in patches.places():
            if place not in lock.entries:
                what = f"changes {place}, which {lock.file} does not hold"
                yield Finding(level="warning", rule="patch", where=file, what=what, remedy="remove it", file=file)


def _commands(project: Project, plan: Plan) -> Iterator[Finding]:
    for image in plan.images:
        if image.static:
            continue
        needs = image_needs(project.workspace, image)
        for name in needs.unknown:
            what = f"its command starts `{name}`, which neither a dependency nor the base image has"
            yield _error("command", image.target, what, f"add a dependency that brings `{name}`, or correct it")
        for name in needs.tools:
            what = f"its command starts `{name}`, a package manager that an image need not have"
            remedy = "name the process itself: it gets signals, and starts faster"
            yield Finding(level="warning", rule="command", where=image.target, what=what, remedy=remedy)


def _shells(plan: Plan) -> Iterator[Finding]:
    """What needs a shell on a base that has none: there it would fail when it starts, or is built."""
    for service in (s for s in plan.services if s.lacks_shell):
        base = "a minimal base" if service.minimal else service.base
        way = "take its whole base, `minimal = false`" if service.minimal else "name a base with a shell for it"
        if service.system:
            yield _error("shell", service.service, f"`system` needs apt or apk, which {base} has not", way)
        for image in (i for i in plan.images if i.service == service.service and not i.static):
            words = (*image.entrypoint, *image.command)
            if posixpath.basename(words[0]) in SHELLS or words[0].endswith(".sh"):
                what = f"its command `{' '.join(words)}` needs a shell, which {base} has not"
                yield _error("shell", image.target, what, f"start the process itself, `node FILE`, or {way}")
            elif starts_by_name(words) and not service.starts_scripts:
                what = f"its command `{words[0]}` is a script for /usr/bin/env, which {base} has not"
                yield _error("shell", image.target, what, f"start its file, `node node_modules/…`, or {way}")
            elif service.minimal and words[0].startswith("/") and not _is_held(words[0]):
                what = f"its command starts {words[0]}, and {base} has no program but Node"
                yield _error("shell", image.target, what, f"start the process itself, `node FILE`, or {way}")


def _is_held(program: str) -> bool:
    """Whether a program is Node or lies in the workspace."""
    return posixpath.basename(program) == "node" or program.startswith(f"{TREE}/")


def _engines(project: Project, plan: Plan) -> Iterator[Finding]:
    """Packages that want another Node than the base that bake.lock pins says it has."""
    users: dict[tuple[str, str], list[str]] = {}
    for service in (s for s in plan.services if not s.static):
        base = project.config.services[service.service].base or project.config.base.runtime
        for path in dict.fromkeys((service.package, *service.closure.packages, "")):
            users.setdefault((path, base), []).append(service.service)
    for (path, base), services in users.items():
        package, locked = project.workspace.package(path), project.locked(base)
        has, wanted = locked.node_version if locked else "", _wanted_node(package)
        if has and wanted and not satisfies(has, wanted):
            yield Finding(
                level="warning",
                rule="engines",
                where=package.file("package.json"),
                what=f"engines.node wants {wanted}, and {base} has Node {has}",
                remedy="name another base, or correct engines.node",
                services=tuple(services),
                file=package.file("package.json"),
            )


def _wanted_node(package: Package) -> str:
    """The versions of Node that a package names; "" for what npm cannot compare."""
    engines = package.manifest.get("engines")
    wanted = engines.get("node") if isinstance(engines, dict) else None
    return wanted if isinstance(wanted, str) and is_range(wanted) else ""


def _names_no_script(project: Project) -> bool:
    """Whether `workspace.script` names a script that no package has."""
    script = project.config.workspace.script
    return script != WorkspaceSettings().script and not any(script in p.scripts for p in project.workspace.packages)


def _starts(project: Project, plan: Plan) -> Iterator[Finding]:
    """Files that commands start, and neither a clone has nor anything makes: the build would end without them."""
    there, stages = frozenset(project.reading.sources), {s.package: s for s in plan.builds.stages}
    for image in plan.images:
        stage, package = stages[image.package], project.workspace.package(image.package)
        writers = any(stages[need].outputs for need in stage.needs)
        if image.static or stage.script or stage.outputs or writers or _names_no_script(project):
            continue
        for file in image_needs(project.workspace, image).files:
            path = package.file(file)
            folders = (path[:at] for at, char in enumerate(path) if char == "/")  # a link, a submodule
            known = (*map(package.file, _meant(file)), *folders)
            if not file.startswith(("..", "/")) and there.isdisjoint(known):
                what = f"its command starts {file}, which git does not hold and no script of the package makes"
                remedy = f"give {package.file('package.json')} a script `build`, or correct the command"
                yield _error("command", image.target, what, remedy)


def _meant(file: str) -> tuple[str, ...]:
    """The files that a name in a command may mean, as Node looks for them."""
    stem = file.removesuffix(".js").rstrip("/")
    return (file, *(stem + end for end in ("", ".js", ".cjs", ".mjs", ".json", ".node", "/index.js", "/index.cjs")))


_HOSTED = frozenset({"github.com", "gitlab.com", "bitbucket.org", "git.sr.ht"})
"""Hosts whose public repositories package managers fetch without git."""
_WITHOUT_GIT = re.compile(r"(?:docker\.io/(?:library/)?)?node:\S*(?:slim|alpine)")


def _git_dependencies(project: Project, plan: Plan) -> Iterator[Finding]:
    """Dependencies that git fetches by SSH, and what installs lack for them."""
    mounts = plan.builds.mounts
    logs_in = any(m.ssh or ".gitconfig" in m.option or ".ssh" in m.option for m in mounts)
    for path, entry in project.workspace.lock.entries.items():
        found = re.match(r"(?:git\+)?ssh://(?:[^@/]+@)?(?P<host>[^:/]+)|(?:[\w-]+)@(?P<other>[\w.-]+):", entry.resolved)
        host = (found["host"] or found["other"]) if found else ""
        if not host or host in _HOSTED:
            continue
        what = f"comes from {entry.resolved.partition('#')[0]}"
        if _WITHOUT_GIT.match(plan.builds.base):
            remedy = "name a base.build that has it, such as node:24"
            yield _error("git", path, f"{what}, and {plan.builds.base} has no git", remedy, services=_users(plan, path))
        if not logs_in:
            remedy = "add [secrets.git] with ssh = true to bake.toml (the agent of $SSH_AUTH_SOCK, or `file` for a key)"
            yield _error("git", path, f"{what}, and builds have no SSH key", remedy, services=_users(plan, path))


def _git_calls(project: Project, plan: Plan) -> Iterator[Finding]:
    """Builds that ask git for the commit, and get no argument instead."""
    for stage in plan.builds.stages:
        place = project.reading.git_calls.get(stage.package, "") if stage.script and not stage.args else ""
        if place:
            file, _, line = place.partition(":")
            yield Finding(
                level="warning",
                rule="git",
                where=place,
                what="its build asks git, and a build has no repository",
                remedy=f'hand over the commit as packages."{shown(stage.package)}".args.GIT_SHA = "{{sha}}" '
                "({branch} and {version} too), and let it read that variable first",
                services=_users(plan, stage.package),
                file=file,
                line=int(line or 0),
            )


def _error(
    rule: str,
    where: str,
    what: str,
    remedy: str,
    *,
    services: tuple[str, ...] = (),
    file: str = "",
    line: int = 0,
) -> Finding:
    return Finding(
        level="error",
        rule=rule,
        where=where,
        what=what,
        remedy=remedy,
        services=services,
        file=file,
        line=line,
    )


def _warning(
    rule: str, where: str, what: str, remedy: str, *, services: tuple[str, ...] = (), file: str = ""
) -> Finding:
    return Finding(level="warning", rule=rule, where=where, what=what, remedy=remedy, services=services, file=file)


def errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that stop a build."""
    return tuple(f for f in findings if f.level == "error")
