"""bake.toml: what the user says about the workspace, as frozen values; every complaint about it at once."""

import dataclasses
import posixpath
import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from bake.config import typed as schema
from bake.config.sizes import SIZE_PATTERN, SIZE_WORDS, parse_size
from bake.config.typed import Complaints, Rule
from bake.errors import ConfigError
from bake.files import normal

FILE_NAME = "bake.toml"
RESERVED = ("all", "default", "workspace", "monolith")
"""Names a service or image cannot have: bake's own groups and targets."""

Slug = Annotated[str, Rule(words="lower-case letters, digits and single dashes", pattern="[a-z0-9]+(-[a-z0-9]+)*")]
REGISTRY = Rule(
    words="a registry host with an optional path, e.g. ghcr.io/acme",
    pattern=r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*",
)
Repository = Annotated[str, REGISTRY]
PLATFORM = Rule(
    words="a platform like linux/amd64 or linux/arm64",
    pattern="linux/(386|amd64|arm|arm64|loong64|mips64le|ppc64le|riscv64|s390x)(/v[0-9]+)?",
)
Platform = Annotated[str, PLATFORM]
ImageReference = Annotated[str, Rule(words="an image reference", pattern=r"[A-Za-z0-9][^\s]*")]
SystemPackage = Annotated[
    str,
    Rule(
        words="a package of the distribution, like `git` or `git=1:2.39.5-0+deb12u2`",
        pattern="[A-Za-z0-9](?:[A-Za-z0-9+._~:=<>@/-]*[A-Za-z0-9+])?",
    ),
]
Count = Annotated[int, Rule(words="a number from 1", least=1)]
Port = Annotated[int, Rule(words="a port from 1 to 65535", least=1, most=65535)]
Variable = Annotated[str, Rule(words="a variable's name", pattern="[A-Za-z_][A-Za-z0-9_]*")]
RelativePath = Annotated[str, Rule(words="a path inside the workspace", pattern=r"(?!/)(?!(.*/)?\.\.(/|$))[^\n\r]+")]
SecretFile = Annotated[str, Rule(words="a path without commas and double quotes", pattern=r"[^,\"\x00-\x1f\x7f]+")]
_GLOB = r"(?!(?:.*?\*\*){5})(?!(?:.*/)?(?:[^/*]*\*+){4})(?:[^{}\x00-\x1f\x7f]|\{(?:[^{}]|\{[^{}]*\})*\})+"
"""Braces in pairs; so few stars that no path takes long to compare."""
Glob = Annotated[
    str, Rule(words="a pattern with braces in pairs, at most four `**`, and three `*` in a name", pattern=_GLOB)
]
Mounted = Annotated[
    str,
    Rule(
        words="an absolute path without spaces, commas, quotes, `$` and `\\`",
        pattern=r"(/[^\s,\"'`$\\/\x00-\x1f\x7f]+)+",
    ),
]
PLACE = Rule(
    words="an absolute path that is no folder of the system, without spaces and quotes",
    pattern=r"(?!/(app|bin|boot|dev|etc|home|home/node|lib|lib64|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|"
    r"usr(/local)?(/(bin|etc|include|lib|lib64|sbin|share|src))?|var)/?$)(?!(.*/)?\.\.?(/|$))(/[\w@.+-]+)+",
)
Place = Annotated[str, PLACE]
HeaderName = Annotated[str, Rule(words="a header's name", pattern=r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")]
HeaderText = Annotated[str, Rule(words="a header's value: one line of ASCII", pattern=r"[\x20-\x7e]*")]
UrlPath = Annotated[str, Rule(words="a path like /api/", pattern=r"/[\w./~%+-]*")]
HttpUrl = Annotated[
    str, Rule(words="a URL like http://api:4000/", pattern=r"https?://[\w.-]+(?::\d+)?(?:/[\w./~%+-]*)?")
]
_SERVERS_OWN = re.compile(
    "accept-ranges|allow|cache-control|connection|content-(encoding|length|range|type)|date|etag|keep-alive|"
    "transfer-encoding|vary",
    re.IGNORECASE,
)
"""Headers of docker/serve.mjs that come of the file and the request."""
Accepted = Annotated[
    str,
    Rule(
        words="a kind and a name or pattern, like `env REDIS_URL` or `port 6379`",
        pattern=r"([Cc]ommand|[Ff]ile|[Pp]ort|[Ee]nv|COMMAND|FILE|PORT|ENV) \S.*",
    ),
]
_LEAST_MEMORY = 6 * 1024**2
"""Source: moby/moby, daemon/daemon_unix.go, linuxMinMemory."""
Size = Annotated[str, Rule(words=SIZE_WORDS, pattern=SIZE_PATTERN)]
Schedule = Annotated[
    str,
    Rule(
        words="five fields of cron, e.g. `0 3 * * *`", pattern=r"@(?:hourly|daily|weekly|monthly|yearly)|\S+(?: \S+){4}"
    ),
]
Signal = Annotated[str, Rule(words="a signal, e.g. SIGINT", pattern=r"SIG[A-Z]+[0-9]*(?:[+-][0-9]+)?|[0-9]{1,2}")]
Seconds = Annotated[int, Rule(words="seconds from 1 to 600", least=1, most=600)]
Words = str | tuple[str, ...]


def _doc(text: str, default: Any = dataclasses.MISSING, *, key: str = "") -> Any:
    """A dataclass field with the sentence that schema and reference show."""
    metadata = {"doc": text} | ({"key": key} if key else {})
    if isinstance(default, dict):
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What the images are called and built for."""

    name: Slug = _doc("Prefix of every image: `<name>-<service>-<role>`.")
    registry: Repository | None = _doc("Where images are pushed, e.g. `ghcr.io/acme`.", None)
    mirrors: tuple[Repository, ...] = _doc(
        "Further registries that every push goes to: tags move in all of them, or in none.", ()
    )
    platforms: tuple[Platform, ...] = _doc("Platforms of every image.", ("linux/amd64", "linux/arm64"))
    tag: Words = _doc(
        "Tag or tags; {sha}, {branch}, {version}, {pr} and {content} are filled in from git and the plan.",
        "{sha}",
    )
    source: str | None = _doc("URL for the source label; by default git's remote `origin`.", None)
    version: str | None = _doc("Version label; by default `git describe`'s or the root package's.", None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSettings:
    """Where the monorepo is and how it is compiled."""

    root: RelativePath = _doc("The workspace's root, relative to bake.toml.", ".")
    files: tuple[RelativePath, ...] = _doc(
        "Shared root files and folders that builds read (globs); by default tsconfig*.json and what they extend.",
        (),
    )
    build: Literal["split", "whole"] = _doc("`split`: a stage per package. `whole`: one stage for all.", "split")
    isolate: bool = _doc(
        "Give each build only the dependencies it can reach: an update of one builds again only what uses it.",
        default=True,
    )
    trace: bool = _doc(
        "Follow the code of each process and add the files it reads to its image. Needs @vercel/nft from npm.",
        default=True,
    )
    maps: bool = _doc(
        "Images hold the source maps that builds of the workspace's packages write. Third parties': `layers.trim`.",
        default=True,
    )
    script: str = _doc("The npm script that builds a package.", "build")
    state: bool = _doc(
        "Keep on this machine what tools keep of a package's build (`.next/cache`, `.tsbuildinfo` with its results), "
        "for its next one: it comes back where only sources have changed, and images are the same as without.",
        default=True,
    )
    concurrency: Count | None = _doc(
        "How many packages are built at once; by default as many as the builder has cores.", None
    )
    environment: Mapping[Variable, str] = _doc("Environment variables of every build.", {})
    ignore: tuple[str, ...] = _doc("More patterns (as in .dockerignore) that never reach a build.", ())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The images that images are made from."""

    build: ImageReference = _doc("Where the workspace is installed and compiled.", "node:24")
    runtime: ImageReference = _doc("What every image starts from.", "node:24-slim")
    pin: bool = _doc("Let `bake lock` record their digests, and build from exactly these.", default=True)
    libc: Literal["glibc", "musl"] | None = _doc("The C library of `base.runtime`; by default told by its name.", None)
    system: tuple[SystemPackage, ...] = _doc(
        'Packages of the distribution, like `["git", "ffmpeg"]`, that apt or apk adds to `base.runtime`.', ()
    )
    minimal: bool = _doc(
        "Take Node of `base.runtime`, what it needs to run, and nothing else: no shell, no package manager.",
        default=False,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """A build argument from the environment."""

    env: Variable = _doc("The environment variable that gives the value.")
    default: str = _doc("The value when the variable is not set.", "")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnBase:
    """A base image that is built in the same run; its name is one for `base.runtime` and a service's `base`."""

    dockerfile: RelativePath = _doc("Its Dockerfile.")
    context: RelativePath = _doc("Its build context; the images change with the files that the Dockerfile copies.", ".")
    target: str | None = _doc("Its stage.", None)
    args: Mapping[Variable, str | Arg] = _doc("Its build arguments.", {})
    libc: Literal["glibc", "musl"] | None = _doc("Its C library; by default told by the image it is made from.", None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """How third-party packages get into `node_modules`."""

    scripts: tuple[str, ...] = _doc("Packages whose install scripts may run, on the target platform only.", ())
    without_scripts: tuple[str, ...] = _doc(
        "Packages that work without their install script, be they the workspace's own: no warning.", ()
    )
    build_scripts: tuple[str, ...] = _doc("Packages whose install scripts a build needs, on the build platform.", ())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How one knows that a container is up."""

    path: str | None = _doc("HTTP path that answers 2xx.", None)
    log: str | None = _doc("Text that a log line contains once the process is ready.", None)
    port: Port | None = _doc("Port of `path`; by default the image's port.", None)
    timeout: Seconds = _doc("Seconds until it must be up.", 30)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One process: what it runs and how it is reached."""

    command: Words | None = _doc("The process, as words or one string; by default the `start` script's.", None)
    entrypoint: Words | None = _doc(
        "Words before the command; `docker run IMAGE ARGS…` replaces the command only.", None
    )
    directory: RelativePath | None = _doc(
        "The folder that it starts in, from the workspace's root (`.`): its command, relative `writable` folders and "
        "paths in its code mean files from there. By default its package's.",
        None,
    )
    port: Port | None = _doc(
        "The port it listens on: EXPOSE in the image. The variable PORT is not set; `env` can.", None
    )
    env: Mapping[Variable, str] = _doc("Environment of the process.", {})
    labels: Mapping[str, str] = _doc("Labels of the image.", {})
    user: str | None = _doc("User or user:group of the process; by default 1000:1000, the base's `node`.", None)
    health: str | Health | None = _doc("Liveness: a path like `/healthz`, or a table.", None)
    healthcheck: bool | None = _doc("Write a HEALTHCHECK into the image (Kubernetes ignores it).", None)
    init: bool | None = _doc(
        "Whether an init is process 1, which ends processes that its own left behind: `bake smoke` starts one, as "
        "`bake run` and `bake compose` do anyway, pods share their process namespace; `docker run` has `--init`.",
        None,
    )
    stop_signal: Signal | None = _doc(
        "The signal that ends it, by default SIGTERM: STOPSIGNAL in the image, which Docker and Kubernetes heed.", None
    )
    writable: tuple[str, ...] = _doc(
        "Directories it writes to, absolute or below the folder that it starts in: the image has them, and they are "
        "its user's (Kubernetes: an emptyDir each). What its code makes below its own folder is known without.",
        (),
    )
    schedule: Schedule | None = _doc("When it runs, as cron says it, e.g. `0 3 * * *`: a CronJob in manifests.", None)
    once: bool | None = _doc("Whether it ends by itself, like a migration: a Job in manifests.", None)
    needs: tuple[str, ...] = _doc(
        "What it needs beside it (`redis`, `postgres`, …, a table of smoke.dependencies, another image): "
        "`bake compose` starts that first.",
        (),
    )
    budget: Size | None = _doc(
        "What the image may weigh at most, compressed and above its base image: `bake size` fails past it.", None
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service(Role):
    """A package that runs in containers: one per role, or one alone."""

    package: str = _doc("The package, by path or name; `.` is the workspace's root.", "")
    dockerfile: RelativePath | None = _doc(
        "A Dockerfile of its own instead of a package, for what is no JavaScript: it says what the image runs.", None
    )
    context: RelativePath | None = _doc("Build context of its `dockerfile`; by default that one's folder.", None)
    target: Annotated[str, Rule(words="a stage's name", pattern=r"[A-Za-z][\w.-]*")] | None = _doc(
        "Stage of its `dockerfile`; by default the last one.", None
    )
    args: Mapping[Variable, str | Arg] = _doc(
        "Build arguments of its `dockerfile`; {sha}, {branch} and {version} are filled in from git.", {}
    )
    roles: Mapping[Slug, Role] = _doc("Its processes; without roles the service is one image.", {})
    static: RelativePath | None = _doc("Serve this folder of the build output over HTTP (an SPA's `dist`).", None)
    standalone: RelativePath | None = _doc(
        "A folder of the build output that is complete, with node_modules of its own, like Next.js's "
        "`.next/standalone` or Nuxt's `.output`: images hold it instead of the package and its dependencies.",
        None,
    )
    headers: Mapping[HeaderName, HeaderText] = _doc(
        'Headers of every answer of a `static` service, like Content-Security-Policy; `""` takes a default away '
        "(X-Content-Type-Options, Referrer-Policy).",
        {},
    )
    prefix: UrlPath | None = _doc(
        "The path that a `static` service's files were built for, as Vite's `base` and CRA's `homepage` say it, e.g. "
        "`/app/`. They answer at `/` too.",
        None,
    )
    proxy: Mapping[UrlPath, HttpUrl] = _doc(
        "Paths of a `static` service that another server answers, as nginx's proxy_pass has it: "
        '`{ "/api/" = "http://api:4000/" }`. The variable PROXY says another one, as JSON.',
        {},
    )
    base: ImageReference | None = _doc("Another base image for this service.", None)
    libc: Literal["glibc", "musl"] | None = _doc("The C library of its `base`; by default told by its name.", None)
    system: tuple[SystemPackage, ...] = _doc(
        "Packages of the distribution that its processes need; without a `base` of its own, beside those of "
        "`base.system`.",
        (),
    )
    minimal: bool | None = _doc(
        "Take only Node of its base image: see base.minimal, which is the default without a `base` of its own.", None
    )
    links: Mapping[Place, RelativePath] = _doc(
        "Absolute paths that its code knows -> what they are in the workspace (images have it in /app), e.g. "
        '`"/opt/api" = "apps/api"`.',
        {},
    )
    trace: Literal["packages", "files"] | None = _doc(
        "What its images hold: see layers.trace, whose value is the default.", None
    )
    keep: tuple[Glob, ...] = _doc(
        'With `trace = "files"`: what its images hold whatever the trace finds, as names of packages or as files of '
        "its own folder or the workspace (globs).",
        (),
    )

    @property
    def build_context(self) -> str:
        """The context of its Dockerfile, relative to the workspace's root."""
        return self.context or posixpath.dirname(self.dockerfile or "") or "."

    @property
    def places(self) -> Mapping[str, str]:
        """Its links: absolute path -> the path from the workspace's root, "" for that."""
        return {place: normal(target) or "" for place, target in self.links.items()}

    def folder_of(self, role: Role) -> str | None:
        """The folder that a role starts in, from the workspace's root; None for its package's."""
        given = role.directory or self.directory
        return None if given is None else normal(given)

    def role(self, name: str) -> Role:
        """The role of that name; "" is the service itself, where it has none."""
        return self.roles[name] if name else self


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PackageSettings:
    """What bake cannot see in a package by itself."""

    build: str | bool = _doc("Another npm script than `workspace.script`, or false: nothing to build.", True)
    args: Mapping[Variable, str | Arg] = _doc(
        "Build arguments, set as environment while it builds. {sha}, {branch} and {version} in them are filled in from "
        "git: then every commit builds this package again.",
        {},
    )
    needs: tuple[str, ...] = _doc(
        "Packages its build needs besides the declared ones: of the workspace (path or name), or dependencies.", ()
    )
    serves: tuple[str, ...] = _doc(
        "Packages whose files its process reads by path, like a frontend's `dist` (path or name): "
        "they are in its images, without what they depend on.",
        (),
    )
    declarations: bool = _doc(
        "Whether packages whose builds only compile get this package's declarations in place of its whole folder, "
        "and its own such build those of the packages that it needs: an edit inside a function then rebuilds nothing "
        "but its own package.",
        default=True,
    )
    state: bool = _doc("Whether its build keeps state for the next one, see workspace.state.", default=True)
    inputs: tuple[RelativePath, ...] = _doc("Files outside its folder that its build reads (globs).", ())
    outputs: tuple[RelativePath, ...] = _doc("Files its build writes outside its folder (paths from the root).", ())
    files: tuple[Glob, ...] | None = _doc(
        "What of it goes into images (globs); by default all but sources, tests and tooling.", None
    )
    exclude: tuple[Glob, ...] = _doc("What of it stays out of images (globs).", ())
    sources: bool | None = _doc("Keep TypeScript sources in images; by default when the process runs them.", None)
    dependencies: tuple[str, ...] = _doc("Undeclared dependencies to add to its closure.", ())
    ignore: tuple[str, ...] = _doc(
        "Dependencies to leave out of its closure, undeclared imports to ignore; `@x/*` is a pattern.", ()
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A build secret: mounted while steps run, never in a layer."""

    file: SecretFile | None = _doc("File that holds it; `~` and ${VARIABLES} are expanded.", None)
    env: Variable | None = _doc("Environment variable that holds it.", None)
    target: Mounted | None = _doc("Where it is mounted; by default /run/secrets/<id>, for `npmrc` /root/.npmrc.", None)
    variable: Variable | None = _doc("Environment variable of the step that gets its value.", None)
    ssh: bool = _doc(
        "Let git log in by SSH, for dependencies in private repositories: by the agent of $SSH_AUTH_SOCK, or by the "
        "key `file`.",
        default=False,
    )
    required: bool = _doc("Stop a build when it is not there.", default=True)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Monolith:
    """The old all-in-one image."""

    dockerfile: RelativePath = _doc("Its Dockerfile.", "Dockerfile")
    context: RelativePath = _doc("Its build context.", ".")
    target: str | None = _doc("Its stage.", None)
    image: str | None = _doc("Its name; by default the project's.", None)
    platforms: tuple[Platform, ...] = _doc(
        "Its platforms; by default the builder's own, because a classic Dockerfile runs everything under emulation.", ()
    )
    args: Mapping[Variable, str | Arg] = _doc("Its build arguments.", {})
    accept: tuple[Accepted, ...] = _doc(
        "What it has and no other image needs: `bake parity` and `bake verify` do not count it as lost.", ()
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something that processes need while `bake smoke` tries them, e.g. redis."""

    image: ImageReference = _doc("Its image; processes reach it under the table's name.")
    command: Words | None = _doc("Another command than the image's.", None)
    env: Mapping[Variable, str] = _doc("Its environment.", {})
    log: str | None = _doc("Text that its log contains once it is ready; without it, once it runs.", None)
    timeout: Seconds = _doc("Seconds until it must be ready.", 60)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """How `bake smoke` tries images."""

    memory: Size = _doc("Memory limit of each container.", "512m")
    grace: Seconds = _doc("Seconds a process has to end after SIGTERM (Kubernetes: terminationGracePeriodSeconds).", 30)
    env: Mapping[Variable, str] = _doc("Environment of every process, for the trial only.", {})
    dependencies: Mapping[Slug, Dependency] = _doc("What to run beside them, by host name.", {})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """How dependencies are spread over layers."""

    most: Annotated[int, Rule(words="a number from 1 to 100", least=1, most=100)] = _doc(
        "Dependency layers an image may have; smaller ones are merged past it.", 16
    )
    trace: Literal["packages", "files"] = _doc(
        "`packages`: images hold every package that their service can reach. `files`: only the files that the code of "
        "their process can load, and all of a package that loads some by names which only run time knows.",
        "packages",
    )
    compression: Literal["gzip", "zstd"] = _doc(
        "How layers of pushed images are packed, those of base images too. zstd is smaller and unpacks faster; what "
        "pulls it has to be of containerd 1.5, Docker 23 or podman 4, or later.",
        "gzip",
    )
    trim: tuple[Glob, ...] = _doc(
        "Files of third-party packages that stay out of images (globs).",
        ("**/*.d.ts", "**/*.d.mts", "**/*.d.cts", "**/*.map", "**/*.tsbuildinfo"),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What `bake audit` lets pass."""

    level: Literal["info", "low", "moderate", "high", "critical"] = _doc(
        "It fails for advisories of this severity or worse that reach an image.", "high"
    )
    accept: tuple[str, ...] = _doc("Advisories that do not count: the end of their URL, e.g. `GHSA-…`.", ())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ci:
    """How `bake matrix` spreads images over runners."""

    runners: Mapping[Platform, Words] = _doc(
        "Runner of each platform, a label or several; by default GitHub's `ubuntu-24.04` and `ubuntu-24.04-arm`.", {}
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BuilderNode:
    """One BuildKit of a builder."""

    platforms: tuple[Platform, ...] = _doc("Platforms to build there rather than elsewhere.", ())
    endpoint: str | None = _doc("Where it is: tcp://host:port, unix:///path, a docker context or a kubeconfig.", None)
    options: Mapping[str, str | int | bool] = _doc("Driver options of this node, added to the builder's.", {})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """The buildx builder that builds; `bake builder up` makes it."""

    name: Annotated[str, Rule(words="a builder's name", pattern="[A-Za-z][A-Za-z0-9._-]*")] = _doc(
        "Its name for `docker buildx`.", "bake"
    )
    driver: Literal["docker-container", "remote", "kubernetes"] | None = _doc(
        "What runs BuildKit; without it the builder is made by others.", None
    )
    options: Mapping[str, str | int | bool] = _doc(
        "Driver options of every node (docs.docker.com/build/builders/drivers), e.g. `namespace`.", {}
    )
    config: RelativePath | None = _doc("A buildkitd.toml for its nodes, relative to bake.toml.", None)
    nodes: Mapping[Slug, BuilderNode] = _doc("Its BuildKits by name; without any there is one.", {})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """The build cache outside the engine, for runners that start cold."""

    type: Literal["registry", "gha", "local", "inline", "none"] = _doc(
        "Where it is: a registry, GitHub's cache, a folder, or inside the images (their layers alone).", "registry"
    )
    ref: (
        Annotated[str, Rule(words="a repository without a tag, a folder or a scope", pattern=r"[A-Za-z0-9._][^\s,]*")]
        | None
    ) = _doc(
        "The repository, by default `<registry>/<project>/buildcache`; a folder (local), a prefix of scopes (gha).",
        None,
    )
    default_branch: str = _doc("Every branch reads its cache, after its own; only this branch writes it.", "main")
    read: Literal["auto", "always", "never"] = _doc("`auto`: in CI ($CI), and where it is written.", "auto")
    write: Literal["auto", "always", "never"] = _doc(
        "`auto`: in CI and with --cache-to; never for a fork or a tag.", "auto"
    )
    compression: Literal["gzip", "zstd", "estargz", "uncompressed"] | None = _doc(
        "How its layers are packed; best as those of the images, or they are packed twice.", None
    )
    together: bool = _doc(
        "Build all images at once while importing, for engines without moby/buildkit#4674.", default=False
    )
    state: bool = _doc(
        "Take what builds keep (see workspace.state) along to runners that start cold: an image per package in the "
        "cache's repository, written and read when the cache is.",
        default=False,
    )
    budget: Size | None = _doc("Size of the engine's cache on disk from which a build warns, e.g. `20GB`.", None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What images may weigh, compressed and above their base images: `bake size` fails past it."""

    image: Size | None = _doc("Each image on each platform, unless its own table says otherwise.", None)
    fleet: Size | None = _doc("All images on all platforms together, a layer that several have counted once.", None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attestations:
    """Statements that BuildKit attaches to images; the images' own digests stay the same, that of the index changes."""

    sbom: bool | ImageReference = _doc(
        "List every image's packages (SPDX); a string names the scanner instead of docker/buildkit-syft-scanner.",
        default=False,
    )
    provenance: Literal["none", "min", "max"] = _doc(
        "How it was built (SLSA); `max` tells build arguments and steps too. Some registries take none.", "none"
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole of bake.toml."""

    project: Project = _doc("What the images are called and built for.")
    workspace: WorkspaceSettings = _doc("Where the monorepo is and how it is compiled.", WorkspaceSettings())
    base: Base = _doc("Base images.", Base())
    bases: Mapping[Slug, OwnBase] = _doc("Base images of your own, by name.", {})
    install: Install = _doc("How third-party packages are installed.", Install())
    layers: Layers = _doc("How dependencies are spread over layers.", Layers())
    cache: CacheSettings = _doc("The build cache outside the engine.", CacheSettings())
    services: Mapping[Slug, Service] = _doc("The services, by name.")
    packages: Mapping[str, PackageSettings] = _doc("Settings of packages, by path or name; `.` is the root.", {})
    secrets: Mapping[Slug, Secret] = _doc("Build secrets, by id.", {})
    labels: Mapping[str, str | bool] = _doc(
        "Labels of every image. `revision = true`: those that tell of the commit too, so that every commit gives every "
        "image another digest.",
        {},
    )
    monolith: Monolith | None = _doc("The old all-in-one image, while it is needed.", None)
    smoke: Smoke = _doc("How `bake smoke` tries images.", Smoke())
    budget: Budget = _doc("What images may weigh.", Budget())
    attestations: Attestations = _doc("Statements attached to images.", Attestations())
    audit: Audit = _doc("What `bake audit` lets pass.", Audit())
    ci: Ci = _doc("How `bake matrix` spreads images over runners.", Ci())
    builder: Builder | None = _doc("The buildx builder that builds, instead of the current one.", None)

    @property
    def packaged(self) -> Mapping[str, Service]:
        """The services that are packages; the others have a Dockerfile of their own."""
        return {name: service for name, service in self.services.items() if service.dockerfile is None}

    @property
    def minimal(self) -> Mapping[str, ImageReference]:
        """Services whose images hold only Node of their base image -> that image."""
        return {
            name: service.base or self.base.runtime
            for name, service in self.packaged.items()
            if (not service.base and self.base.minimal if service.minimal is None else service.minimal)
        }

    @property
    def dockered(self) -> Mapping[str, Service]:
        """The services that have a Dockerfile of their own."""
        return {name: service for name, service in self.services.items() if service.dockerfile is not None}


def load_config(path: Path) -> Config:
    """Read bake.toml. Raises ConfigError with every complaint when it is missing or wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(str(path), "no such file", "write one with `bake init`, or name it with --file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"cannot be read ({error})") from None
    return parse_config(text, name=path.name)


def parse_config(text: str, *, name: str = FILE_NAME) -> Config:
    """Make the Config that the TOML text says. Raises ConfigError with every complaint."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(name, "its TOML is nested too deeply", "correct the syntax") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(name, f"not TOML ({error})", "correct the syntax") from None
    complaints = Complaints()
    config = schema.read(Config, document, "", complaints)
    # A [project] that is wrong must not hide what is wrong between the other keys.
    readable = config or schema.read(Config, document | {"project": {"name": "x"}}, "", Complaints())
    if readable is not None:
        _check(readable, complaints)
    if complaints or config is None:
        lines = tuple(f"{name}: {line}" for line in complaints)
        raise ConfigError(name, f"{len(lines)} complaint{'s' * (len(lines) > 1)}", complaints=lines)
    return config


def config_schema() -> dict[str, Any]:
    """JSON Schema of bake.toml, for editors (taplo, VS Code's Even Better TOML)."""
    return schema.json_schema(Config, title="bake.toml", identifier="https://bake.invalid/bake.schema.json")


def words(command: Words) -> tuple[str, ...]:
    """A command as its words; a string is split as a shell would, without running one."""
    return tuple(shlex.split(command)) if isinstance(command, str) else command


def image_names(config: Config) -> Mapping[str, tuple[str, str]]:
    """Target name -> (service, role) of every image, in the file's order; the role is "" without roles."""
    names: dict[str, tuple[str, str]] = {}
    for service, settings in config.services.items():
        for role in settings.roles or ("",):
            names[f"{service}-{role}" if role else service] = (service, role)
    return names


def _check(config: Config, complaints: Complaints) -> None:
    """The rules between keys."""
    _check_names(config, complaints)
    if config.base.build in config.bases:
        complaints.add("base.build", f"`{config.base.build}` of [bases] is for images; name an image to build in")
    _check_minimal(config, complaints)
    for name, service in config.services.items():
        _check_recipe(f"services.{name}", service, complaints)
        _check_service(f"services.{name}", service, complaints)
    for name, secret in config.secrets.items():
        if secret.ssh and (secret.env or secret.target or secret.variable):
            complaints.add(f"secrets.{name}", "ssh goes with `file` alone, or with nothing")
        elif not secret.ssh and (secret.file is None) == (secret.env is None):
            complaints.add(f"secrets.{name}", "needs one of file, env")
    _split("project.tag", config.project.tag, complaints)
    _check_smoke(config.smoke, complaints)
    if config.builder:
        _check_builder(config.builder, complaints)
    if not config.services:
        complaints.add("services", "no service; add at least one [services.<name>] table")
    if not config.project.platforms:
        complaints.add("project.platforms", "no platform")
    _check_labels(config, complaints)
    _check_state(config, complaints)


_OF_INSTALLS = frozenset({"npmrc", "ca"})
"""Secrets that no build's own tools are given."""


def _check_state(config: Config, complaints: Complaints) -> None:
    if config.cache.state and config.cache.type != "registry":
        complaints.add("cache.state", 'is about a repository of images: it needs cache.type = "registry"')
    given = (name for name, secret in config.secrets.items() if name not in _OF_INSTALLS and not secret.ssh)
    if config.cache.state and (name := next(given, "")):
        what = f"what builds keep may hold secrets.{name}, which they are given; do without one of them"
        complaints.add("cache.state", what)


def _check_minimal(config: Config, complaints: Complaints) -> None:
    for key, image in {"base.runtime": config.base.runtime, **_own_bases(config)}.items():
        if image == "minimal" and image not in config.bases:
            where = key.rpartition(".")[0]
            complaints.add(key, f"`minimal` is no image; name the one that has Node, and set {where}.minimal = true")
    for name, image in config.minimal.items():
        service = config.services[name]
        key = "base.minimal" if service.minimal is None else f"services.{name}.minimal"
        if image in config.bases:
            complaints.add(key, f"`{image}` is a base of your own; leave out there what images need not have")
        elif not config.base.pin and "@" not in image:
            complaints.add(key, f"needs base.pin, or a digest in `{image}`: `bake lock` records what the image sets")
        if service.system or (config.base.system and not service.base):
            complaints.add(key, f"services.{name} has `system`, packages of the distribution that need all of the base")


def _own_bases(config: Config) -> Mapping[str, str]:
    return {f"services.{name}.base": service.base for name, service in config.packaged.items() if service.base}


def _check_labels(config: Config, complaints: Complaints) -> None:
    for label in (k for t in _label_tables(config) for k in t if not k.strip() or k != k.strip()):
        complaints.add("labels", f"{label!r} is not a label's name")
    for label, value in config.labels.items():
        if isinstance(value, bool) and label != "revision":
            complaints.add(f"labels.{label}", "expected text, got true or false")


def _check_builder(builder: Builder, complaints: Complaints) -> None:
    if builder.driver is None:
        for key in ("options", "config", "nodes"):
            if getattr(builder, key):
                complaints.add(f"builder.{key}", "has no meaning without builder.driver")
    if builder.driver != "remote":
        return
    if not builder.nodes:
        complaints.add("builder.nodes", "a remote builder needs at least one node with an endpoint")
    for name, node in builder.nodes.items():
        if node.endpoint is None:
            complaints.add(f"builder.nodes.{name}.endpoint", "missing; a remote builder is reached by it")
    if builder.config:
        complaints.add("builder.config", "a remote BuildKit has its own")


def _label_tables(config: Config) -> Sequence[Mapping[str, object]]:
    services = config.services.values()
    return [
        config.labels,
        *(s.labels for s in services),
        *(r.labels for s in services for r in s.roles.values()),
    ]


def _check_names(config: Config, complaints: Complaints) -> None:
    owners: dict[str, str] = {}
    for service, settings in config.services.items():
        if service in RESERVED:
            complaints.add(f"services.{service}", "the name is bake's own; choose another")
        for role in settings.roles or ("",):
            image = f"{service}-{role}" if role else service
            where = f"services.{service}" + (f".roles.{role}" if role else "")
            if image in owners:
                complaints.add(where, f"makes the image `{image}`, and so does {owners[image]}")
            owners[image] = where


_OF_PACKAGES = (
    "package",
    "roles",
    "static",
    "headers",
    "prefix",
    "proxy",
    "system",
    "base",
    "minimal",
    "libc",
    "directory",
    "command",
    "entrypoint",
    "env",
    "trace",
    "healthcheck",
    "stop_signal",
    "budget",
)
"""Keys that mean nothing to a service with a Dockerfile of its own: it says these things itself."""


def _check_recipe(where: str, service: Service, complaints: Complaints) -> None:
    if service.dockerfile is None:
        for key in ("context", "target", "args"):
            if getattr(service, key):
                complaints.add(f"{where}.{key}", f"has no meaning without {where}.dockerfile")
        if not service.package and not any(line.startswith(f"{where}.package: ") for line in complaints):
            complaints.add(f"{where}.package", "missing; a service is a package, or has a `dockerfile`")
        return
    for key in _OF_PACKAGES:
        if getattr(service, key) not in ("", None, (), {}):
            complaints.add(
                f"{where}.{key.replace('_', '-')}",
                "does not go with `dockerfile`, which says what is in the image and runs",
            )
    for folder in service.writable:
        if not folder.startswith("/"):
            complaints.add(f"{where}.writable", f"{folder!r} is not absolute, and there is no package it could be in")


_OF_ONE = ("command", "port", "once", "schedule")
"""Keys that roles do not take over from their service."""


def _check_service(where: str, service: Service, complaints: Complaints) -> None:
    _check_static(where, service, complaints)
    for key in _OF_ONE:
        if service.roles and service.static is None and getattr(service, key) is not None:
            complaints.add(
                f"{where}.{key}", f"is of one process, and roles are all there are; give it [{where}.roles.NAME]"
            )
    for key, role in ((where, service), *((f"{where}.roles.{n}", r) for n, r in service.roles.items())):
        _check_role(key, role, complaints)
    for outer, inner in ((o, i) for o in service.links for i in service.links if i.startswith(f"{o}/")):
        complaints.add(f"{where}.links", f"`{inner}` lies behind the link `{outer}`; keep one of them")


_OF_STATIC = {
    "headers": "headers; its process sets its own",
    "prefix": "one; its process knows its own paths",
    "proxy": "one; its process asks other servers itself",
}


def _check_static(where: str, service: Service, complaints: Complaints) -> None:
    if service.roles and service.static is not None:
        complaints.add(f"{where}.static", "a static service has no roles")
    if service.static is not None and service.trace == "files":
        complaints.add(f"{where}.trace", "a static service has no code to follow")
    if service.standalone is not None and service.trace == "files":
        complaints.add(f"{where}.trace", "a standalone server is traced already")
    if service.static is not None and service.standalone is not None:
        complaints.add(f"{where}.standalone", "a static service has no server of its own")
    if service.static is not None and service.command is not None:
        complaints.add(f"{where}.command", "a static service has no command of its own")
    if service.static is not None and service.directory is not None:
        complaints.add(f"{where}.directory", "a static service's own server does not mind where it starts")
    for key, reason in () if service.static is not None else _OF_STATIC.items():
        if getattr(service, key):
            complaints.add(f"{where}.{key}", f"only a static service has {reason}")
    for header in filter(_SERVERS_OWN.fullmatch, service.headers):
        complaints.add(f"{where}.headers.{header}", "the server sets it itself, for each file")


def _check_smoke(smoke: Smoke, complaints: Complaints) -> None:
    if parse_size(smoke.memory) < _LEAST_MEMORY:
        complaints.add("smoke.memory", f"{smoke.memory!r} is less than an engine takes, 6m")
    for name, dependency in smoke.dependencies.items():
        _split(f"smoke.dependencies.{name}.command", dependency.command, complaints)


def _split(where: str, command: Words | None, complaints: Complaints) -> tuple[str, ...] | None:
    """The words of a command; None without one, and where they cannot be told."""
    try:
        return None if command is None else words(command)
    except ValueError as error:
        complaints.add(where, f"cannot be split into words ({error})")
        return None


def _check_role(where: str, role: Role, complaints: Complaints) -> None:
    command = _split(f"{where}.command", role.command, complaints)
    if command is not None and not any(command[:1]):
        complaints.add(f"{where}.command", "is empty")
    _split(f"{where}.entrypoint", role.entrypoint, complaints)
    if isinstance(role.health, str) and not role.health.startswith("/"):
        complaints.add(f"{where}.health", f"{role.health!r} is not a path; it starts with `/`")
    if role.user is not None and not re.fullmatch(r"[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)?", role.user):
        complaints.add(f"{where}.user", f"{role.user!r} is not a user or user:group")
    for directory in role.writable:
        if ".." in directory.split("/") or not directory.strip("./"):
            complaints.add(f"{where}.writable", f"{directory!r} is neither an absolute path nor one below its folder")
