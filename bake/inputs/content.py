"""What an image is made of: what -> digest. Equal digests, equal images; one that differs says what has changed.

It follows the rendered Dockerfile from the image's stage to every stage that it is made from, and takes up what
these stages read: files, lock entries with their integrity, programs, and the texts themselves. What differs between
equal images does not count: tags, and where a package comes from.
"""

import dataclasses
import functools
import hashlib
import json
import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from bake.files import normal
from bake.inputs.settings import image_settings, package_settings, recipe_settings, shared_settings
from bake.inputs.tree import Present, Tree
from bake.plan import Closure, Dockered, Image, Loads, Monolith, Plan, ServiceStage, closure
from bake.project import Project
from bake.render import render, staged_lock
from bake.workspace import parse_dockerignore, read_dockerignore

Kind = Literal["template", "base", "config", "argument", "dependency", "source", "unknown"]

TEXTS = "unknown what bake makes of the workspace"
"""What stands for the texts of .bake/: settings name why they differ."""

_STAGE = re.compile(r"^FROM\s+(?:--platform=\S+\s+)?(?P<base>\S+)\s+AS\s+(?P<name>\S+)", re.I | re.M)
_FROM = re.compile(r"(?:--from=|\bfrom=)([^\s,]+)")
_SOURCE = re.compile(r"^COPY\s+(?!(?:--\S+\s+)*--from=)(?:--\S+\s+)*(?P<words>.+)$", re.M)
_SPECIFICATION = re.compile(r"from=plan,source=([^,\s]+)")
_LAYERS = "plan/layers.json"
_LENGTH = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What an image is made of; what stands before a name is its kind.

    digests: `source services/web/src/index.ts`, `dependency zod 3.25.1`, `template docker/carve` -> digest. settings:
    what the texts of .bake/ were made from, such as `config services.api.command` -> value: they name why these differ,
    and do not count themselves. kept: of settings there are digests only.
    """

    digests: Mapping[str, str]
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kept: bool = False

    @property
    def content(self) -> str:
        """All of it as one digest."""
        return digest(self.digests)


def load_contents(
    project: Project, plan: Plan, files: Mapping[str, str] | None = None, tree: Tree | None = None
) -> Mapping[str, str]:
    """Target -> all its inputs as one digest; the arguments are those of `load_inputs`."""
    found = load_inputs(project, plan, files or render(project, plan), tree)
    return {target: inputs.content for target, inputs in found.items()}


def load_inputs(
    project: Project, plan: Plan, files: Mapping[str, str], tree: Tree | None = None
) -> Mapping[str, Inputs]:
    """Target -> its inputs, of all images and of the monolith where it is asked for.

    files: the rendered ones. tree: what there is of the workspace; None for its folder.
    """
    tree = tree or Present(project.root)
    reader = _Reader(project, plan, files, tree)
    found = {image.target: reader.inputs(image) for image in plan.images}
    found |= {image.target: _load_dockered(project, plan, image, tree) for image in plan.dockered}
    if plan.monolith and plan.monolith in plan.asked():
        found[plan.monolith.target] = _load_monolith(project, plan.monolith, tree)
    return found


class _Reader:
    """Takes up what images are made of; what several have in common once."""

    def __init__(self, project: Project, plan: Plan, files: Mapping[str, str], tree: Tree) -> None:
        self._project, self._plan, self._files, self._tree = project, plan, files, tree
        self._ignores = parse_dockerignore(files["Dockerfile.dockerignore"])
        self._stages = _stages(files["Dockerfile"])
        self._needs = {name: _needed(text) for name, text in self._stages.items()}
        self._copies = {name: tuple(_copied(text)) for name, text in self._stages.items()}
        self._table = functools.cache(lambda name: json.loads(files[name]))
        self._services = {service.service: service for service in plan.services}
        self._shared = shared_settings(project, plan)
        self._walks = plan.install.manager.layout == "walk"
        self._of_path = functools.cache(self._load_path)
        self._of_entries = functools.cache(self._identified)
        self._of_builds = functools.cache(self._installed)
        self._of_build = functools.cache(lambda *package: development(project, plan, *package).entries)

    def inputs(self, image: Image) -> Inputs:
        """What one image is made of."""
        plan, reached = self._plan, _reached(self._needs, image.stage)
        text = "\n".join(self._stages[name] for name in reached)
        compiled = [s for s in plan.builds.stages if plan.builds.whole or s.name in reached]
        service = self._services[image.service]
        mine = [layer for layer in self._layers_of(service)["layers"] if layer["id"] in service.layers]
        built = self._of_builds(tuple((s.package, s.loads) for s in compiled if s.script))
        digests = {
            **self._sources(reached),
            **self._patches(service, built),
            **self._dependencies(frozenset(map(_place, _entries(mine))), built),
            **self._tools(text),
            **self._manager_files,
            **self._own_base(service),
            TEXTS: digest(self._texts(image, reached, mine)),
        }
        packages = package_settings(plan, [s.package for s in compiled])
        return Inputs(digests=digests, settings={**self._shared, **packages, **image_settings(plan, image, service)})

    def _layers_of(self, service: ServiceStage) -> Mapping[str, Any]:
        """The layers that docker/carve makes for a service and others, or for one that is traced alone."""
        table: Mapping[str, Any] = self._table(f"plan/traces/{service.service}.json" if service.traced else _LAYERS)
        return table

    def _texts(self, image: Image, reached: Iterable[str], mine: Sequence[Any]) -> Any:
        """What is no file and no lock entry: stages, arguments, labels, specifications, manifests."""
        plan, files = self._plan, self._files
        stages = {name: self._stages[name] for name in reached}
        compiled = [s for s in plan.builds.stages if plan.builds.whole or s.name in stages]
        layers = [{k: v for k, v in layer.items() if k != "entries"} for layer in mine]
        return [
            stages,
            plan.platforms,
            image.labels,
            {k: v for k, v in image.env.items() if "\n" in v or "\r" in v},
            [s.args for s in compiled],
            {
                k: _specification(self._table(f"plan/{k}"), image)
                for k in _SPECIFICATION.findall("\n".join(stages.values()))
                if k not in {"layers.json", "builds.json"}
            },
            self._builds([s.name for s in compiled]),
            [{k: v for k, v in self._table(_LAYERS).items() if k != "layers"}, layers],
            # Where only the installed tree tells the places of packages, the whole lockfile decides them.
            files[f"manifests/{staged_lock(self._project)}"] if self._walks else "",
            self._manifests([s.package for s in compiled]),
            self._project.ejected and files["Dockerfile"],
            self._plan.base_of(self._services[image.service]),
            [self._services[image.service].folders, self._services[image.service].links],
        ]

    def _builds(self, stages: Iterable[str]) -> Any:
        """What these stages get of node_modules, of what docker/carve reads about all stages."""
        given = self._table("plan/builds.json")["stages"] if self._plan.builds.isolated else {}
        return {name: given[name] for name in stages if name in given}

    def _manifests(self, packages: Iterable[str]) -> Any:
        """Manifests of what is compiled; of the root's, which all share, only what no lock entry tells."""
        shared = self._table("manifests/package.json")
        told = [k for k in shared if k.lower().endswith("dependencies")] + ["version", "workspaces"]
        own = {p: self._files.get(f"manifests/{p}/package.json", "") for p in packages}
        return [{k: v for k, v in shared.items() if k not in told}, own]

    def _sources(self, reached: Iterable[str]) -> Mapping[str, str]:
        """The files that stages copy; those of patches count where what they change is."""
        folders = {patches.folder for patches in self._plan.install.patches}
        builds = {s.name for s in self._plan.builds.stages} | {"build-whole"}
        found: dict[str, str] = {}
        for name in reached:
            kind = "source" if name in builds else "config"
            for path in self._copies[name]:
                if path not in folders:
                    found |= self._of_path(kind, path)
        return found

    def _load_path(self, kind: Kind, path: str) -> Mapping[str, str]:
        return {f"{kind} {file}": self._tree.name(file) for file in self._tree.below(path, self._ignores)}

    def _own_base(self, service: ServiceStage) -> Mapping[str, str]:
        """The files that a base of the workspace's own is made of."""
        base = self._plan.base_of(service)
        if base is None:
            return {}
        ignores = _context_ignores(self._project, base.dockerfile, base.context)
        read = (file for path in base.reads for file in self._tree.below(posixpath.join(base.context, path), ignores))
        return {f"base {file}": self._tree.name(file) for file in (base.dockerfile, *read)}

    def _patches(self, service: ServiceStage, built: frozenset[str]) -> Mapping[str, str]:
        """The patches of what the image holds, or its builds reach."""
        there = {*service.closure.entries, *built}
        named = (pair for patches in self._plan.install.patches for pair in patches.places())
        wanted = (file for file, place in named if self._walks or place in there)
        return {f"dependency {file}": self._tree.name(file) for file in wanted}

    def _dependencies(self, held: frozenset[str], built: frozenset[str]) -> Mapping[str, str]:
        """Lock entries that the image holds or its builds can use, by name and version: what they are, and where."""
        entries = self._project.workspace.lock.entries
        found: dict[str, list[tuple[str, bool]]] = {}
        for path in sorted(held.union(entries if self._walks else built)):
            name = f"dependency {entries[path].name} {entries[path].version}".rstrip()
            found.setdefault(name, []).append((path, path in held))
        return {what: self._of_entries(tuple(places)) for what, places in found.items()}

    def _identified(self, places: Iterable[tuple[str, bool]]) -> str:
        """What lock entries of one name and version are, and where: of each its path, and whether the image holds it.

        Where they come from does not count when their content is known.
        """
        entries = [(self._project.workspace.lock.entries[path], held) for path, held in places]
        contents = {entry.integrity or entry.resolved for entry, _ in entries}
        where = [[entry.path, entry.link, self._limits[entry.path] if held else None] for entry, held in entries]
        return f"{digest(sorted(contents))} {digest(where)}"

    @functools.cached_property
    def _limits(self) -> Mapping[str, Any]:
        """Lock entry -> what docker/carve reads about it."""
        tables = [name for name in self._files if name == _LAYERS or name.startswith("plan/traces/")]
        return {_place(entry): entry for name in tables for entry in _entries(self._table(name)["layers"])}

    def _installed(self, built: tuple[tuple[str, Loads], ...]) -> frozenset[str]:
        """Lock entries that the builds of these packages can use, with what they load of others' dependencies.

        Their own, dev ones too, the root's and all types; every one where builds get the whole installation.
        """
        lock = self._project.workspace.lock
        if not built:
            return frozenset()
        if not self._plan.builds.isolated:
            return frozenset(lock.entries)
        starts = ("", *(package for package, _ in built))
        loaded = (self._of_build(*each) for _, loads in built for each in loads)
        return self._types.union(*map(self._of_build, starts), *loaded)

    @functools.cached_property
    def _types(self) -> frozenset[str]:
        """Lock entries that any build can use."""
        entries = self._project.workspace.lock.entries
        return frozenset(path for path, entry in entries.items() if entry.name.startswith("@types/"))

    def _tools(self, text: str) -> Mapping[str, str]:
        """The programs that run in stages."""
        return {f"template docker/{name}": said for name, said in self._programs.items() if name in text}

    @functools.cached_property
    def _programs(self) -> Mapping[str, str]:
        """Program, or folder of programs -> its digest."""
        found: dict[str, list[str]] = {}
        for path, program in self._files.items():
            if path.startswith("tools/"):
                found.setdefault(path.split("/")[1], []).extend((path, program))
        return {name: digest(texts) for name, texts in found.items()}

    @functools.cached_property
    def _manager_files(self) -> Mapping[str, str]:
        """Settings of the package manager, and its own program."""
        lock = f"manifests/{staged_lock(self._project)}"
        return {
            f"config {path.removeprefix('manifests/')}": digest(text)
            for path, text in self._files.items()
            if path.startswith("manifests/") and path != lock and not path.endswith("package.json")
        }


