"""All that a plan is made of, read from disk: bake.toml, the workspace, bake.lock and the sources' imports."""

import bisect
import contextlib
import dataclasses
import fnmatch
import functools
import itertools
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from posixpath import relpath
from typing import TypeVar

from bake import config as cfg
from bake.config import parse_reference
from bake.errors import ConfigError
from bake.files import (
    expand_glob,
    ignore_in_git,
    is_below,
    is_inside,
    normal,
    read_text,
    require_inside,
    strip_credentials,
)
from bake.git import is_versioned, list_ignored, list_sources
from bake.lockfile import FILE_NAME as LOCK_NAME
from bake.lockfile import BakeLock, LockedImage, complete, load_bake_lock, make_lockfile, preparing
from bake.reads import Outside, Read, parse_build
from bake.sources import (
    Import,
    Named,
    Undeclared,
    Written,
    command_needs,
    imported_packages,
    kept_empty,
    load_git_call,
    load_imports,
    load_mentions,
    load_named,
    load_written,
    script_words,
    undeclared,
)
from bake.workspace import (
    BESIDE,
    NEVER_SENT,
    RESULTS,
    ROOT,
    UNTRACKED,
    DockerContext,
    Dockerfile,
    Package,
    Part,
    Patches,
    Tasks,
    TsConfigs,
    Workspace,
    anywhere,
    in_order,
    literal,
    load_docker_context,
    load_git_ignored,
    load_makers,
    load_parts,
    load_patches,
    load_tasks,
    load_vendored,
    load_workspace,
    parse_dockerignore,
    parse_own_dockerfile,
    untracked,
)

T = TypeVar("T")

FOLDER = ".bake"
"""Where everything generated lies, below the workspace's root."""

EJECTED = ".bake-templates"
"""Where `bake eject` puts the templates, below the workspace's root."""

TEMPLATES = ("docker/Dockerfile", "docker-bake.hcl.j2")

_NO_SOURCES = frozenset({".git", "node_modules", FOLDER})

_LARGE = 1 << 17
"""Bytes from which on a file at the root is data, which no build of another package reads unnamed."""

_NOT_SHARED = (
    *BESIDE,
    *("*.md", "*.mdx", "LICENSE*", "LICENCE*", "NOTICE*", "AUTHORS*", "CODEOWNERS", "*.log", ".DS_Store"),
    *("jest.*", "vitest.*", "playwright.*", "cypress.*", "karma.*", ".mocharc*", ".nycrc*", ".c8rc*", "codecov.y*ml"),
    *("commitlint.*", ".commitlintrc*", ".lintstagedrc*", "lint-staged.*", ".cspell*", "cspell*", ".pre-commit*"),
    *("lefthook.y*ml", "knip.*", "renovate.json*", ".release-please*", "release-please*", ".releaserc*", "release.*"),
    *(".env.example", ".env.*.example", ".env.sample", ".env.template"),
    *("skaffold.y*ml", "Jenkinsfile", "Procfile", "fly.toml", "render.yaml", "Makefile", "justfile", "Vagrantfile"),
)
"""Files at the root that builds of other packages do not read unless something names them: documents, tests, CI."""


