"""What the files of a workspace tell: what sources import and name, what builds read outside, what git has."""

import bisect
import dataclasses
import fnmatch
import itertools
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from posixpath import islink, relpath
from typing import TypeAlias, TypeVar

from bake import config as cfg
from bake.files import (
    expand_glob,
    is_below,
    is_inside,
    load_pointers,
    normal,
    read_text,
)
from bake.git import is_versioned, list_ignored, list_sources
from bake.lockfile import preparing
from bake.reads import Outside, Read, load_beyond, parse_build
from bake.sources import (
    Import,
    Named,
    Written,
    command_needs,
    kept_empty,
    load_bundles,
    load_git_call,
    load_imports,
    load_mentions,
    load_named,
    load_written,
    outer_paths,
)
from bake.texts import Texts
from bake.workspace import (
    NEVER_SENT,
    RESULTS,
    ROOT,
    UNTRACKED,
    Package,
    Tasks,
    TsConfigs,
    Workspace,
    anywhere,
    in_order,
    literal,
    load_vendored,
    parse_dockerignore,
    tsconfigs_of,
    untracked,
)

T = TypeVar("T")

FOLDER = ".bake"
"""Where everything generated lies, below the workspace's root."""

_NO_SOURCES = frozenset({".git", "node_modules", FOLDER})


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
    folders that its code writes to. private_keys: sources that hold one. pointers: those that Git LFS keeps elsewhere.
    beyond: files with what they name in the repository above the root. globs: pattern -> what it names.
    sources: every file that is a source, relative to the root, sorted: git tracks it or does not ignore it. tracked:
    those that git tracks though what it ignores, or the usual names of secrets and results, would leave them out.
    commands: the files of a package's commands that a clone has, relative to the root. vendored: files and folders
    that installs read beside manifests and settings. git_calls: where builds ask git. bundled: packages of
    which the devDependencies are in what their builds write. versioned: whether git says what
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
    pointers: tuple[str, ...]
    beyond: Mapping[str, tuple[tuple[str, str], ...]]
    commands: Mapping[str, tuple[str, ...]]
    globs: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...]
    tracked: tuple[str, ...]
    vendored: tuple[str, ...]
    git_calls: Mapping[str, str]
    bundled: frozenset[str]
    versioned: bool


Services: TypeAlias = Mapping[str, tuple[cfg.Service, ...]]
"""Package path -> the services that run it."""


def services_of(config: cfg.Config, workspace: Workspace) -> Services:
    """The services by the packages that they run."""
    found: dict[str, tuple[cfg.Service, ...]] = {}
    for service in config.packaged.values():
        if package := workspace.find(service.package):
            found[package.path] = (*found.get(package.path, ()), service)
    return found


def _built_by(config: cfg.Config, path: str) -> str:
    """The script that builds a package, as far as bake.toml names one by its path."""
    settings = config.packages.get(path or ROOT)
    return settings.build if settings and isinstance(settings.build, str) else config.workspace.script


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
    paths = [package.path for package in named_packages(config, workspace)]
    services = services_of(config, workspace)
    sources, tracked, versioned = listing.sources, listing.tracked, listing.versioned
    known = earlier.reading if earlier else None
    same = frozenset(p for p in paths if earlier and p in earlier.reading.imports and earlier.same(p))

    def of_each(field: Callable[[Reading], Mapping[str, T]], load: Callable[[str], T]) -> Mapping[str, T]:
        there = field(known) if known else {}
        return {path: there[path] if path in same and path in there else load(path) for path in paths}

    tsconfigs = tsconfigs_of(workspace)
    sent = _sent(ignored, tracked, versioned=versioned)
    texts = Texts(root, root / FOLDER)
    outside = Outside(root, workspace.everyone, sent, texts, tsconfigs)
    read = of_each(
        lambda r: {} if earlier and earlier.lost else r.outside,
        lambda p: _load_outside(outside, config, workspace, services, p, tasks),
    )
    commands = {p.path: _load_commands(root, p, sent) for p in workspace.everyone}
    vendored = _load_vendored(root, workspace, required, sent)
    globs = {pattern: _matches(root, pattern, sent) for pattern in (*root_files, *_named_by_config(config))}
    elsewhere = (each for found in read.values() for each in (found.built, found.run))
    named = (vendored, *elsewhere, *commands.values(), *globs.values())
    reading = Reading(
        imports=of_each(
            lambda r: r.imports,
            lambda p: load_imports(workspace, p, texts, entries=_entries(services, workspace, p)),
        ),
        mentions=of_each(
            lambda r: r.mentions, lambda p: load_mentions(root / p, _inner(root, workspace, p), root, texts)
        ),
        named=of_each(lambda r: r.named, lambda p: load_named(root / p, _inner(root, workspace, p), root, texts)),
        outside=read,
        aliases={path: _load_aliases(root, tsconfigs, path) for path in paths},
        linked=frozenset(path for path in paths if _has_links(root, path, own_sources(sources, workspace, path))),
        files=frozenset(path for each in named for path in each if _is_plain(root / path)),
        written=of_each(lambda r: r.written, lambda p: _load_written(root, workspace, tsconfigs, texts, sources, p)),
        private_keys=tuple(file for file in sources if _is_private_key(root, file)),
        pointers=load_pointers(root, sources),
        beyond={path: load_beyond(root, path, own_sources(sources, workspace, path), texts) for path in paths},
        commands=commands,
        vendored=vendored,
        git_calls={path: load_git_call(root, workspace.package(path), _built_by(config, path)) for path in paths},
        bundled=frozenset(p for p in paths if _is_bundled(config, workspace, services, sources, p)),
        sources=sources,
        globs=globs,
        tracked=tracked,
        versioned=versioned,
    )
    texts.save()
    return reading


