"""What an image is made of, as one hash: equal hashes, equal images. For {content}, and for what is there already.

The hash follows the rendered Dockerfile from the image's stage to every stage that it is made from, and takes up what
these stages read: sources, carving specifications, lock entries with their integrity. What differs between equal
images does not count: tags, and where a package comes from.
"""

import dataclasses
import functools
import hashlib
import json
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bake.errors import WorkspaceError
from bake.files import read_text
from bake.plan import Image, Monolith, Plan, Project, closure
from bake.render import render
from bake.workspace import parse_dockerignore

_STAGE = re.compile(r"^FROM\s+(?:--platform=\S+\s+)?(?P<base>\S+)\s+AS\s+(?P<name>\S+)", re.I | re.M)
_FROM = re.compile(r"(?:--from=|\bfrom=)([^\s,]+)")
_SOURCE = re.compile(r"^COPY\s+(?!(?:--\S+\s+)*--from=)(?:--\S+\s+)*(?P<words>.+)$", re.M)
_SPECIFICATION = re.compile(r"from=plan,source=([^,\s]+)")
_LENGTH = 16


def load_contents(project: Project, plan: Plan, files: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Target -> hash of its inputs, for every image of the plan and the monolith. files: the rendered ones."""
    found = dict(load_inputs(project, plan, files or render(project, plan)))
    if plan.monolith:
        found[plan.monolith.target] = _load_monolith(project, plan.monolith)
    return found


def load_inputs(project: Project, plan: Plan, files: Mapping[str, str]) -> Mapping[str, str]:
    """Target -> hash of its inputs, for every image of the plan. files: the rendered ones."""
    ignores = parse_dockerignore(files["Dockerfile.dockerignore"])
    hash_of = functools.cache(lambda path: load_hash(project.root, path, ignores))
    stages = _stages(files["Dockerfile"])
    found = {}
    for image in plan.images:
        reached = {name: stages[name] for name in _reached(stages, image.stage)}
        found[image.target] = digest(_inputs(project, plan, image, files, reached, hash_of))
    return found


def _inputs(
    project: Project,
    plan: Plan,
    image: Image,
    files: Mapping[str, str],
    reached: Mapping[str, str],
    hash_of: Callable[[str], str],
) -> Mapping[str, Any]:
    text = "\n".join(reached.values())
    compiled = [s for s in plan.builds.stages if plan.builds.whole or s.name in reached]
    return {
        "stages": reached,
        "platforms": plan.platforms,
        "labels": image.labels,
        "multiline": {k: v for k, v in image.env.items() if "\n" in v or "\r" in v},
        "arguments": [s.args for s in compiled],
        "tools": {k: v for k, v in files.items() if k.startswith("tools/") and k.split("/")[1] in text},
        "specifications": {
            k: _specification(files[f"plan/{k}"])
            for k in _SPECIFICATION.findall(text)
            if k not in {"layers.json", "builds.json"}
        },
        "builds": _builds(files.get("plan/builds.json", '{"stages": {}}'), [s.name for s in compiled]),
        "layers": _layers(project, plan, image, files),
        "installed": _installed(project, plan, [s.package for s in compiled if s.script]),
        "manifests": _manifests(project, files, [s.package for s in compiled]),
        "sources": {path: hash_of(path) for path in _sources(text)},
    }


def _specification(text: str) -> Any:
    """What decides a package's files; what is only looked at belongs to the images that ask for it.

    So do entries: an image has its own in its command.
    """
    given = {k: v for k, v in json.loads(text).items() if k not in {"key", "starts"}}
    traced = {k: v for k, v in given.pop("trace", {}).items() if k != "entries"}
    return given | {"trace": traced}


def _builds(text: str, stages: Iterable[str]) -> Any:
    """What these stages get of node_modules, of what docker/carve reads about all stages."""
    given = json.loads(text)["stages"]
    return {name: given[name] for name in stages if name in given}


def _stages(dockerfile: str) -> Mapping[str, str]:
    """Stage -> its text without comments."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.M)
    starts = [(m["name"], m.start()) for m in _STAGE.finditer(text)]
    ends = [start for _, start in starts[1:]] + [len(text)]
    stages = {name: text[start:end].strip() for (name, start), end in zip(starts, ends, strict=True)}
    # The stage of all services' folders says of an image's own one no more than its copy and WORKDIR do.
    return {name: re.sub(r"/out/\S+ ", "", text) if name == "homes" else text for name, text in stages.items()}


def _reached(stages: Mapping[str, str], target: str) -> list[str]:
    """The stages that a stage is made from, itself included, sorted."""
    found: set[str] = set()
    queue = [target]
    while queue:
        name = queue.pop()
        if name in stages and name not in found:
            found.add(name)
            start = _STAGE.match(stages[name])
            queue += [*_FROM.findall(stages[name]), *([start["base"]] if start else [])]
    return sorted(found)


def _sources(text: str) -> list[str]:
    """Paths of the build context that COPY lines name, sorted."""
    found: set[str] = set()
    for match in _SOURCE.finditer(text):
        line = match["words"].strip()
        words = json.loads(line) if line.startswith("[") else shlex.split(line)
        found.update(_plain(word) for word in words[:-1])
    return sorted(found)


def _plain(word: str) -> str:
    """A path without the escapes that keep COPY from reading wildcards and variables in it."""
    return re.sub(r"\[(.)\]|\\([\\$])", lambda m: m[1] or m[2], word).strip("/")


def _layers(project: Project, plan: Plan, image: Image, files: Mapping[str, str]) -> Any:
    """The dependency layers of the image: their entries with what decides their files, and what carving removes.

    Where only the installed tree tells the places of packages, the whole lockfile decides them.
    """
    service = next(s for s in plan.services if s.service == image.service)
    table = json.loads(files["plan/layers.json"])
    mine = [layer for layer in table.pop("layers") if layer["id"] in service.layers]
    if plan.install.manager.layout == "walk":
        return [table, mine, files[f"manifests/{project.workspace.lock_name}"]]
    paths = [entry["path"] for layer in mine for entry in layer["entries"]]
    return [table, mine, _identities(project, paths)]


def _installed(project: Project, plan: Plan, built: Sequence[str]) -> Any:
    """Lock entries that the builds of these packages can use.

    Their own, dev ones too, the root's and all types; every one where builds get the whole installation.
    """
    lock = project.workspace.lock
    if not built:
        return []
    if not plan.builds.isolated:
        return _identities(project, lock.entries)
    paths = {path for path, entry in lock.entries.items() if entry.name.startswith("@types/")}
    for path in ("", *built):
        if path in lock.packages:
            paths.update(_development(project, plan, path))
    return _identities(project, paths)


def _development(project: Project, plan: Plan, path: str) -> Iterable[str]:
    workspace = project.workspace
    names = {*workspace.package(path).dev_dependencies, *project.build_names(path), *plan.layers.extra.get(path, ())}
    there = tuple(n for n in sorted(names) if workspace.lock.resolve(path, n))
    extra = {**plan.layers.extra, path: there}
    return closure(workspace.lock, path, platforms=plan.platforms, libc=plan.builds.libc, extra=extra).entries


def _identities(project: Project, paths: Iterable[str]) -> list[tuple[str, ...]]:
    """Where an entry comes from does not count when its content is known."""
    entries = (project.workspace.lock.entries[p] for p in sorted(paths))
    return [(e.path, e.name, e.version, e.link, e.integrity or e.resolved) for e in entries]


def _manifests(project: Project, files: Mapping[str, str], packages: Iterable[str]) -> Any:
    """Manifests of what is compiled, and settings; of the root's, which all share, only what no lock entry tells."""
    shared = json.loads(files["manifests/package.json"])
    told = [k for k in shared if k.lower().endswith("dependencies")] + ["version", "workspaces"]
    own = {p: files.get(f"manifests/{p}/package.json", "") for p in packages}
    lock = f"manifests/{project.workspace.lock_name}"
    settings = {k: v for k, v in files.items() if k.startswith("manifests/") and k != lock and "package.json" not in k}
    return [{k: v for k, v in shared.items() if k not in told}, settings, own]


def digest(value: Any) -> str:
    """Values, dataclasses among them, as 16 hex digits: equal values, equal digits."""
    text = json.dumps(value, sort_keys=True, default=_as_data)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


def _as_data(value: Any) -> Any:
    is_value = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return dataclasses.asdict(value) if is_value else dict(value)


def load_hash(root: Path, path: str, ignores: Callable[[str], bool]) -> str:
    """Hash of a file, or of all files of a folder that the patterns let through: paths, modes and contents.

    Raises WorkspaceError for what cannot be read.
    """
    whole = hashlib.sha256()
    try:
        for name in sorted(_files(root, path, ignores)):
            whole.update(f"{name}\0{_load_file(root / name)}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise WorkspaceError(
            str(error.filename or path), what, "make it readable, or leave it out by workspace.ignore"
        ) from None
    return whole.hexdigest()


def _files(root: Path, path: str, ignores: Callable[[str], bool]) -> Iterator[str]:
    place = root / path
    if place.is_symlink() or not place.is_dir():
        if os.path.lexists(place) and not ignores(path):
            yield path
        return
    for child in os.scandir(place):
        if child.name not in {".git", "node_modules"}:
            yield from _files(root, f"{path}/{child.name}".lstrip("/"), ignores)


def _load_file(file: Path) -> str:
    """Kind and content; of the mode only what BuildKit's sender and git agree on: whether it can be executed.

    Sockets and pipes have no content. A file that somebody has removed meanwhile counts as none.
    """
    try:
        about = file.lstat()
        if stat.S_ISLNK(about.st_mode):
            return f"link {file.readlink()}"
        if not stat.S_ISREG(about.st_mode):
            return "special"
        return f"{'x' if about.st_mode & 0o100 else '-'} {hashlib.sha256(file.read_bytes()).hexdigest()}"
    except FileNotFoundError:
        return ""


def _load_monolith(project: Project, monolith: Monolith) -> str:
    """The old image copies its whole context, so all of it counts."""
    context = project.root / monolith.context
    own = project.root / f"{monolith.dockerfile}.dockerignore"
    listed = own if own.is_file() else context / ".dockerignore"
    text = read_text(project.root, os.path.relpath(listed, project.root)) or ""
    dockerfile = _load_file(project.root / monolith.dockerfile)
    tree = load_hash(context, "", parse_dockerignore(f"{text}\n.bake\n"))
    return digest([dockerfile, tree, monolith.args, monolith.stage, monolith.labels, monolith.platforms])