_LAYOUTS = r"^\s*(?:install-strategy|global-style|legacy-bundling)\s*=.*\n?"
"""Settings of npm for trees that are not laid out as its lockfile says."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What git says that there is, relative to the root; `Reading` tells what each is."""

    sources: tuple[str, ...]
    tracked: tuple[str, ...]
    versioned: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What is known of a workspace that is laid out as it was.

    reading: today's, which is that of the packages that are `same`. lost: whether something is gone since, which files
    of any package may have named.
    """

    listing: Listing
    reading: "Reading"
    secrets: Mapping[str, str]
    same: Callable[[str], bool]
    lost: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the files of the workspace tell, and git of them; by package path where nothing else is said.

    imports: what sources import. mentions: the words that files hold. named: what code that runs has in quotes, and of
    it what stands where a package's name is taken. outside: what a package reads outside its folder. aliases: what
    tsconfig.json says of names: patterns -> paths relative to the root. linked: those of which some sources are links.
    files: those of everything below that is named outside packages, and of commands, that are plain files. written:
    folders that its code writes to. private_keys: sources that hold one. globs: pattern -> what it names.
    sources: every file that is a source, relative to the root, sorted: git tracks it or does not ignore it. tracked:
    those that git tracks though what it ignores, or the usual names of secrets and results, would leave them out.
    commands: the files of a package's commands that a clone has, relative to the root. vendored: files and folders
    that installs read beside manifests and settings. git_calls: where builds ask git. versioned: whether git says what
    there is.
    """

    imports: Mapping[str, tuple[Import, ...]]
    mentions: Mapping[str, frozenset[str]]
    named: Mapping[str, Named]
    outside: Mapping[str, Read]
    aliases: Mapping[str, Mapping[str, tuple[str, ...]]]
    linked: frozenset[str]
    files: frozenset[str]
    written: Mapping[str, tuple[Written, ...]]
    private_keys: tuple[str, ...]
    commands: Mapping[str, tuple[str, ...]]
    globs: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...]
    tracked: tuple[str, ...]
    vendored: tuple[str, ...]
    git_calls: Mapping[str, str]
    versioned: bool


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Project:
    """A workspace with its bake.toml. `workspace.lock` is the lockfile completed by bake.lock."""

    file: Path
    root: Path
    config: cfg.Config
    workspace: Workspace
    bake_lock: BakeLock
    original: Workspace
    """The workspace with the lockfile as it is committed."""
    root_files: tuple[str, ...]
    """Files and folders outside packages that every build reads, relative to the root; globs as config has them."""
    tsconfigs: tuple[str, ...]
    """Those of them that a process which runs TypeScript sources reads too."""
    parts: Mapping[str, tuple[Part, ...]]
    """Package path -> its own sources, for the packages that images can be made of."""
    patches: tuple[Patches, ...]
    """What patch-package changes after an install."""
    ignored: tuple[str, ...]
    """What git ignores, as .dockerignore patterns."""
    reading: Reading
    tasks: Tasks
    """What the workspace runs before and beside build scripts."""
    npmrc: str
    """The workspace's own .npmrc, or ""."""
    secrets: Mapping[str, str]
    """Secret id -> where buildx finds it (`src=FILE` or `env=NAME`); optional ones that are absent are left out."""
    absent: tuple[str, ...] = ()
    """A complaint about each required secret that is not there: only builds need them."""
    bases: Mapping[str, Dockerfile] = dataclasses.field(default_factory=dict)
    """Base images of its own: name -> what their Dockerfiles say."""
    dockerfiles: Mapping[str, DockerContext] = dataclasses.field(default_factory=dict)
    """Service -> the Dockerfile of its own."""
    ejected: Mapping[str, str]
    """Templates that the user has copied for changing: name -> text."""

    @property
    def packages(self) -> tuple[Package, ...]:
        """The packages that images can be made of: the members, and the root where a service names it."""
        return named_packages(self.config, self.workspace)

    def sources_of(self, package_path: str) -> tuple[str, ...]:
        """The package's own sources, relative to it."""
        return _own_sources(self.reading.sources, self.workspace, package_path)

    def links(self, package_path: str) -> bool:
        """Whether some of the package's sources are links."""
        return package_path in self.reading.linked

    def written(self, package_path: str) -> tuple[Written, ...]:
        """Folders that a package's code writes to."""
        return self.reading.written.get(package_path, ())

    def aliases(self, package_path: str) -> Mapping[str, tuple[str, ...]]:
        """What the package's tsconfig.json says of names: patterns -> paths relative to the root."""
        return self.reading.aliases.get(package_path, {})

    @property
    def install_npmrc(self) -> str:
        """The workspace's .npmrc for installs: without credentials and without another layout than the lockfile's."""
        return re.sub(_LAYOUTS, "", strip_credentials(self.npmrc), flags=re.M)

    def commands(self, package: Package) -> tuple[str, ...]:
        """The files of a package's commands that a clone has, relative to the root."""
        return self.reading.commands.get(package.path, ())

    @property
    def vendored(self) -> tuple[str, ...]:
        """Files and folders that installs read beside manifests and settings."""
        return self.reading.vendored

    @property
    def folder(self) -> Path:
        """Where everything generated lies."""
        return self.root / FOLDER

    def imports(self, package_path: str) -> tuple[Import, ...]:
        """What the package's sources import."""
        return self.reading.imports.get(package_path, ())

    def undeclared(self, package_path: str) -> tuple[Undeclared, ...]:
        """Imports that the package does not declare, without those that config ignores."""
        package = self.workspace.package(package_path)
        ignored = self.settings(package).ignore
        found = undeclared(self.workspace, package_path, self.imports(package_path))
        return tuple(u for u in found if not any(fnmatch.fnmatchcase(u.import_.name, name) for name in ignored))

    def members(self, package_path: str) -> tuple[str, ...]:
        """Paths of the workspace packages that the sources name, types included: its build needs them."""
        return imported_packages(self.workspace, self.imports(package_path))

    def build_names(self, package_path: str) -> frozenset[str]:
        """Names in the lockfile that the build of a package may load although its package.json does not declare them.

        Whatever its files and scripts mention counts: settings name plugins, and what is not there fails a build.
        """
        package = self.workspace.package(package_path)
        mentioned = self.reading.mentions.get(package.path, frozenset()) | set(self.settings(package).needs)
        installed, commands = self._installed
        words = script_words(package.manifest) | {w for c in self.tasks.made.get(package.path, ()) for w in c.split()}
        named = (mentioned | words) & installed | {commands[w] for w in words & commands.keys()}
        declaring = (package, self.workspace.root_package)
        return frozenset(n for n in named if not any(p.declares(n) for p in declaring))

    def named(self, package_path: str) -> frozenset[str]:
        """Packages that code which runs names in a text, and that nothing but the root or a development declares.

        Of the root's dependencies any text counts; of the development ones, what stands where a name is taken; of the
        workspace's packages, what code may choose to load.
        """
        package, root = self.workspace.package(package_path), self.workspace.root_package
        said = self.reading.named.get(package.path, Named())
        found = {n for n in said.taken if package.declares(n) or root.declares(n)}
        found |= said.quoted & root.dependencies.keys()
        found |= said.chosen & {member.name for member in self.workspace.packages} - {package.name}
        known = (n for n in found if n not in package.dependencies)
        return frozenset(n for n in known if self.workspace.lock.resolve(package.path, n) is not None)

    @functools.cached_property
    def _installed(self) -> tuple[frozenset[str], Mapping[str, str]]:
        """Names of the third-party packages in the lockfile, and command -> the package that brings it."""
        entries = [e for e in self.workspace.lock.entries.values() if not e.link]
        return frozenset(e.name for e in entries), {command: e.name for e in entries for command in e.bins}

    def outside(self, package_path: str) -> Read:
        """Files and folders outside a package that its build or its processes read."""
        return self.reading.outside.get(package_path, Read())

    def matches(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """What globs of bake.toml name, relative to the root; a pattern that names nothing as it is."""
        return tuple(dict.fromkeys(m for p in patterns for m in self.reading.globs.get(p) or (p,)))

    def names_nothing(self, pattern: str) -> bool:
        """Whether no file or folder of the workspace is named by a glob."""
        return not self.reading.globs.get(pattern)

    def require_secrets(self) -> None:
        """Raise ConfigError naming every required secret that is not there."""
        if self.absent:
            raise ConfigError(cfg.FILE_NAME, "secrets are missing", complaints=self.absent)

    @property
    def outside_secrets(self) -> Mapping[str, str]:
        """Secret id -> its file, of those that lie outside the workspace; an SSH agent lies there too."""
        files = {i: place.removeprefix("src=") for i, place in self.secrets.items() if place.startswith("src=")}
        agents = {i: "the SSH agent" for i, place in self.secrets.items() if not place}
        return agents | {i: os.path.realpath(f) for i, f in files.items() if not is_below(self.root, f)}

    def service_path(self, service: str) -> str:
        """Path of a service's package."""
        return self.workspace.package(self.config.services[service].package).path

    def settings(self, package: Package) -> cfg.PackageSettings:
        """The [packages] table of a package, by path or name; the defaults when it has none."""
        return _settings(self.config, package)

    def locked(self, image: str) -> LockedImage | None:
        """What bake.lock records of an image."""
        return self.bake_lock.images.get(str(parse_reference(image)))

    def pinned(self, image: str) -> str:
        """The reference with the digest that bake.lock records for it; a base of its own as the build knows it."""
        if image in self.config.bases:
            return own_base(image)
        locked = self.locked(image)
        return f"{image}@{locked.digest}" if locked and "@" not in image else image


def load_project(file: Path, environment: Mapping[str, str], *, earlier: Earlier | None = None) -> Project:
    """Read everything that planning, rendering and checks look at. Raises ConfigError and WorkspaceError.

    earlier: of a workspace as it was.
    """
    config = cfg.load_config(file)
    root = (file.parent / require_inside(file.parent, config.workspace.root, f"{file.name}: workspace.root")).resolve()
    _require_inside(root, config, file.name)
    bases = {name: _load_base(root, file, name, base, environment) for name, base in config.bases.items()}
    original = load_workspace(root)
    bake_lock = load_bake_lock(root / LOCK_NAME)
    packages = named_packages(config, original)
    tsconfigs = load_tsconfigs(root, packages)
    ignored = load_git_ignored(root, (p.path for p in original.packages))
    places, absent = _secrets(config, file.parent, environment)
    listing = earlier.listing if earlier else load_listing(root, ignored)
    files = config.workspace.files or load_root_files(root, ignored, listing)
    workspace = _completed(original, bake_lock)
    settings = tuple(f for f in original.tool.files if f.endswith((".cjs", ".mjs", ".js")))
    required = Outside(root, (), lambda _: True).named_by(settings)
    tasks = load_tasks(root, original.everyone, config.workspace.script)
    root_files = tuple(sorted({"package.json", *files, *tsconfigs, *required} - {*settings}))
    required = tuple(f for f in required if f not in settings)
    reading = load_reading(config, workspace, ignored, root_files, required, tasks, listing, earlier)
    return Project(
        file=file,
        root=root,
        config=config,
        workspace=workspace,
        original=original,
        bake_lock=bake_lock,
        root_files=root_files,
        tsconfigs=tsconfigs,
        parts={p.path: load_parts(root, p.path, original.inside(p.path)) for p in packages},
        patches=tuple(found for p in original.everyone if (found := load_patches(root, p))),
        ignored=ignored,
        reading=reading,
        tasks=tasks,
        npmrc=read_text(root, ".npmrc") or "",
        secrets=earlier.secrets if earlier else places,
        absent=() if earlier else absent,
        bases=bases,
        dockerfiles={name: _load_dockerfile(root, service, reading) for name, service in config.dockered.items()},
        ejected={name: text for name in TEMPLATES if (text := read_text(root, f"{EJECTED}/{name}"))},
    )


def own_base(name: str) -> str:
    """A base image of the workspace's own as Dockerfile and bake file know it."""
    return f"base-{name}"


def _load_base(root: Path, file: Path, name: str, base: cfg.OwnBase, environment: Mapping[str, str]) -> Dockerfile:
    where = f"{file.name}: bases.{name}"
    require_inside(root, base.context, f"{where}.context")
    text = read_text(root, base.dockerfile, where=f"{where}.dockerfile")
    if text is None:
        raise ConfigError(f"{where}.dockerfile", f"there is no {base.dockerfile}", "correct the path")
    values = {k: argument_value(v, environment) for k, v in base.args.items()}
    return parse_own_dockerfile(text, arguments=values, target=base.target)


def argument_value(value: str | cfg.Arg, environment: Mapping[str, str]) -> str:
    """What a build argument is."""
    return value if isinstance(value, str) else environment.get(value.env, value.default)


def _require_inside(root: Path, config: cfg.Config, name: str) -> None:
    """Raise WorkspaceError for a Dockerfile or a context outside the workspace."""
    if config.monolith:
        require_inside(root, config.monolith.context, f"{name}: monolith.context")
        require_inside(root, config.monolith.dockerfile, f"{name}: monolith.dockerfile")
    for service, settings in config.dockered.items():
        require_inside(root, settings.build_context, f"{name}: services.{service}.context")
        require_inside(root, settings.dockerfile or "", f"{name}: services.{service}.dockerfile")


def _load_dockerfile(root: Path, service: cfg.Service, reading: Reading) -> DockerContext:
    return load_docker_context(
        root,
        normal(service.dockerfile or "") or "",
        normal(service.build_context) or "",
        sources=reading.sources,
        tracked=reading.tracked,
        versioned=reading.versioned,
    )


def _built_by(config: cfg.Config, path: str) -> str:
    """The script that builds a package, as far as bake.toml names one by its path."""
    settings = config.packages.get(path or ROOT)
    return settings.build if settings and isinstance(settings.build, str) else config.workspace.script


def _settings(config: cfg.Config, package: Package) -> cfg.PackageSettings:
    keys = (package.path or ROOT, f"./{package.path}", package.name)
    return next((config.packages[key] for key in keys if key in config.packages), cfg.PackageSettings())


def load_reading(
    config: cfg.Config,
    workspace: Workspace,
    ignored: Iterable[str],
    root_files: Iterable[str],
    required: Iterable[str],
    tasks: Tasks,
    listing: Listing,
    earlier: Earlier | None = None,
) -> Reading:
    """Read what the files tell of the packages that images can be made of.

    tasks: what builds run first. required: files that settings of the package manager, which are code, name: installs
    and scripts read them.
    """
    root = workspace.root
    with contextlib.suppress(OSError):  # a read-only workspace
        ignore_in_git(root / FOLDER)
    paths = [package.path for package in named_packages(config, workspace)]
    sources, tracked, versioned = listing.sources, listing.tracked, listing.versioned
    known = earlier.reading if earlier else None
    same = frozenset(p for p in paths if earlier and p in earlier.reading.imports and earlier.same(p))

    def of_each(field: Callable[[Reading], Mapping[str, T]], load: Callable[[str], T]) -> Mapping[str, T]:
        there = field(known) if known else {}
        return {path: there[path] if path in same and path in there else load(path) for path in paths}

    tsconfigs = TsConfigs(str(root), {p.name: f"{root}/{p.path}" for p in workspace.packages})
    sent = _sent(ignored, tracked, versioned=versioned)
    makers = load_makers(root, workspace.everyone, config.workspace.script)
    outside = Outside(root, workspace.everyone, sent)
    read = of_each(
        lambda r: {} if earlier and earlier.lost else r.outside,
        lambda p: _load_outside(outside, config, workspace, p, tasks, tuple(_named_by(makers, p))),
    )
    commands = {p.path: _load_commands(root, p, sent) for p in workspace.everyone}
    vendored = _load_vendored(root, workspace, required, sent)
    patterns = (
        *root_files,
        *(pattern for settings in config.packages.values() for pattern in settings.inputs),
        *([config.monolith.dockerfile] if config.monolith else []),
    )
    globs = {pattern: _matches(root, pattern, sent) for pattern in patterns}
    elsewhere = (each for found in read.values() for each in (found.built, found.run))
    named = (vendored, *elsewhere, *commands.values(), *globs.values())
    return Reading(
        imports=of_each(
            lambda r: r.imports,
            lambda p: load_imports(workspace, p, root / FOLDER, entries=_entries(config, workspace, p)),
        ),
        mentions=of_each(lambda r: r.mentions, lambda p: load_mentions(root / p, _inner(root, workspace, p), root)),
        named=of_each(lambda r: r.named, lambda p: load_named(root / p, _inner(root, workspace, p), root)),
        outside=read,
        aliases={path: _load_aliases(root, tsconfigs, path) for path in paths},
        linked=frozenset(
            path
            for path in paths
            if any((root / path / file).is_symlink() for file in _own_sources(sources, workspace, path))
        ),
        files=frozenset(path for each in named for path in each if _is_plain(root / path)),
        written=of_each(lambda r: r.written, lambda p: _load_written(root, workspace, tsconfigs, sources, p)),
        private_keys=tuple(file for file in sources if _is_private_key(root, file)),
        commands=commands,
        vendored=vendored,
        git_calls={path: load_git_call(root, workspace.package(path), _built_by(config, path)) for path in paths},
        sources=sources,
        globs=globs,
        tracked=tracked,
        versioned=versioned,
    )


def _read_from_start(config: cfg.Config, workspace: Workspace, outside: Outside, path: str) -> Iterator[str]:
    """What the processes of a package read outside of it, where they start in another folder than its own."""
    roles = [(d, r) for d, r in _begun(config, workspace, path) if d != path]
    services = (s for s in config.packaged.values() if (p := workspace.find(s.package)) and p.path == path)
    links = {place: to for s in services for place, to in s.places.items()}
    if not roles and not links:
        return
    reached = (path, *(p for p in in_order([path], workspace.all_needs) if p and p != path))
    folders = dict.fromkeys(folder for folder, _ in roles)
    yield from outside.read_at(links, reached)
    yield from outside.read_from(folders, reached)
    if any("config" in workspace.package(p).dependencies for p in reached):
        yield from (f"{folder}/config".lstrip("/") for folder in folders)  # where the library of that name looks
    for folder, role in roles:
        beside = command_needs(workspace, path, _words(role), folder).beside
        yield from (posixpath.normpath(posixpath.join(path, file)) for file in beside)


def _named_by(makers: Mapping[str, Mapping[str, tuple[str, ...]]], path: str) -> Iterator[str]:
    """The files that commands name which make sources of a package."""
    yield from (file for files in makers.get(path, {}).values() for file in files)


def _begun(config: cfg.Config, workspace: Workspace, path: str) -> Iterator[tuple[str, cfg.Role]]:
    """The roles of a package, each with the folder that it starts in."""
    for service in config.packaged.values():
        package = workspace.find(service.package)
        if package is None or package.path != path:
            continue
        for role in service.roles.values() or [service]:
            given = service.folder_of(role)
            yield path if given is None else given, role


def _inner(root: Path, workspace: Workspace, path: str) -> frozenset[str]:
    """The folders of other packages in a package's, absolute."""
    return frozenset(f"{root}/{inner}" for inner in workspace.inside(path))


def load_listing(root: Path, ignored: Iterable[str]) -> Listing:
    """What git says that there is; without it, what is there."""
    tracked, versioned = _load_tracked(root), is_versioned(root)
    found = sorted(list_sources(root) or _walk_sources(root, ignored))
    secret = re.compile("|".join(map(fnmatch.translate, untracked(versioned=versioned)))).match
    kept = frozenset(tracked)
    sources = tuple(f for f in found if not secret(posixpath.basename(f)) or f in kept)
    return Listing(sources=sources, tracked=tracked, versioned=versioned)


def make_listing(sources: Iterable[str], ignored: Iterable[str]) -> Listing:
    """What git said when it tracked these files."""
    names = (*anywhere(UNTRACKED), *anywhere(f"{folder}" for folder in RESULTS))
    left_out = parse_dockerignore("\n".join((*ignored, *names)))
    files = tuple(sorted(sources))
    return Listing(sources=files, tracked=tuple(filter(left_out, files)), versioned=True)


def _own_sources(sources: Sequence[str], workspace: Workspace, path: str) -> tuple[str, ...]:
    head = f"{path}/" if path else ""
    own = itertools.takewhile(lambda file: file.startswith(head), sources[bisect.bisect_left(sources, head) :])
    others = tuple(f"{inner}/" for inner in workspace.inside(path))
    return tuple(file.removeprefix(head) for file in own if not file.startswith(others))


def _load_outside(
    outside: Outside, config: cfg.Config, workspace: Workspace, path: str, tasks: Tasks, makers: Sequence[str]
) -> Read:
    """What a package reads outside its folder, by what builds it and where its processes start."""
    package = workspace.package(path)
    named = _read_from_start(config, workspace, outside, path)
    build = _settings(config, package).build
    script = build if isinstance(build, str) else config.workspace.script
    command = tasks.compiled.get(path, "") if build is True and script not in package.scripts else ""
    if makers or build is False or not (command or script in package.scripts):
        return outside.load(path, makers=makers, named=named)
    first = (*preparing(package.scripts, script), *tasks.prepared(package), *sorted(tasks.named))
    names = tuple(name for name in (*first, script) if name in package.scripts)
    return outside.load(path, parse_build(package.scripts, names, command), scripts=names, named=named)


def _is_plain(place: Path) -> bool:
    return place.is_file() and not place.is_symlink()


_KEY_NAMES = re.compile(r"(?:\.(?:pem|key|p12|pfx|jks)|(?:^|/)id_(?:rsa|ed25519|ecdsa))$")


def _is_private_key(root: Path, file: str) -> bool:
    if not _KEY_NAMES.search(file) or not is_below(root, root / file):
        return False
    try:
        return file.endswith((".p12", ".pfx", ".jks")) or b"PRIVATE KEY-----" in (root / file).read_bytes()[:4096]
    except OSError:
        return False


def _load_written(
    root: Path, workspace: Workspace, tsconfigs: TsConfigs, sources: Sequence[str], path: str
) -> tuple[Written, ...]:
    nested = frozenset(f"{root}/{inner}" for inner in workspace.inside(path))
    found = load_written(root, path, nested, tsconfigs.load(f"{root}/{path}".rstrip("/")).outputs)
    kept = (Written(folder=folder) for folder in kept_empty(_own_sources(sources, workspace, path)))
    return tuple(dict.fromkeys((*found, *kept)))


def _load_aliases(root: Path, tsconfigs: TsConfigs, path: str) -> Mapping[str, tuple[str, ...]]:
    found = tsconfigs.load(f"{root}/{path}".rstrip("/"))
    patterns = {pattern: targets for each in reversed(found.aliases) for pattern, targets in each.patterns.items()}
    if found.base_url:
        patterns.setdefault("*", (f"{found.base_url}/*",))
    inside = {
        pattern: tuple(relpath(target, root) for target in targets if target.startswith(f"{root}/"))
        for pattern, targets in patterns.items()
    }
    return {pattern: targets for pattern, targets in inside.items() if targets}


def _load_commands(root: Path, package: Package, sent: Callable[[str], bool]) -> tuple[str, ...]:
    files = sorted({posixpath.normpath(package.file(file)) for file in package.bins.values()})
    inside = (f for f in files if not f.startswith(("../", "/")))
    return tuple(f for f in inside if sent(f) and (root / f).is_file())


def _load_vendored(
    root: Path, workspace: Workspace, required: Iterable[str], sent: Callable[[str], bool]
) -> tuple[str, ...]:
    lock = read_text(root, workspace.lock_name) or ""
    found = (*load_vendored(root, workspace.everyone, lock), *required)
    return tuple(filter(sent, dict.fromkeys(found)))


def _sent(ignored: Iterable[str], tracked: Iterable[str], *, versioned: bool) -> Callable[[str], bool]:
    """A test for paths: whether a build may get them, by what git and their names say."""
    kept = (f"!{literal(path)}" for path in tracked)
    names = (*anywhere(untracked(versioned=versioned)), *kept, *anywhere(NEVER_SENT))
    left_out = parse_dockerignore("\n".join((*ignored, *names)))
    return lambda path: not left_out(path)


def _entries(config: cfg.Config, workspace: Workspace, path: str) -> tuple[str, ...]:
    """The files that the package's processes start with; () when it is not a service or one is unknown."""
    found = [_started_files(workspace, path, role, folder) for folder, role in _begun(config, workspace, path)]
    return tuple(f for files in found for f in files) if found and all(found) else ()


def _started_files(workspace: Workspace, path: str, role: cfg.Role, folder: str) -> tuple[str, ...]:
    return command_needs(workspace, path, words, folder).files if (words := _words(role)) else ()


def _words(role: cfg.Role) -> tuple[str, ...]:
    return (*cfg.words(role.entrypoint or ()), *cfg.words(role.command or ()))


def _walk_sources(root: Path, ignored: Iterable[str]) -> Iterator[str]:
    """The files of a folder without git, without what its .gitignore names."""
    ignores = parse_dockerignore("\n".join(ignored))
    for folder, folders, names in os.walk(root):
        below = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if name not in _NO_SOURCES and not ignores((below / name).as_posix())]
        yield from (path for name in names if not ignores(path := (below / name).as_posix()))


