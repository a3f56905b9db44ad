"""What to do next about a build's time and images' sizes: sentences that are true by what was measured. Pure."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

from bake.build import Account
from bake.config import size
from bake.images import Held
from bake.lockfile import extra_target
from bake.plan import Plan, ServiceStage
from bake.project import Project
from bake.report.big import Big, package_name
from bake.sources import LOADERS, command_binaries
from bake.workspace import shown

_WORTH = 1_000_000
"""Unpacked bytes from which on an image is worth a change."""
_TWICE = 250_000
"""The same for a package that is there in several versions: more work, less certain."""
_SLOW = 10.0
"""Seconds from which on a step of another platform is worth a word, if it took three times as long."""
_LIST = {"npm": "npm ls", "pnpm": "pnpm why -r", "yarn": "yarn why"}

Names = Callable[[str, str], bool]
"""Package path, name -> whether a file of the package beside its package.json, or one of its scripts, has the name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """what: what was measured. remedy: what to do about it, with the command."""

    what: str
    remedy: str


def advise(project: Project, plan: Plan, account: Account, big: Sequence[Big], names: Names) -> tuple[Advice, ...]:
    """What is worth doing, what saves most of each kind first."""
    return (
        *_loaders(project, plan, big),
        *_unnamed(project, plan, big, names),
        *_idle_builds(project, plan, account, names),
        *_twice(project, big),
        *_emulated(account),
    )


# --- what an image could be without --------------------------------------------------------------------


def _loaders(project: Project, plan: Plan, big: Sequence[Big]) -> Iterator[Advice]:
    """Processes that compile TypeScript as they start."""
    services = {s.service: s for s in plan.services}
    for one in big:
        starts = {i.target: i for i in plan.images if i.service == one.service}
        named = {
            target: LOADERS.intersection(
                command_binaries(project.workspace, i.package, (*i.entrypoint, *i.command)) if not i.static else ()
            )
            for target, i in starts.items()
        }
        for loader in sorted({name for names in named.values() for name in names}):
            freed = _freed(project, plan, services[one.service], one.held, loader)
            if sum(h.bytes for h in freed) >= _WORTH:
                users = [t for t, names in named.items() if loader in names]
                command = " ".join(starts[users[0]].command)
                yield Advice(
                    what=f"{loader} brings {_told(freed, loader)} into {_counted(one.images)}, "
                    f"for `{command}` of {_listed(users)}",
                    remedy=f"compile what it runs with the package's build and start that with `node`; "
                    f"`bake inspect {users[0]} {loader}` shows what brings it",
                )


def _unnamed(project: Project, plan: Plan, big: Sequence[Big], names: Names) -> Iterator[Advice]:
    """Dependencies that a package declares and that nothing in it names."""
    services = {s.service: s for s in plan.services}
    found: dict[tuple[str, str], tuple[tuple[Held, ...], list[str]]] = {}
    for one in big:
        reach = services[one.service].closure
        for path in reach.packages:
            package = project.workspace.package(path)
            started = plan.layers.extra.get(path, ())
            for name in package.dependencies:
                if name in started or name in project.workspace.lock.members:
                    continue
                freed = _freed(project, plan, services[one.service], one.held, name, only=path)
                if sum(h.bytes for h in freed) >= _WORTH and not names(path, name):
                    before = found.get((path, name), ((), []))
                    found[path, name] = (max(before[0], freed, key=_bytes), [*before[1], *one.images])
    for (path, name), (freed, images) in sorted(found.items(), key=lambda f: -_bytes(f[1][0])):
        yield Advice(
            what=f"{name} brings {_told(freed, name)} into {_counted(images)}, and of {shown(path)} "
            "only package.json names it",
            remedy=f"if nothing loads it, move it to devDependencies in {shown(path)}/package.json",
        )


def _idle_builds(project: Project, plan: Plan, account: Account, names: Names) -> Iterator[Advice]:
    """Packages that were compiled and that no other package names but in its package.json."""
    own = {s.package for s in plan.services}
    for stage in plan.builds.stages:
        users = [s.package for s in plan.builds.stages if stage.package in s.needs]
        ran = {s.title for s in account.steps if s.stage == stage.name and not s.cached and s.what.startswith("RUN ")}
        seconds = sum(account.times[title] for title in ran)
        if stage.package in own or not stage.package or not users or not seconds or plan.builds.whole:
            continue
        package = project.workspace.package(stage.package)
        manifests = _listed([f"{user}/package.json" for user in users])
        words = (package.name, package.path.rpartition("/")[2])
        if not any(names(user, word) for user in users for word in words):
            yield Advice(
                what=f"{package.path} took {seconds:.1f} s to compile, and of {_listed(users)} only package.json "
                "names it",
                remedy=f"if nothing reads it, take {package.name} out of {manifests}",
            )


