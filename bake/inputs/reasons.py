"""Which inputs of an image differ, in words. Pure."""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast, get_args

from bake.inputs.content import TEXTS, Inputs, Kind, digest
from bake.inputs.settings import NEEDED
from bake.inputs.ways import Ways, package_of
from bake.lockfile import Entry, Lockfile
from bake.plan import MONOLITH, Plan
from bake.workspace import shown


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why an image is affected.

    what: a file (relative to the workspace's root), a lock entry with its versions, a key with its values.
    via: the packages and lock entries from the image's package to it, both ends included; () where there is no way
    because everything is affected.
    """

    kind: Kind
    what: str
    via: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Difference:
    """Something that differs. name: what ways are found by, where it is not `what` itself."""

    kind: Kind
    what: str
    name: str = ""


def compare(old: Inputs | None, new: Inputs, ways: Sequence[Ways], target: str) -> tuple[Reason, ...]:
    """Why an image is not what it was, () when it is. old: None when there was none. ways: those of now, of then."""
    if old is None:
        return (Reason(kind="config", what="new image"),)
    if old.digests == new.digests:
        return ()
    moved = {**_moved_packages(old, new, "is no longer needed"), **_moved_packages(new, old, "is needed now")}
    differing = [*_named(old.digests, new.digests)]
    if old.digests.get(TEXTS) != new.digests.get(TEXTS):
        differing += _named_settings(old.settings, new.settings, kept=old.kept)
    found = [*moved.values(), *(d for d in differing if not _is_of(d, moved))] or [_difference(TEXTS)]
    unique = {(d.kind, d.what): Reason(kind=d.kind, what=d.what, via=_via(d, ways, target)) for d in found}
    return tuple(sorted(unique.values(), key=lambda r: (_KINDS.index(r.kind), len(r.via), r.what)))


_KINDS: tuple[Kind, ...] = get_args(Kind)


def forgetful(inputs: Inputs) -> Inputs:
    """The inputs as they may be kept: digests alone, of settings too."""
    settings = {name: digest(value) for name, value in inputs.settings.items()}
    return inputs if inputs.kept else dataclasses.replace(inputs, settings=settings, kept=True)


def everything(plan: Plan, what: str) -> Mapping[str, tuple[Reason, ...]]:
    """Every image is affected by something that says nothing about which."""
    return {t: (Reason(kind="unknown", what=what),) for t in (*(i.target for i in plan.processes), MONOLITH)}


def _via(difference: _Difference, ways: Sequence[Ways], target: str) -> tuple[str, ...]:
    name = difference.name or difference.what
    return next((way for each in ways if (way := each.to(target, difference.kind, name))), ())


def _difference(name: str, what: str = "") -> _Difference:
    kind, _, called = name.partition(" ")
    return _Difference(cast("Kind", kind), what or called, called)


_NEEDED = (NEEDED, digest(NEEDED))


def _moved_packages(there: Inputs, elsewhere: Inputs, said: str) -> Mapping[str, _Difference]:
    """The packages that one is made from and another is not; their files and settings need not be named."""
    keys = (k for k, v in there.settings.items() if v in _NEEDED and k not in elsewhere.settings)
    paths = {path: key for key in keys if (path := package_of(key.partition(" ")[2])) is not None}
    return {path: _difference(key, f"{shown(path)} {said}") for path, key in paths.items()}


def _is_of(difference: _Difference, packages: Iterable[str]) -> bool:
    if difference.kind == "source":
        return any(path and difference.what.startswith(f"{path}/") for path in packages)
    return package_of(difference.name) in {*packages}


def _named(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[_Difference]:
    names = [name for name in {**old, **new} if old.get(name) != new.get(name) and name != TEXTS]
    entries = [name for name in names if re.match(r"dependency \S+ ", name)]
    yield from _named_entries(entries, old, new)
    yield from (_difference(name) for name in names if name not in entries)


def _named_entries(names: Iterable[str], old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[_Difference]:
    """What became of lock entries: where one left and one of the same name came, it moved from version to version."""
    by_name: dict[str, tuple[list[str], list[str]]] = {}
    for name in names:
        if name in old and name in new:
            same = old[name].split()[0] == new[name].split()[0]
            yield _difference(name, f"{name.partition(' ')[2]} (other {'place' if same else 'content'})")
        else:
            by_name.setdefault(name.split(" ")[1], ([], []))[name in new].append(name)
    for left, came in by_name.values():
        if len(left) == len(came) == 1:
            yield _difference(came[0], f"{left[0].partition(' ')[2]} -> {came[0].rpartition(' ')[2]}")
        else:
            yield from (_difference(name, f"{name.partition(' ')[2]} (gone)") for name in left)
            yield from (_difference(name, f"{name.partition(' ')[2]} (new)") for name in came)


def _named_settings(old: Mapping[str, str], new: Mapping[str, str], *, kept: bool) -> Iterator[_Difference]:
    """The settings that differ, with their values where these are known."""
    for name in {**old, **new}:
        before, after = old.get(name, ""), new.get(name, "")
        if before != after and before not in _NEEDED and after not in _NEEDED:
            key = name.partition(" ")[2]
            moved = f"{key}: {_short(before)} -> {_short(after)}"
            yield _difference(name, key if kept or name.startswith("template ") else moved)


def _short(value: str) -> str:
    """A value as a person reads it, on one line and not too long."""
    text = " ".join(value.split()) or "(none)"
    return text if len(text) <= 100 else f"{text[:97]}..."


def changed_packages(old: Lockfile, new: Lockfile) -> Mapping[str, str]:
    """Lock entry -> what became of it, in words, for every entry that is not what it was."""
    pairs = {path: (old.entries.get(path), new.entries.get(path)) for path in {**old.entries, **new.entries}}
    return {path: _became(*pair) for path, pair in pairs.items() if _identity(pair[0]) != _identity(pair[1])}


def _identity(entry: Entry | None) -> tuple[str, ...]:
    """What decides an entry's files. Where it comes from does not count when its content is known."""
    return (entry.name, entry.version, entry.link, entry.integrity or entry.resolved) if entry else ()


def _became(old: Entry | None, new: Entry | None) -> str:
    if old and new and old.version != new.version:
        return f"{new.name} {old.version} -> {new.version}"
    there = new or old
    said = "other content" if old and new else "new" if new else "gone"
    return f"{there.name} {there.version} ({said})" if there else ""


def way(via: Sequence[str]) -> str:
    """A chain of packages and lock entries by their names."""
    names = (shown(path.rpartition("node_modules/")[2]) for path in via)
    # pnpm has a package twice on the way: the link, and what it leads to.
    return " > ".join(name for name, _ in itertools.groupby(names))


def first(reasons: Sequence[Reason]) -> str:
    """One line for a table: the weightiest reason and how many more there are."""
    if not reasons:
        return ""
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{reasons[0].what}{more}"
