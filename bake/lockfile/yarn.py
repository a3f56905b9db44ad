"""yarn's lockfiles: yarn.lock of yarn 3, 4 (berry) and 1 (classic) in, a Graph out. Pure.

Sources: https://yarnpkg.com/advanced/lexicon and @yarnpkg/core's Project.ts (setupResolutions) for berry;
https://classic.yarnpkg.com/docs/yarn-lock and @yarnpkg/lockfile's parser for classic.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from posixpath import normpath
from typing import Any

from bake.errors import WorkspaceError
from bake.files import parse_yaml, table
from bake.lockfile.graph import LINK, Graph, Node, mark_development
from bake.lockfile.lockfile import Entry
from bake.lockfile.npm import parse_bins
from bake.lockfile.platforms import parse_platform_name
from bake.semver import satisfies

LOCKFILE = "yarn.lock"
SETTINGS = ".yarnrc.yml"
OLDEST = 6
"""The oldest lockfile version of berry that is read: yarn 3's."""

_CLASSIC = "# yarn lockfile v1"
_KINDS = ("devDependencies", "optionalDependencies", "dependencies")
_LOCAL = re.compile(r"(?:workspace|portal|link|file):")


def is_classic(text: str) -> bool:
    """Tell yarn 1's lockfile from berry's."""
    return _CLASSIC in text[:200] or "__metadata:" not in text


