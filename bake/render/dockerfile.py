"""Every stage of the plan as a Dockerfile."""

import dataclasses
import hashlib
import json
import posixpath
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bake.config import FILE_NAME, Config, Health
from bake.errors import BakeError, ConfigError
from bake.plan import TREE, Image, Plan, ServiceStage, Stage, home
from bake.project import Project
from bake.render.json_text import json_words
from bake.workspace import Part

_WILDCARD = re.compile(r"([\[*?])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_HEALTHCHECK = "fetch({url}).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"


_TRACER_MISSING = (
    "carve: @vercel/nft, which follows the code of processes, could not be installed from npm; "
    "let the registry have it, or set workspace.trace = false"
)


def render_dockerfile(project: Project, plan: Plan) -> str:
    """Every stage of the plan."""
    from bake.render.filling import fill_template, template_environment

    environment = template_environment(finalize=lambda value: _one_line(value, project.config))
    environment.filters |= {
        "word": _word,
        "json": _json_list,
        "table": _json_table,
        "path": _copy_words,
        "env": _env_value,
        "sh": shlex.quote,
    }
    environment.filters |= {"folder": posixpath.dirname, "owned": lambda place: "/".join(place.split("/")[:3])}
    environment.filters |= {"home": home, "sources": _source_words, "matches": project.matches}
    environment.filters["reads"] = lambda stage: dict.fromkeys((*project.matches(stage.inputs), *stage.reads))
    environment.filters["copies"] = lambda paths: _copies(paths, project.reading.files)
    environment.filters["brought"] = _brought(plan.builds.stages)
    environment.filters["work"] = lambda stage: _work(stage, plan)
    environment.filters["kept"] = lambda stage: _kept(stage, plan)
    environment.filters["traced"] = traced_parts
    environment.filters["mount"] = "--mount={}".format
    return fill_template(
        environment,
        project,
        "docker/Dockerfile",
        plan=plan,
        tree=TREE,
        stages={s.package: s for s in plan.builds.stages},
        images=_images(plan),
        root_files=project.matches(project.root_files),
        install_files=_install_files(project, plan),
        ca=_ca(plan),
        git_ssh="ssh -o StrictHostKeyChecking=accept-new" if any(m.ssh for m in plan.builds.mounts) else "",
        healthcheck=_healthcheck,
        libc_of=lambda output: next(s.libc for s in plan.services if s.own == output.name),
        tracer_missing=_TRACER_MISSING,
        states=project.config.cache.state,
    )


def traced_parts(image: Image, service: ServiceStage) -> Iterator[tuple[str, str]]:
    """The stages and folders that the layers of a traced image come from: the plan's, with the part that it needs."""
    for layer in service.layers:
        yield f"pick-{service.service}", f"/layers/{image.target}/{layer}/"
    for group in (*service.groups, "own"):
        yield f"trace-{service.service}", f"/traced/code/{image.target}/{group}/"


def _images(plan: Plan) -> Mapping[str, Sequence[Image]]:
    """Service -> its images."""
    found: dict[str, list[Image]] = {service.service: [] for service in plan.services}
    for image in plan.images:
        found[image.service].append(image)
    return found


def _brought(stages: Sequence[Stage]) -> Callable[[Stage], Iterator[tuple[str, str]]]:
    """A filter: the stages that a build gets packages from, each with COPY's words, made once for all builds."""
    declared = {s.package: (f"declared-{s.name}", _copy_words(_declared_paths(s))) for s in stages}
    built = {s.package: [(s.name, _copy_words(paths)) for paths in _built_paths(s)] for s in stages}

    def brought(stage: Stage) -> Iterator[tuple[str, str]]:
        some = frozenset(stage.declared)
        for need in stage.needs:
            yield from [declared[need]] if need in some else built[need]

    return brought


def _declared_paths(stage: Stage) -> tuple[str, str]:
    return f"/declared/{stage.package}/", f"{TREE}/{stage.package}/"


def _built_paths(stage: Stage) -> Iterator[tuple[str, str]]:
    """A package's folder, and what its build writes elsewhere; where it lies is where it goes to."""
    for path in (f"{stage.package}/", *stage.outputs):
        yield f"{TREE}/{path}", f"{TREE}/{path}"


def _work(stage: Stage, plan: Plan) -> str:
    """The command line that builds a package: what runs first, then its script."""
    run = f"{_trust(plan)}{plan.install.manager.run}"
    made = [f"(cd {TREE} && {_trust(plan)}{command})" for command in stage.made]
    first = [*made, *(f"{run} {shlex.quote(name)}" for name in stage.before)]
    last = f"{_trust(plan)}{stage.script}" if stage.is_command else f"{run} {shlex.quote(stage.script)}"
    return " && ".join((*first, last))


def _kept(stage: Stage, plan: Plan) -> str:
    """Words for docker/state.mjs: which build it is, and which secrets nothing may hold that is kept of it."""
    options = [dict(o.split("=", 1) for o in m.option.split(",")) for m in plan.builds.mounts if m.id != "ca"]
    hidden = ",".join(o["env"] for o in options if "env" in o)
    files = ",".join(o["target"] for o in options if "target" in o)
    of = hashlib.sha256(json.dumps([plan.builds.base, _work(stage, plan)]).encode()).hexdigest()[:12]
    told = {"home": stage.package, "state": "/bake/state", "of": of, "hidden": hidden, "secrets": files}
    told["results"] = ",".join(f"{written}:{sources}" for written, sources in stage.results)
    return shlex.join(("--tree", TREE, *(w for name, text in told.items() if text for w in (f"--{name}", text))))


def _trust(plan: Plan) -> str:
    """Variables before a command that let it trust the CA bundle of [secrets.ca]."""
    place = shlex.quote(_ca(plan)) if _ca(plan) else ""
    return f"NODE_EXTRA_CA_CERTS={place} SSL_CERT_FILE={place} " if place else ""


def _ca(plan: Plan) -> str:
    """Where steps find the CA bundle of [secrets.ca]; "" without one, or when it is a variable."""
    options = [m.option.split(",") for m in plan.builds.mounts if m.id == "ca"]
    places = [o.removeprefix("target=") for each in options for o in each if o.startswith("target=")]
    return places[0] if places else ""


def _one_line(value: Any, config: Config) -> Any:
    """Text for a Dockerfile line: a line break in it would start another instruction."""
    if isinstance(value, str) and _CONTROL.search(value) and _CONTROL.search(value.replace(" \\\n    ", "")):
        texts = _texts(config)
        key = next((k for k, text in texts if _CONTROL.search(text) and _env_value(text).strip('"') in value), "")
        what, remedy = f"cannot hold {value!r}", "remove the control characters"
        if key:
            raise ConfigError(FILE_NAME, f"{key}: a Dockerfile {what}", remedy)
        raise BakeError("Dockerfile", what, remedy)
    return value


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The texts of bake.toml by their keys."""
    named: Iterable[tuple[str, Any]] = value.items() if isinstance(value, Mapping) else ()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = ((f.name.replace("_", "-"), getattr(value, f.name)) for f in dataclasses.fields(value))
    for name, inner in named:
        yield from _texts(inner, f"{key}.{name}".lstrip("."))
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, (tuple, list)):
        for inner in value:
            yield from _texts(inner, key)


def _json_list(items: Sequence[Any]) -> str:
    return json.dumps(list(items), ensure_ascii=False)


def _json_table(table: Mapping[str, str]) -> str:
    return json.dumps(dict(table), ensure_ascii=False)


def _copy_words(paths: Sequence[str]) -> str:
    """COPY's words as JSON; `$` and wildcards lose their meaning. Source: Dockerfile reference, COPY."""
    *sources, target = paths
    return json_words([*map(_pattern, sources), _plain(target)])


def _copies(paths: Iterable[str], files: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Yield the words of a COPY per folder that files lie in; what is no plain file keeps one of its own."""
    beside: dict[str, list[str]] = {}
    for path in paths:
        beside.setdefault(f"{posixpath.dirname(path)}/" if path in files else path, []).append(path)
    for place, group in beside.items():
        target = group[0] if len(group) == 1 else place.lstrip("/")
        yield (*(f"/{path}" for path in group), f"{TREE}/{target}")


def _plain(path: str) -> str:
    return path.replace("\\", "\\\\").replace("$", "\\$")


def _word(text: str) -> str:
    """A word of WORKDIR or ENV, in which nothing is a variable, a quotation or the end of it."""
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)


def _pattern(path: str) -> str:
    return _WILDCARD.sub(r"[\1]", _plain(path)) if _WILDCARD.search(path) else _plain(path)


def _source_words(part: Part) -> str:
    """COPY's words for sources. A file that the context may lack stands as a pattern, which may match nothing."""
    if not part.listed:
        return _copy_words([*(f"/{path}/".replace("//", "/") for path in part.paths), f"{home(part.folder)}/"])
    sources = [re.sub(r"[^\W_](?=[^/]*$)", r"[\g<0>]", _pattern(path), count=1) for path in part.paths]
    return json_words([*(f"/{s}" for s in sources), f"{_plain(home(part.folder))}/"])


def _env_value(value: str) -> str:
    """A quoted ENV value without variable expansion."""
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def _healthcheck(image: Image) -> tuple[str, ...]:
    health = image.health or Health()
    port = health.port or image.port or 80
    url = json.dumps(f"http://127.0.0.1:{port}{health.path}")
    return ("node", "-e", _HEALTHCHECK.format(url=url))


def _install_files(project: Project, plan: Plan) -> tuple[str, ...]:
    """What scripts read of the files that an install reads: all but the lockfile, which every update changes."""
    settings = (name for name in plan.install.manager.files if name != project.workspace.lock_name)
    return (*([".npmrc"] if project.install_npmrc else []), *settings)
