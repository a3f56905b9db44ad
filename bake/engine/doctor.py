"""Whether this machine can build and push the workspace's images: judging facts that were probed. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bake.config import size
from bake.semver import satisfies

if TYPE_CHECKING:
    from bake.engine.docker import Capabilities

Grade = Literal["ok", "warn", "fail"]

OLDEST_BUILDX = "0.17.0"
"""`bake --allow` and the entitlements that bake files ask for. Source: docker/buildx, releases."""
HISTORY_BUILDX = "0.20.0"
"""`buildx history`, which the report after a live display reads. Source: docker/buildx, releases."""
LITTLE_DISK = 10_000_000_000
NO_DISK = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was looked at. fix: what to do, "" when it is well."""

    check: str
    state: Grade
    found: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.state:<4}  {self.check}: {self.found}" + (f"; {self.fix}" if self.fix else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that did not answer, in the words of the error."""

    what: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the workspace asks for. emulated: what of a build runs on the target platform.

    node: major version in the build's base image, 0 when its name does not tell. engines: range of Node's
    versions in package.json. manager, version: the package manager and the version that package.json names.
    """

    platforms: tuple[str, ...]
    emulated: tuple[str, ...] = ()
    node: int = 0
    engines: str = ""
    manager: str = "npm"
    version: str = ""
    registry: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was probed. tools: command -> its version, "" when it is not installed. images: reference -> why it
    cannot be read, None when it can. push: why the registry takes nothing, None when it does."""

    tools: Mapping[str, str]
    engine: "Capabilities | Problem"
    disk: int | None = None
    project: "Needs | Problem | None" = None
    images: Mapping[str, Problem | None] | None = None
    push: Problem | None = None
    commit: str = ""


def judge(facts: Facts) -> tuple[Line, ...]:
    """Every line, in the order in which a build needs them."""
    needs = facts.project if isinstance(facts.project, Needs) else None
    return (
        *_engine_lines(facts, needs),
        *_disk_lines(facts),
        *_workspace_line(facts),
        *_tool_lines(facts, needs),
        *_base_image_lines(facts),
        *_registry_lines(facts, needs),
        *_git_lines(facts),
    )


def failed(lines: Iterable[Line]) -> bool:
    """Whether a build would not work."""
    return any(line.state == "fail" for line in lines)


def _engine_lines(facts: Facts, needs: Needs | None) -> Iterator[Line]:
    found = facts.engine
    if isinstance(found, Problem):
        yield Line(check="engine", state="fail", found=found.what, fix=found.fix)
        return
    yield _server_line(found)
    yield _buildx_line(found.buildx)
    yield Line(check="builder", state="ok", found=f"{found.builder} (driver {found.driver})")
    yield _store_line(found, needs)
    yield _platform_line(found, needs)
    yield _cache_line(found)


def _server_line(found: "Capabilities") -> Line:
    if found.server:
        return Line(check="engine", state="ok", found=f"Docker {found.server} on {found.native}")
    return Line(
        check="engine",
        state="warn",
        found="no local engine; the builder has its own BuildKit",
        fix="push with --push: images cannot be kept here",
    )


def _buildx_line(version: str) -> Line:
    plain = version.removeprefix("v").partition("-")[0].partition("+")[0]
    if not satisfies(plain, f">={OLDEST_BUILDX}"):
        fix = f"install buildx {OLDEST_BUILDX} or newer (docker-buildx-plugin)"
        return Line(check="buildx", state="fail", found=f"{version} is too old", fix=fix)
    if not satisfies(plain, f">={HISTORY_BUILDX}"):
        return Line(
            check="buildx",
            state="warn",
            found=f"{version} has no history: the report after a live display stays empty",
            fix=f"install {HISTORY_BUILDX} or newer",
        )
    return Line(check="buildx", state="ok", found=version)


def _store_line(found: "Capabilities", needs: Needs | None) -> Line:
    several = needs is not None and len(needs.platforms) > 1
    why = found.features["load several platforms"] if several else found.features["load"]
    if not why:
        return Line(check="image store", state="ok", found="containerd's" if found.containerd else "the classic one")
    return Line(
        check="image store",
        state="warn",
        found=why,
        fix='push, or set {"features": {"containerd-snapshotter": true}} in /etc/docker/daemon.json',
    )