def parse_yarn_lock(text: str, manifests: Mapping[str, Mapping[str, Any]]) -> Graph:
    """Return the graph in the text of a yarn.lock. manifests: package path -> its package.json, the root as "".

    Raises WorkspaceError for what is no lockfile, for berry lockfiles older than yarn 3's, and for a
    dependency of a workspace package that the lockfile does not hold.
    """
    blocks = _parse_classic(text) if is_classic(text) else _parse_berry(text)
    return mark_development(_Reader(blocks, manifests).graph())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A package of the lockfile. keys: the descriptors (`ms@npm:^2.1.3`, `ms@^2.1.3`) that lead to it."""

    keys: tuple[str, ...]
    node: Entry
    member: str | None
    """The package path of a workspace package; None for others."""


# --- berry ---------------------------------------------------------------------------------------------


def _parse_berry(text: str) -> tuple[_Block, ...]:
    raw = parse_yaml(text, LOCKFILE)
    version = str(table(raw, "__metadata").get("version", ""))
    if not re.fullmatch(r"[0-9]{1,9}", version) or int(version) < OLDEST:
        what = f"lockfile version {version or '?'} of yarn 2 is not supported"
        raise WorkspaceError(LOCKFILE, what, "run `yarn set version stable` and `yarn install`")
    return tuple(_berry(key, value) for key, value in raw.items() if key != "__metadata" and isinstance(value, dict))


def _berry(key: str, value: Mapping[str, Any]) -> _Block:
    name, _, reference = _cut(str(value.get("resolution", "")))
    optional = {
        n
        for n in table(value, "dependenciesMeta")
        if table(table(value, "dependenciesMeta"), n).get("optional") == "true"
    }
    dependencies = {str(n): str(v) for n, v in table(value, "dependencies").items()}
    limits = _conditions(str(value.get("conditions", "")))
    entry = Entry(
        path="",
        name=name,
        version=str(value.get("version", "")),
        integrity=str(value.get("checksum", "")),
        os=limits.get("os", ()),
        cpu=limits.get("cpu", ()),
        libc=limits.get("libc", ()),
        optional=bool(limits),
        dependencies={n: v for n, v in dependencies.items() if n not in optional},
        optional_dependencies={n: v for n, v in dependencies.items() if n in optional},
        peer_dependencies=table(value, "peerDependencies"),
        peer_optional=frozenset(table(value, "peerDependenciesMeta")),
        bins=parse_bins(name, value.get("bin")),
    )
    return _Block(keys=tuple(key.split(", ")), node=entry, member=_member_path(reference))


def _unescaped(text: str) -> str:
    plain = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode())
    return plain.decode(errors="replace")


_LINKED = re.compile(r"(?:link|portal):(?P<path>[^:]+)::locator=(?P<asker>\S+)")


def _member_path(reference: str) -> str | None:
    """The folder of a workspace package, or of what one links (`link:../x::locator=…%40workspace%3Aapps%2Fapi`)."""
    linked = _LINKED.fullmatch(reference)
    _, is_known, base = _unescaped(linked["asker"]).rpartition("@workspace:") if linked else ("", "", "")
    if linked and is_known:
        path = normpath(f"{base}/{linked['path']}")
    elif reference.startswith("workspace:"):
        path = reference.removeprefix("workspace:")
    else:
        return None
    return "" if path == "." else path


def _cut(descriptor: str) -> tuple[str, str, str]:
    """("@x/y@npm:1.0") -> ("@x/y", "@", "npm:1.0")"""
    at = descriptor.find("@", 1)
    return (descriptor[:at], "@", descriptor[at + 1 :]) if at > 0 else (descriptor, "", "")


def _conditions(text: str) -> Mapping[str, tuple[str, ...]]:
    """`os=linux & cpu=x64 & libc=glibc`, `(os=linux | os=darwin)` -> field -> words."""
    found: dict[str, tuple[str, ...]] = {}
    for negated, field, word in re.findall(r"(!?)\b(os|cpu|libc)=([\w.-]+)", text):
        found[field] = (*found.get(field, ()), f"{negated}{word}")
    return found


# --- classic -------------------------------------------------------------------------------------------


def _parse_classic(text: str) -> tuple[_Block, ...]:
    if "<<<<<<<" in text:
        raise WorkspaceError(LOCKFILE, "has merge conflicts", "settle them and run `yarn install`")
    return tuple(_classic(lines) for lines in _paragraphs(text))


def _paragraphs(text: str) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith(" ") and lines:
            yield lines
            lines = []
        lines.append(line)
    if lines:
        yield lines


def _classic(lines: list[str]) -> _Block:
    keys = tuple(key.strip().strip('"') for key in lines[0].rstrip(":").split(", "))
    fields: dict[str, str] = {}
    tables: dict[str, dict[str, str]] = {}
    current = ""
    for line in lines[1:]:
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)]
        if line.startswith("    ") and len(words) > 1:
            tables.setdefault(current, {})[words[0]] = words[1]
        elif len(words) > 1:
            fields[words[0]] = words[1]
        else:
            current = words[0].rstrip(":")
    optional = tables.get("optionalDependencies", {})
    name, _, reference = _cut(keys[0])
    real = _cut(reference.removeprefix("npm:"))[0] if reference.startswith("npm:") else name
    return _Block(
        keys=keys,
        node=Entry(
            path="",
            name=real,
            version=fields.get("version", ""),
            resolved=fields.get("resolved", ""),
            integrity=fields.get("integrity", ""),
            dependencies={n: v for n, v in tables.get("dependencies", {}).items() if n not in optional},
            optional_dependencies=optional,
            # The lockfile says nothing about commands: most packages name theirs after themselves.
            bins={real.rpartition("/")[2]: ""},
        ),
        member=None,
    )


# --- the graph -----------------------------------------------------------------------------------------


class _Reader:
    """Finds what each package's dependencies lead to."""

    def __init__(self, blocks: tuple[_Block, ...], manifests: Mapping[str, Mapping[str, Any]]) -> None:
        self.blocks = blocks
        self.manifests = manifests
        # Keys of local packages and patches end with who asked: `a@portal:./a::locator=…`.
        self.by_key = {each: block for block in blocks for key in block.keys for each in (key, key.partition("::")[0])}
        self.by_name: dict[str, list[_Block]] = {}
        for block in blocks:
            for name in {_cut(key)[0] for key in block.keys}:
                self.by_name.setdefault(name, []).append(block)
        self.members = {str(m.get("name", "")): path for path, m in manifests.items() if m.get("name")}
        self.overrides = dict(_overrides(manifests.get("", {})))

    def graph(self) -> Graph:
        platforms = self._platforms()
        nodes = {
            block.keys[0]: Node(entry=platforms.get(block.keys[0], block.node), targets=dict(self._targets(block.node)))
            for block in self.blocks
            if block.member is None
        }
        linked = dict(self._linked())
        return Graph(nodes=nodes, members={**linked, **{path: self._member(path) for path in self.manifests}})

    def _linked(self) -> Iterator[tuple[str, Node]]:
        """Yield the folders that `link:` and `portal:` name: yarn links them as it does workspace packages."""
        for block in self.blocks:
            if block.member is not None and _cut(block.keys[0])[2].startswith(("link:", "portal:")):
                entry = replace(block.node, path=block.member)
                yield block.member, Node(entry=entry, targets=dict(self._targets(entry)))

    def _member(self, path: str) -> Node:
        manifest = self.manifests[path]
        tables = {key: {str(n): str(v) for n, v in table(manifest, key).items()} for key in _KINDS}
        meta = table(manifest, "peerDependenciesMeta")
        entry = Entry(
            path=path,
            name=str(manifest.get("name") or path.rpartition("/")[2]),
            version=str(manifest.get("version") or ""),
            dependencies={n: v for n, v in tables["dependencies"].items() if n not in tables["optionalDependencies"]},
            optional_dependencies=tables["optionalDependencies"],
            dev_dependencies=tables["devDependencies"],
            peer_dependencies=table(manifest, "peerDependencies"),
            peer_optional=frozenset(name for name in meta if table(meta, name).get("optional")),
        )
        targets: dict[str, str] = {}
        for key in _KINDS:
            for name, wanted in tables[key].items():
                targets[name] = self._target(name, wanted) or self._complain(path, name, wanted)
        return Node(entry=entry, targets=targets)

    def _complain(self, path: str, name: str, wanted: str) -> str:
        file = f"{path}/package.json".lstrip("/")
        raise WorkspaceError(file, f"{name}@{wanted} is not in {LOCKFILE}", "run `yarn install`")

    def _targets(self, entry: Entry) -> Iterator[tuple[str, str]]:
        for name, wanted in {**entry.optional_dependencies, **entry.dependencies}.items():
            target = self._target(name, wanted)
            if target is not None:
                yield name, target

    def _target(self, name: str, wanted: str) -> str | None:
        override = self.overrides.get(name)
        keys = (f"{name}@{prefix}{text}" for text in (wanted, override) if text for prefix in ("", "npm:"))
        block = next((self.by_key[key] for key in keys if key in self.by_key), None)
        if block is None and self._is_member(name, wanted):
            return f"{LINK}{self.members[name]}"
        if block is None and (override or ":" in wanted):
            # A resolution, a patch or a catalog changed the range; the name is enough when it is the only one.
            block = next(iter(self.by_name.get(name, ())), None)
        if block is None:
            return None
        return block.keys[0] if block.member is None else f"{LINK}{block.member}"

    def _is_member(self, name: str, wanted: str) -> bool:
        if name not in self.members:
            return False
        version = str(self.manifests[self.members[name]].get("version", ""))
        return bool(_LOCAL.match(wanted)) or wanted in ("", "*", "latest") or satisfies(version, wanted)

    def _platforms(self) -> Mapping[str, Entry]:
        """Classic lockfiles name no platforms: the names of optional packages do."""
        found: dict[str, Entry] = {}
        for block in self.blocks:
            for name, wanted in block.node.optional_dependencies.items():
                target = self.by_key.get(f"{name}@{wanted}")
                if target is not None and target.member is None:
                    found[target.keys[0]] = _limited(target.node, name)
        return found


def _limited(entry: Entry, name: str) -> Entry:
    """The entry with the platform that its name states, when nothing else states one."""
    said = parse_platform_name(name)
    if entry.os or entry.cpu or entry.libc:
        return entry
    if said is not None:
        libc = (said.libc,) if said.libc else ()
        return replace(entry, optional=True, os=(said.system,), cpu=(said.cpu,), libc=libc)
    if "wasm32" in re.split(r"[-/]", name):
        return replace(entry, optional=True, cpu=("wasm32",))
    return entry


def _overrides(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (name, range) of package.json's `resolutions`: `lodash`, `**/lodash`, `a/lodash`, `lodash@npm:^4`."""
    for pattern, wanted in table(manifest, "resolutions").items():
        last = re.search(r"((?:@[^/@]+/)?[^/@]+)(?:@[^/]*)?$", str(pattern))
        if last:
            yield last[1], str(wanted)