def _twice(project: Project, big: Sequence[Big]) -> Iterator[Advice]:
    """Packages that one image holds in several versions."""
    found: dict[tuple[str, tuple[str, ...]], tuple[int, list[str]]] = {}
    for one in big:
        copies: dict[str, dict[str, int]] = {}
        for held in one.held:
            if (entry := project.workspace.lock.entries.get(held.path)) and held.version:
                versions = copies.setdefault(entry.name, {})
                versions[held.version] = versions.get(held.version, 0) + held.bytes
        for name, versions in copies.items():
            more = sum(versions.values()) - max(versions.values())
            if len(versions) > 1 and more >= _TWICE:
                key = (name, tuple(sorted(versions)))
                known = found.get(key, (0, []))
                found[key] = (max(more, known[0]), [*known[1], *one.images])
    ask = _LIST.get(project.workspace.manager, "npm ls")
    for (name, there), (more, images) in sorted(found.items(), key=lambda f: -f[1][0])[:3]:
        yield Advice(
            what=f"{name} is in {_counted(images)} as {_listed(there)}: {size(more)} more than once",
            remedy=f"`{ask} {name}` shows who asks for which; let them agree where they can",
        )


def _freed(
    project: Project, plan: Plan, service: ServiceStage, held: Iterable[Held], name: str, *, only: str | None = None
) -> tuple[Held, ...]:
    """What an image would not hold without a dependency of its workspace packages, or of `only` that one."""
    lock, reach = project.workspace.lock, service.closure
    members = {*reach.entries, *reach.packages}
    children: dict[str, list[str]] = {}
    for path, parent in reach.via.items():
        children.setdefault(parent, []).append(path)

    def after(path: str) -> Iterator[str]:
        cut = path in lock.packages and only in (None, path)
        gone = lock.resolve(path, name) if cut else None
        added = (extra_target(lock, path, n) for n in plan.layers.extra.get(path, ()))
        there = (e.target for e in lock.edges.get(path, ()) if e.target)
        yield from (t for t in (*there, *added, *children.get(path, ())) if t in members and t != gone)

    seen, left = {service.package}, [service.package]
    while left:
        new = [t for t in after(left.pop()) if t not in seen]
        seen.update(new)
        left += new
    return tuple(h for h in held if h.path in reach.entries and h.path not in seen)


# --- time ----------------------------------------------------------------------------------------------


def _emulated(account: Account) -> Iterator[Advice]:
    """Steps that took one platform far longer than another."""
    times = account.times
    for title, seconds in sorted(times.items(), key=lambda t: -t[1]):
        head, sign, platform = title.rpartition(" (")
        others = [times[t] for t in times if sign and t != title and t.rpartition(" (")[0] == head]
        if seconds >= _SLOW and others and seconds >= 3 * max(others):
            yield Advice(
                what=f"{title} took {seconds:.1f} s, and {max(others):.1f} s for the other platform",
                remedy=f"if it is emulated, a builder with a node of {platform.rstrip(')')} runs it at its own speed: "
                "`bake builder status`",
            )


# --- words ---------------------------------------------------------------------------------------------


def _bytes(held: Iterable[Held]) -> int:
    return sum(h.bytes for h in held)


def _told(freed: Sequence[Held], name: str) -> str:
    """`10.6 MB (esbuild 9.9 MB)`: the bytes, and what most of them are if it is not the dependency itself."""
    most = max(freed, key=lambda h: h.bytes)
    other = package_name(most.path)
    return size(_bytes(freed)) + (f" ({other} {size(most.bytes)})" if other != name else "")


def _counted(images: Sequence[str]) -> str:
    return images[0] if len(images) == 1 else f"{len(images)} images ({_listed(images)})"


def _listed(words: Iterable[str]) -> str:
    named = list(dict.fromkeys(words))
    if len(named) > 4:
        named = [*named[:3], f"{len(named) - 3} more"]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