def named_packages(config: cfg.Config, workspace: Workspace) -> tuple[Package, ...]:
    """The members, and the root before them where a service names it."""
    named = {s.package.removeprefix("./").rstrip("/") for s in config.packaged.values()}
    members = {p.name for p in workspace.packages}
    root = workspace.root_package
    return workspace.everyone if named & {"", ROOT, root.name} - members else workspace.packages


def _secrets(
    config: cfg.Config, folder: Path, environment: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Where each secret is, and a complaint about each required one that is not there."""
    found: dict[str, str] = {}
    complaints: list[str] = []
    for name, secret in config.secrets.items():
        if secret.ssh and secret.file is None:
            place, there = "", bool(environment.get("SSH_AUTH_SOCK"))
        elif secret.env is not None:
            place, there = f"env={secret.env}", secret.env in environment
        else:
            path = folder / _expand(secret.file or "", environment)
            place, there = f"src={path}", path.is_file()
        if there or secret.required:
            found[name] = place
        if not there and secret.required:
            name_of = secret.env or ("" if secret.file else "SSH_AUTH_SOCK")
            what = f"${name_of} is not set" if name_of else f"{secret.file} does not exist"
            complaints.append(f"{cfg.FILE_NAME}: secrets.{name}: {what}; provide it or set required = false")
    return found, tuple(complaints)


def _expand(path: str, environment: Mapping[str, str]) -> str:
    """`~` and ${NAME} in a path, from the environment given."""
    home = environment.get("HOME", "~")
    path = f"{home}{path[1:]}" if path == "~" or path.startswith("~/") else path
    return re.sub(r"\$\{(\w+)\}", lambda m: environment.get(m[1], m[0]), path)


def _completed(workspace: Workspace, bake_lock: BakeLock) -> Workspace:
    if not bake_lock.packages:
        return workspace
    return dataclasses.replace(workspace, lock=make_lockfile(complete(workspace.lock.raw, bake_lock)))


def _matches(root: Path, pattern: str, sent: Callable[[str], bool]) -> tuple[str, ...]:
    """What a glob names of what builds get. `folder/**` is the folder; a path that is there is itself."""
    plain = normal(pattern.removesuffix("/**"))
    if plain is None:
        return ()
    if os.path.lexists(root / plain):
        return (plain,) if is_inside(root, plain) else ()
    if not re.search(r"[*?[]", plain):
        return ()
    return tuple(filter(sent, expand_glob(root, plain, skip=_NO_SOURCES)))


def load_root_files(root: Path, ignored: Iterable[str], listing: Listing) -> tuple[str, ...]:
    """The files at the root that every build has, sorted: small ones of a clone that can be settings of a tool.

    ignored: what git ignores, as .dockerignore patterns. A link comes with the file that it leads to.
    """
    there = {p.name: p for p in root.iterdir() if p.is_file() and p.stat().st_size <= _LARGE}
    found = [
        name for name in there if not any(fnmatch.fnmatchcase(name, pattern) for pattern in (*_NOT_SHARED, *NEVER_SENT))
    ]
    left_out = parse_dockerignore("\n".join((*ignored, *anywhere(untracked(versioned=listing.versioned)))))
    kept = [name for name in found if not left_out(name) or name in listing.tracked]
    targets = (target for name in kept if there[name].is_symlink() and (target := _inside(root, there[name])))
    return tuple(sorted({*kept, *targets}))


def _inside(root: Path, link: Path) -> str:
    """Where a link leads, relative to the root; "" when it leads out of it."""
    target = link.resolve()
    return target.relative_to(root).as_posix() if target.is_relative_to(root) else ""


def _load_tracked(root: Path) -> tuple[str, ...]:
    return list_ignored(root, (*UNTRACKED, *(f"{folder}/" for folder in RESULTS)))


def load_tsconfigs(root: Path, packages: Iterable[Package]) -> tuple[str, ...]:
    """Files outside every package that the packages' tsconfig.json extend, relative to the root, sorted."""
    configs = TsConfigs(str(root), {p.name: str(root / p.path) for p in packages})
    files = (str(file) for p in packages for file in (root / p.path).glob("tsconfig*.json"))
    bases = (os.path.relpath(base, root) for file in files for base in configs.all_bases(file))
    elsewhere = ("../", *(f"{p.path}/" for p in packages if p.path))
    return tuple(sorted({b for b in bases if not b.startswith(elsewhere) and "node_modules" not in b.split("/")}))


def runtime_images(project: Project) -> frozenset[str]:
    """Canonical references of the images that processes run on, as far as they are no own ones."""
    services = project.config.packaged.values()
    named = {service.base or project.config.base.runtime for service in services} - project.bases.keys()
    return frozenset(str(parse_reference(name)) for name in named)


def base_images(project: Project) -> tuple[str, ...]:
    """Canonical references of the base images that bake.lock pins."""
    base, services = project.config.base, project.config.services.values()
    named = [base.build, base.runtime, *(s.base for s in services if s.base)]
    parents = [parent for name in named if name in project.bases for parent in project.bases[name].parents]
    unpinned = (parse_reference(n) for n in (*named, *parents) if n not in project.bases and "@" not in n)
    return tuple(sorted({str(r) for r in unpinned})) if base.pin else ()