def development(project: Project, plan: Plan, path: str, names: tuple[str, ...] | None = None) -> Closure:
    """What a build of a package can reach in the lockfile; by some names only, where a build takes files of it."""
    workspace = project.workspace
    if path not in workspace.lock.packages:
        return Closure(entries=(), packages=(), via={})
    package, exclude = workspace.package(path), dict[str, tuple[str, ...]]()
    if names is None:
        wanted = {*package.dev_dependencies, *project.build_names(path), *plan.layers.extra.get(path, ())}
    else:
        wanted, exclude = {*names}, {path: tuple({*package.dependencies} - {*names})}
    there = tuple(n for n in sorted(wanted) if workspace.lock.resolve(path, n))
    extra = {**plan.layers.extra, path: there}
    platforms, libc = plan.platforms, plan.builds.libc
    return closure(workspace.lock, path, platforms=platforms, libc=libc, extra=extra, exclude=exclude)


def _entries(layers: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    return (entry for layer in layers for entry in layer.get("entries", ()))


def _place(entry: Any) -> str:
    """The path of a lock entry, as docker/carve reads it."""
    return entry if isinstance(entry, str) else str(entry["path"])


def _specification(table: Mapping[str, Any], image: Image) -> Any:
    """What decides a package's files; what is only looked at belongs to the images that ask for it.

    So do entries: an image has its own in its command. Of traces those of other images do not count, and layers are
    taken up elsewhere.
    """
    given = {k: v for k, v in table.items() if k not in {"key", "starts", "layers"}}
    traced = {k: v for k, v in given.pop("trace", {}).items() if k != "entries"}
    return given | {"trace": traced, "images": given.get("images", {}).get(image.target)}


def _stages(dockerfile: str) -> Mapping[str, str]:
    """Stage -> its text without comments."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.M)
    found = [(m["name"], m.start()) for m in _STAGE.finditer(text)]
    ends = [*(start for _, start in found[1:]), len(text)]
    stages = {name: text[start:end].strip() for (name, start), end in zip(found, ends, strict=False)}
    # The stage of all services' folders and links: those of the image's own are told with its texts.
    return {name: "\n".join(_without_services(text)) if name == "homes" else text for name, text in stages.items()}


def _without_services(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if "/bake/out/" not in line)


def _needed(text: str) -> list[str]:
    """The stages and images that a stage names."""
    start = _STAGE.match(text)
    return [*_FROM.findall(text), *([start["base"]] if start else [])]


def _reached(needs: Mapping[str, Iterable[str]], target: str) -> list[str]:
    """The stages that a stage is made from, itself included, sorted."""
    found: set[str] = set()
    queue = [target]
    while queue:
        name = queue.pop()
        if name in needs and name not in found:
            found.add(name)
            queue += needs[name]
    return sorted(found)


def _copied(text: str) -> Iterator[str]:
    """Paths of the build context that COPY lines name."""
    for match in _SOURCE.finditer(text):
        line = match["words"].strip()
        words = json.loads(line) if line.startswith("[") else shlex.split(line)
        yield from (_plain(word) for word in words[:-1])


def _plain(word: str) -> str:
    """A path without the escapes that keep COPY from reading wildcards and variables in it."""
    return re.sub(r"\[(.)\]|\\([\\$])", lambda m: m[1] or m[2], word).strip("/")


def digest(value: Any) -> str:
    """Values, dataclasses among them, as 16 hex digits: equal values, equal digits."""
    text = json.dumps(value, sort_keys=True, default=_as_data)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


def _as_data(value: Any) -> Any:
    is_value = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return dataclasses.asdict(value) if is_value else dict(value)


def _load_dockered(project: Project, plan: Plan, image: Dockered, tree: Tree) -> Inputs:
    """An image with a Dockerfile of its own: that, its arguments and all that its build gets."""
    given, recipe = project.dockerfiles[image.service], image.recipe
    sources = (posixpath.normpath(posixpath.join(recipe.context, path)) for path in given.sources)
    dockerfile = posixpath.normpath(image.source)
    digests = {f"source {path}": tree.name(path) for path in sources if path != dockerfile}
    texts = [recipe.stage, recipe.args, image.labels, plan.platforms]
    return Inputs(
        digests={**digests, f"template {dockerfile}": digest(given.text), TEXTS: digest(texts)},
        settings=recipe_settings(plan, image),
    )


def _load_monolith(project: Project, monolith: Monolith, tree: Tree) -> Inputs:
    """The old image copies its whole context, so all of it counts."""
    recipe = monolith.recipe
    folder, dockerfile = normal(recipe.context) or "", normal(recipe.dockerfile) or ""
    ignores = _context_ignores(project, dockerfile, folder)
    rest = [recipe.args, recipe.stage, monolith.labels, monolith.platforms]
    return Inputs(
        digests={
            **{f"source {file}": tree.name(file) for file in tree.below(folder, ignores)},
            f"template {dockerfile}": tree.name(dockerfile),
            TEXTS: digest(rest),
        },
        settings={f"argument monolith.args.{name}": value for name, value in recipe.args.items()},
    )


def _context_ignores(project: Project, dockerfile: str, folder: str) -> Callable[[str], bool]:
    """A test for paths from the root: whether a build with a Dockerfile of its own leaves them out."""
    left_out = parse_dockerignore(f"{read_dockerignore(project.root, dockerfile, folder)}\n.bake\n")
    return lambda path: left_out(path.removeprefix(f"{folder}/") if folder else path)
