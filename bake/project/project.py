"""All that a plan is made of, read from disk: bake.toml, the workspace, bake.lock and the sources' imports."""

import dataclasses
import fnmatch
import functools
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bake import config as cfg
from bake.config import parse_reference
from bake.errors import ConfigError
from bake.files import (
    is_below,
    normal,
    read_text,
    require_inside,
    strip_credentials,
)
from bake.lockfile import FILE_NAME as LOCK_NAME
from bake.lockfile import BakeLock, LockedImage, complete, load_bake_lock, make_lockfile
from bake.project.reading import (
    FOLDER,
    Earlier,
    Listing,
    Reading,
    Services,
    load_listing,
    load_reading,
    named_packages,
    own_sources,
    package_settings,
    services_of,
)
from bake.reads import Outside, Read
from bake.sources import (
    Import,
    Named,
    Undeclared,
    Written,
    imported_packages,
    script_words,
    undeclared,
)
from bake.workspace import (
    BESIDE,
    NEVER_SENT,
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
    load_docker_context,
    load_git_ignored,
    load_parts,
    load_patches,
    load_tasks,
    load_workspace,
    parse_dockerignore,
    parse_own_dockerfile,
    tsconfigs_of,
    untracked,
)

EJECTED = ".bake-templates"
"""Where `bake eject` puts the templates, below the workspace's root."""

TEMPLATES = ("docker/Dockerfile", "docker-bake.hcl.j2")

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
        return own_sources(self.reading.sources, self.workspace, package_path)

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
        """Imports that the package does not declare, nor config ignores, nor a bundler has put into its output."""
        package = self.workspace.package(package_path)
        ignored = self.settings(package).ignore
        own = self._services.get(package.path, ())
        paths = (t["NODE_PATH"] for s in own for t in (s.env, *(r.env for r in s.roles.values())) if "NODE_PATH" in t)
        found = undeclared(self.workspace, package_path, self.imports(package_path), node_path=paths)
        found = tuple(u for u in found if not (u.dev and package_path in self.reading.bundled))
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
        found |= (said.chosen & self.workspace.members.keys()) - {package.name}
        known = (n for n in found if n not in package.dependencies)
        return frozenset(n for n in known if self.workspace.lock.resolve(package.path, n) is not None)

    def script_variables(self, package_path: str) -> Mapping[str, str]:
        """What a package manager would give the package's process, of which its code or that of a package it needs
        asks: images start processes without one."""
        reached = in_order([package_path], self.workspace.all_needs)
        asked = {name for path in reached if (said := self.reading.named.get(path)) for name in said.variables}
        known = self.workspace.package(package_path).script_variables if asked else {}
        return {name: known[name] for name in sorted(asked & known.keys())}

    @functools.cached_property
    def _services(self) -> Services:
        """Package path -> the services that run it."""
        return services_of(self.config, self.workspace)

    @functools.cached_property
    def _settings(self) -> Mapping[str, cfg.PackageSettings]:
        """Package path -> its [packages] table, of all packages."""
        packages = (*self.workspace.packages, self.workspace.root_package)
        return {package.path: package_settings(self.config, package) for package in packages}

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
        return self._settings[package.path]

    def locked(self, image: str) -> LockedImage | None:
        """What bake.lock records of an image."""
        return self.bake_lock.images.get(str(parse_reference(image)))

    def base_bytes(self, image: str, platform: str) -> int | None:
        """What a platform of an image weighs, compressed, as bake.lock says of just that digest."""
        pinned = parse_reference(image)
        locked = self.bake_lock.images.get(str(dataclasses.replace(pinned, digest="")))
        return locked.sizes.get(platform) if locked and pinned.digest and locked.weighed == pinned.digest else None

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
    tsconfigs = load_tsconfigs(root, packages, tsconfigs_of(original))
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
    if not bake_lock.packages and not bake_lock.integrities:
        return workspace
    return dataclasses.replace(workspace, lock=make_lockfile(complete(workspace.lock.raw, bake_lock)))


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


def load_tsconfigs(root: Path, packages: Iterable[Package], configs: TsConfigs) -> tuple[str, ...]:
    """Files outside every package that the packages' tsconfig.json extend, relative to the root, sorted."""
    files = (str(file) for p in packages for file in (root / p.path).glob("tsconfig*.json"))
    bases = (os.path.relpath(base, root) for file in files for base in configs.all_bases(file))
    elsewhere = ("../", *(f"{p.path}/" for p in packages if p.path))
    return tuple(sorted({b for b in bases if not b.startswith(elsewhere) and "node_modules" not in b.split("/")}))


def runtime_images(project: Project) -> frozenset[str]:
    """Canonical references of the images that processes run on, as far as they are no own ones."""
    services = project.config.packaged.values()
    named = {service.base or project.config.base.runtime for service in services} - project.bases.keys()
    return frozenset(str(parse_reference(name)) for name in named)


def minimal_images(project: Project) -> frozenset[str]:
    """Canonical references of the images that minimal bases are made from."""
    return frozenset(str(parse_reference(name)) for name in project.config.minimal.values())


def base_images(project: Project) -> tuple[str, ...]:
    """Canonical references of the base images that bake.lock pins, or says something of."""
    base, services = project.config.base, project.config.services.values()
    named = [base.build, base.runtime, *(s.base for s in services if s.base)]
    parents = [parent for name in named if name in project.bases for parent in project.bases[name].parents]
    unpinned = (parse_reference(n) for n in (*named, *parents) if n not in project.bases and "@" not in n)
    pinned = {str(r) for r in unpinned} if base.pin else set()
    return tuple(sorted(pinned | minimal_images(project)))