def _platform_line(found: "Capabilities", needs: Needs | None) -> Line:
    wanted = needs.platforms if needs else ()
    foreign = [p for p in wanted if found.platforms and p not in found.platforms]
    if not foreign:
        shown = ", ".join(wanted or found.platforms) or "unknown"
        return Line(check="platforms", state="ok", found=shown)
    names = ", ".join(foreign)
    fix = "docker run --privileged --rm tonistiigi/binfmt --install all, or a builder with a node of it"
    if needs and needs.emulated:
        what = f"cannot run {names}, which {' and '.join(needs.emulated)} need"
        return Line(check="platforms", state="fail", found=what, fix=fix)
    what = f"cannot run {names}: such images can be built (nothing of them runs), but not tried here"
    return Line(check="platforms", state="warn", found=what, fix=fix)


def _cache_line(found: "Capabilities") -> Line:
    why = found.features["cache export"]
    if not why:
        return Line(check="cache export", state="ok", found="the builder can write a registry cache")
    fix = "use containerd's image store or another builder: docker buildx create --use --driver docker-container"
    return Line(check="cache export", state="warn", found=why, fix=fix)


def _disk_lines(facts: Facts) -> Iterator[Line]:
    if facts.disk is None:
        return
    found = f"{size(facts.disk)} free"
    if facts.disk >= LITTLE_DISK:
        yield Line(check="disk", state="ok", found=found)
        return
    state: Grade = "fail" if facts.disk < NO_DISK else "warn"
    yield Line(check="disk", state=state, found=found, fix="make room: docker buildx prune")


def _workspace_line(facts: Facts) -> Iterator[Line]:
    if isinstance(facts.project, Problem):
        yield Line(check="workspace", state="fail", found=facts.project.what, fix=facts.project.fix)
    elif facts.project is None:
        yield Line(check="workspace", state="warn", found="no bake.toml here", fix="write one with `bake init`")


def _tool_lines(facts: Facts, needs: Needs | None) -> Iterator[Line]:
    """Node and the package manager: builds bring their own, so a difference is a warning."""
    if needs is None:
        return
    if needs.node and needs.engines and not satisfies(f"{needs.node}.99.0", needs.engines):
        what = f"the base image has Node {needs.node}, package.json wants {needs.engines}"
        yield Line(check="node", state="fail", found=what, fix="set base.build and base.runtime in bake.toml")
    else:
        yield _local_node(facts.tools.get("node", ""), needs)
    yield _local_manager(facts.tools.get(needs.manager, ""), needs)


def _local_node(here: str, needs: Needs) -> Line:
    major = re.match(r"v?(\d+)", here)
    if not here or not needs.node:
        return Line(check="node", state="ok", found=f"{here or 'not installed'}; builds bring their own")
    if major and int(major[1]) != needs.node:
        what = f"{here} here, {needs.node} in images"
        return Line(check="node", state="warn", found=what, fix=f"develop with Node {needs.node}, or change base.build")
    return Line(check="node", state="ok", found=f"{here}, as in images")


def _local_manager(here: str, needs: Needs) -> Line:
    if needs.version and here and here != needs.version:
        what = f"{here} here, package.json's packageManager names {needs.version}"
        return Line(
            check=needs.manager, state="warn", found=what, fix="run `corepack enable`, or change packageManager"
        )
    return Line(check=needs.manager, state="ok", found=here or "not installed; builds bring their own")


def _base_image_lines(facts: Facts) -> Iterator[Line]:
    for reference, problem in (facts.images or {}).items():
        if problem is None:
            yield Line(check="base image", state="ok", found=reference)
        else:
            yield Line(check="base image", state="fail", found=f"{reference}: {problem.what}", fix=problem.fix)


def _registry_lines(facts: Facts, needs: Needs | None) -> Iterator[Line]:
    if needs is None:
        return
    if not needs.registry:
        fix = "set project.registry in bake.toml, or BAKE_REGISTRY, before --push"
        yield Line(check="registry", state="warn", found="none to push to", fix=fix)
    elif facts.push is not None:
        what = f"{needs.registry}: {facts.push.what}"
        yield Line(check="registry", state="fail", found=what, fix=facts.push.fix or "log in with `docker login`")
    else:
        yield Line(check="registry", state="ok", found=f"{needs.registry} takes pushes")


def _git_lines(facts: Facts) -> Iterator[Line]:
    version = facts.tools.get("git", "")
    if not version:
        what, fix = "not installed: tags and labels lack the commit", "install git, or give --tag"
        yield Line(check="git", state="warn", found=what, fix=fix)
    elif not facts.commit:
        what, fix = "no commit here: {sha} in tags has no value", "commit, or give --tag"
        yield Line(check="git", state="warn", found=what, fix=fix)
    else:
        yield Line(check="git", state="ok", found=f"{version}, at {facts.commit[:12]}")
