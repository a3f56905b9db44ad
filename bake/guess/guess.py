"""Guess what bake.toml should say about a workspace that has none. Pure: facts -> Guess."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bake.config import RESERVED
from bake.evidence import (
    PackageFacts,
    WorkspaceFacts,
    find_composed,
    is_dockerfile,
    is_setting,
    know_production,
    parse_dockerfile,
    slug,
    stated_builds,
)
from bake.files import parse_npmrc, wants_login
from bake.guess.builds import build_script, generated_files, install_notes, started_elsewhere
from bake.guess.candidates import all_in_one
from bake.guess.dockered import DockeredService, find_dockered
from bake.guess.frontends import Frontend, find_built_into
from bake.guess.judge import Refused, Service, beside_product, judge_package, own_frontend
from bake.guess.node import find_node
from bake.guess.processes import unusual_packages
from bake.guess.served import Served, find_served, without_served
from bake.guess.usage import ORCHESTRATES
from bake.lockfile import ScriptAdvice, advise, unheeded
from bake.plan import closure
from bake.workspace import Workspace, find_circle, in_order, unplaced_makers

_PLATFORMS = ("linux/amd64", "linux/arm64")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageGuess:
    """Settings of a package. args: build arguments that its sources read, with the defaults that a Dockerfile gives
    them. variables: further ones."""

    path: str
    build: str | bool = True
    files: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    args: tuple[tuple[str, str], ...] = ()
    args_source: str = ""
    variables: tuple[str, ...] = ()
    source: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether bake.toml need not name the package."""
        lists = (self.exclude, self.inputs, self.outputs, self.serves, self.args, self.variables)
        return self.build is True and self.files is None and not any(lists)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """All that `bake init` would write. left_out: (package path, why) of packages that could run and do not.

    monolith: the Dockerfile of an image that has all processes. notes: what a person should know, one sentence each.
    """

    name: str
    node: int
    node_source: str
    alpine: bool = False
    whole: str = ""
    """Why the workspace cannot be split, "" when it can."""
    services: tuple[Service, ...]
    dockered: tuple[DockeredService, ...] = ()
    """Services with a Dockerfile of their own."""
    packages: tuple[PackageGuess, ...]
    left_out: tuple[tuple[str, str], ...]
    libraries: tuple[str, ...]
    scripts: ScriptAdvice
    trim: tuple[str, ...] = ()
    """Files of packages that only builds use."""
    npmrc: bool = False
    """Whether .npmrc names a registry that needs credentials."""
    monolith: str = ""
    notes: tuple[str, ...] = ()


def guess(known: WorkspaceFacts) -> Guess:
    """What the facts suggest; deterministic."""
    facts = know_production(known)
    tested = {f.package.path: beside_product(f.package, facts) for f in facts.packages}
    if all(tested.values()):
        tested = dict.fromkeys(tested, "")
    judged = tuple(judge_package(f, facts) for f in facts.packages if not tested[f.package.path])
    served = find_served(facts, [j for j in judged if isinstance(j, Service)])
    judged = tuple(without_served(judged, served))
    services = _named(tuple(j for j in judged if isinstance(j, Service)))
    # A monorepo's root that does not run is no package to speak of.
    refused = tuple((j.path, j.reason) for j in judged if isinstance(j, Refused) and j.path)
    if not facts.workspace.packages and not services:
        refused = (("", "no script, binary or Dockerfile starts it"),)
    beside = tuple((path, reason) for path, reason in tested.items() if reason)
    node, source = find_node(facts)
    return Guess(
        name=_project_name(facts),
        node=node,
        node_source=source,
        alpine=any("alpine" in image for image in _images(facts)),
        whole=_whole(facts),
        services=services,
        dockered=find_dockered(facts, _taken(services)),
        packages=tuple(
            p for f in _built(facts, services, served) if not (p := _package(f, facts, services, served)).is_empty
        ),
        left_out=tuple(sorted((*beside, *((p, r) for p, r in refused if r)))),
        libraries=tuple(p for p, reason in refused if not reason),
        scripts=advise(facts.workspace.lock, _reached(facts.workspace, services)),
        trim=_trim(facts, services),
        npmrc=wants_login(parse_npmrc(facts.texts.get(".npmrc", ""))),
        monolith=all_in_one(facts.texts) if services else "",
        notes=(
            *_notes(facts),
            *(n for s in services for n in s.notes),
            *(n for f in _built(facts, services, served) for n in install_notes(f)),
        ),
    )