def _is_bundled(
    config: cfg.Config, workspace: Workspace, services: Services, sources: tuple[str, ...], path: str
) -> bool:
    package, own = workspace.package(path), own_sources(sources, workspace, path)
    return load_bundles(workspace.root, package, _built_by(config, path), _entries(services, workspace, path), own)


def _named_by_config(config: cfg.Config) -> Iterator[str]:
    yield from (pattern for settings in config.packages.values() for pattern in settings.inputs)
    yield from [config.monolith.dockerfile] if config.monolith else []


def _has_links(root: Path, package: str, files: Iterable[str]) -> bool:
    return any(islink(f"{root}/{package}/{file}") for file in files)


def _read_from_start(services: Services, workspace: Workspace, outside: Outside, path: str) -> Iterator[str]:
    """What the processes of a package read outside of it: by their commands, and where they start elsewhere."""
    begun = tuple(_begun(services, path))
    for folder, role in begun:
        named = (part for word in _words(role) for part in outer_paths(word))
        yield from (posixpath.normpath(posixpath.join(folder, part)) for part in named)
    roles = [(d, r) for d, r in begun if d != path]
    links = {place: to for s in services.get(path, ()) for place, to in s.places.items()}
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


def _begun(services: Services, path: str) -> Iterator[tuple[str, cfg.Role]]:
    """The roles of a package, each with the folder that it starts in."""
    for service in services.get(path, ()):
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


def own_sources(sources: Sequence[str], workspace: Workspace, path: str) -> tuple[str, ...]:
    head = f"{path}/" if path else ""
    own = itertools.takewhile(lambda file: file.startswith(head), sources[bisect.bisect_left(sources, head) :])
    others = tuple(f"{inner}/" for inner in workspace.inside(path))
    return tuple(file.removeprefix(head) for file in own if not file.startswith(others))


def _load_outside(
    outside: Outside, config: cfg.Config, workspace: Workspace, services: Services, path: str, tasks: Tasks
) -> Read:
    """What a package reads outside its folder, by what builds it and where its processes start."""
    package, makers = workspace.package(path), tasks.makers.get(path, ())
    named = _read_from_start(services, workspace, outside, path)
    build = package_settings(config, package).build
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
    root: Path, workspace: Workspace, tsconfigs: TsConfigs, texts: Texts, sources: Sequence[str], path: str
) -> tuple[Written, ...]:
    nested = frozenset(f"{root}/{inner}" for inner in workspace.inside(path))
    found = load_written(root, path, nested, tsconfigs.load(f"{root}/{path}".rstrip("/")).outputs, texts)
    kept = (Written(folder=folder, kept=True) for folder in kept_empty(own_sources(sources, workspace, path)))
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


def _entries(services: Services, workspace: Workspace, path: str) -> tuple[str, ...]:
    """The files that the package's processes start with; () when it is not a service or one is unknown."""
    found = [_started_files(workspace, path, role, folder) for folder, role in _begun(services, path)]
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
    root = workspace.root_package
    unnamed = {"", ROOT, root.name} - workspace.members.keys()
    return workspace.everyone if named & unnamed else workspace.packages


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


def _load_tracked(root: Path) -> tuple[str, ...]:
    return list_ignored(root, (*UNTRACKED, *(f"{folder}/" for folder in RESULTS)))


def package_settings(config: cfg.Config, package: Package) -> cfg.PackageSettings:
    """The [packages] table of a package, by path or name; the defaults when it has none."""
    keys = (package.path or ROOT, f"./{package.path}", package.name)
    return next((config.packages[key] for key in keys if key in config.packages), cfg.PackageSettings())