def _taken(services: Iterable[Service]) -> frozenset[str]:
    """Names that images have already, or that are bake's own."""
    roles = (f"{s.name}-{p.role}" for s in services for p in s.processes if p.role)
    return frozenset({*RESERVED, "", *(s.name for s in services), *roles})


def _images(facts: WorkspaceFacts) -> Iterator[str]:
    """Base images of Dockerfiles that have Node."""
    for file, text in facts.deployed.items():
        stages = parse_dockerfile(text) if is_dockerfile(file) else ()
        yield from (s.image for s in stages[-1:] if re.search(r"\bnode:", s.image))


def _trim(facts: WorkspaceFacts, services: Iterable[Service]) -> tuple[str, ...]:
    """Next.js's compiler, 140 MB: a server that is built needs it for a configuration in TypeScript alone."""
    paths = {s.package for s in services if not s.static}
    servers = [f for f in facts.packages if f.package.path in paths and "next" in f.package.dependencies]
    typed = any(name.startswith("next.config.") and name.endswith("ts") for f in servers for name in f.names)
    return ("node_modules/@next/swc-*/**",) if servers and not typed else ()


_NO_NAMES = frozenset({"", "root", "monorepo", "workspace", "workspaces", "app", "project"})


def _project_name(facts: WorkspaceFacts) -> str:
    """The root package's name where it says something, else the folder's."""
    names = (slug(facts.name), slug(facts.workspace.root.resolve().name))
    return next((n for n in names if n not in _NO_NAMES), names[0] or "workspace")


# --- the whole ------------------------------------------------------------------------------------------


def _named(services: tuple[Service, ...]) -> tuple[Service, ...]:
    """Names: the package's folder; with its parent's where two would be called the same. The root's is `app`."""
    short = {s.package: slug(posixpath.basename(s.package) or "app") for s in services}
    names: dict[str, str] = {}
    for path, name in short.items():
        clash = list(short.values()).count(name) > 1 or name in {*RESERVED, ""}
        names[path] = slug(path.replace("/", "-") or "root") if clash else name
    return tuple(replace(s, name=names[s.package]) for s in services)


def _reached(workspace: Workspace, services: Iterable[Service]) -> frozenset[str]:
    """Lock entries of the services' closures, as far as package.json files declare them."""
    paths = (s.package for s in services if not s.static)
    return frozenset(e for p in paths for e in closure(workspace.lock, p, platforms=_PLATFORMS, libc="glibc").entries)


def _whole(facts: WorkspaceFacts) -> str:
    built = {p.path for p in facts.workspace.packages if "build" in p.scripts}
    circle = find_circle(built, facts.workspace.all_needs)
    return f"packages need each other to build: {' -> '.join(circle)}" if circle else ""


def _built(facts: WorkspaceFacts, services: Iterable[Service], served: Served) -> Iterator[PackageFacts]:
    """The packages that services need or serve, and theirs."""
    paths = [*(s.package for s in services), *(path for named in served.values() for path in named)]
    needed = set(in_order(paths, facts.workspace.all_needs))
    return (f for f in facts.packages if f.package.path in needed)


def _package(
    facts: PackageFacts, everything: WorkspaceFacts, services: Iterable[Service], served: Served
) -> PackageGuess:
    package = facts.package
    mine = next((s for s in services if s.package == package.path), None)
    is_served = any(package.path in named for named in served.values())
    frontend = own_frontend(facts, everything) if mine or is_served else None
    runs = (*(w for p in mine.processes for w in p.words), mine.static) if mine else ()
    build, source = build_script(facts, everything, runs)
    read = _variables(facts) if frontend else ()
    args, args_source = _arguments(facts, everything, read)
    return PackageGuess(
        path=package.path,
        build=build,
        source=source,
        files=_files(frontend, mine) if frontend else None,
        exclude=frontend.exclude if frontend and mine and not (mine.static or mine.standalone) else (),
        inputs=everything.outside.get(package.path, ()),
        outputs=(
            *generated_files(facts, everything.workspace),
            *_into_others(facts, is_served=is_served),
            *(started_elsewhere(package, everything, runs) if mine else ()),
        ),
        serves=tuple(served.get(package.path, ())),
        args=args,
        args_source=args_source,
        variables=tuple(n for n in read if n not in dict(args)),
    )


def _into_others(facts: PackageFacts, *, is_served: bool) -> tuple[str, ...]:
    """The folder of its server's package that a frontend is built into."""
    folder, _ = find_built_into(facts) if is_served else ("", "")
    return (folder,) if folder else ()


def _files(frontend: Frontend, service: Service | None) -> tuple[str, ...] | None:
    """What a frontend's server needs, all that it builds when another serves it, or None for the usual."""
    if service is None:
        return (f"{frontend.static}/**",)
    return None if service.static or service.standalone else frontend.files or None


def _variables(facts: PackageFacts) -> tuple[str, ...]:
    """Public variables that a bundler puts into the output."""
    pattern = r"(?:import\.meta\.env|process\.env)\.((?:VITE|NEXT_PUBLIC|REACT_APP|PUBLIC|NUXT_PUBLIC)_\w+)"
    return tuple(sorted({name for text in facts.sources.values() for name in re.findall(pattern, text)}))


def _arguments(
    facts: PackageFacts, everything: WorkspaceFacts, read: Sequence[str]
) -> tuple[tuple[tuple[str, str], ...], str]:
    """The variables that a Dockerfile of today builds with, what they are there, and the Dockerfile."""
    texts = {**facts.placed, **everything.texts, **everything.deployed} if read else {}
    given = _given_arguments(everything) if texts else {}
    for file in sorted(filter(is_dockerfile, texts), key=lambda f: f not in given):
        stages = parse_dockerfile(texts[file], given.get(file, {}))
        known = {n: v for s in stages for n, v in s.args.items() if v and "$" not in v}
        if found := tuple((name, known[name]) for name in read if name in known):
            return found, f"{file}: ARG"
    return (), ""


def _given_arguments(everything: WorkspaceFacts) -> Mapping[str, Mapping[str, str]]:
    """Dockerfile -> the build arguments that production gives it, those that it always gives alike."""
    rows = [(s.dockerfile, s.args) for _, s in find_composed(everything)]
    rows += [(b.dockerfile, b.args) for b in stated_builds(everything)]
    found: dict[str, dict[str, set[str]]] = {}
    for file, args in rows:
        for name, value in args.items():
            found.setdefault(file, {}).setdefault(name, set()).add(value)
    return {f: {n: min(v) for n, v in args.items() if len(v) == 1 and "$" not in min(v)} for f, args in found.items()}


def _shared_settings(text: str) -> Iterator[str]:
    """Variables that an image with several processes sets."""
    stages = parse_dockerfile(text)
    yield from (name for name, value in stages[-1].env.items() if is_setting(name, value)) if stages else ()


def _notes(facts: WorkspaceFacts) -> Iterator[str]:
    for name, text in unheeded(facts.workspace.root_package.scripts):
        yield f"the root's `{name}` script does not run in images: {text}"
    # What production starts of the root is an image, and the root's build its own.
    own = "" in facts.said
    scripts = facts.workspace.root_package.scripts
    if not own and "postbuild" in scripts and ORCHESTRATES.search(scripts.get("build", "")):
        yield f"the root's `postbuild` script does not run in images: {scripts['postbuild']}"
    for command in () if own else unplaced_makers(facts.workspace.root, facts.workspace.everyone, "build"):
        yield (
            f"the root's `build` runs `{command}` before packages are built, and images do not: if a package reads "
            "what it makes, let a script of that package run it"
        )
    if (file := all_in_one(facts.texts)) and (names := [*_shared_settings(facts.texts[file])]):
        yield f"{file} sets {', '.join(names)} for all its processes; give each the ones that it reads"
    for each in facts.loose:
        if "several processes" in each.start.reason and (system := unusual_packages(each)):
            installed = ", ".join(package.name for package in system)
            yield f"{each.source} installs {installed} for all its processes; those that call them want `system`"
        if "several processes" not in each.start.reason and (not each.image or re.search(r"\bnode:", each.image)):
            yield f"{each.source} starts something that is not used here: {each.start.reason}"
