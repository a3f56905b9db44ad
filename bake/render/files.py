"""Plan -> the files of .bake/: docker-bake.hcl, Dockerfile, its .dockerignore and the named contexts. Pure."""

import json
import posixpath
import re
import shlex
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import jinja2

from bake.config import Attestations, Health
from bake.errors import BakeError
from bake.files import strip_credentials
from bake.lockfile import Entry, Lock, promote
from bake.plan import EXPORTER, FOLDER, TREE, Image, Output, Plan, Project, home
from bake.render.kept import NEVER, glob, left_out
from bake.sources import command_needs
from bake.workspace import BESIDE, NEVER_SENT, Manager, Part, manifest_settings, staged_files

_MANIFEST_FIELDS = (
    "name",
    "version",
    "private",
    "type",
    "workspaces",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "bundleDependencies",
    "bundledDependencies",
    "overrides",
    "bin",
    "engines",
    "os",
    "cpu",
    "libc",
    "packageManager",
)
"""What `npm ci` reads of a package.json. Source: @npmcli/arborist, lib/node.js and lib/shrinkwrap.js."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HEALTHCHECK = "fetch('http://127.0.0.1:{port}{path}').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def render(project: Project, plan: Plan) -> Mapping[str, str]:
    """The text of every generated file, by its path below .bake/."""
    return {
        "docker-bake.hcl": render_bake_file(project, plan),
        "Dockerfile": render_dockerfile(project, plan),
        "Dockerfile.dockerignore": render_ignore(project, plan),
        "plan/layers.json": _json(_layers(project, plan)),
        **({"plan/builds.json": _json(_builds(project, plan))} if plan.isolated else {}),
        **{f"plan/packages/{o.name}.json": _json(_output(project, plan, o)) for o in plan.outputs},
        **_manifests(project, plan),
        **({"manifests/.npmrc": npmrc} if (npmrc := strip_credentials(project.npmrc)) else {}),
        **{f"tools/carve/{name}": template_text(f"docker/carve/{name}") for name in template_names("docker/carve")},
        **({"tools/patch.mjs": template_text("docker/patch.mjs")} if plan.patches else {}),
        **({} if plan.manager.rebuild else {"tools/rebuild.mjs": template_text("docker/rebuild.mjs")}),
        "tools/serve.mjs": template_text("docker/serve.mjs"),
    }


def render_bake_file(project: Project, plan: Plan) -> str:
    """The plan as HCL."""
    environment = _environment(finalize=hcl)
    environment.filters["raw"] = _Raw
    service_groups = {
        s.service: targets
        for s in plan.services
        if (targets := [i.target for i in plan.images if i.service == s.service]) != [s.service]
    }
    return environment.from_string(_template(project, "docker-bake.hcl.j2")).render(
        plan=plan,
        folder=FOLDER,
        targets=[i.target for i in plan.images],
        groups=service_groups,
        args={k: v for s in plan.stages for k, v in s.args.items()},
        image_args={i.target: _multiline(i.env) for i in plan.images},
        secrets=[_secret(project, m.id) for m in plan.mounts if m.id in project.secrets],
        outside_secrets=any("src=/" in _secret(project, m.id) for m in plan.mounts if m.id in project.secrets),
        attest=_attest(project.config.attestations),
        output=[f"type=image,{EXPORTER}"],
    )


def render_dockerfile(project: Project, plan: Plan) -> str:
    """Every stage of the plan."""
    environment = _environment(finalize=_one_line)
    environment.filters |= {"json": _json_words, "path": _copy_words, "env": _env_value, "sh": shlex.quote}
    environment.filters |= {"home": home, "sources": _source_words, "matches": project.matches}
    environment.filters["mount"] = "--mount={}".format
    return environment.from_string(_template(project, "docker/Dockerfile")).render(
        plan=plan,
        tree=TREE,
        stages={s.package: s for s in plan.stages},
        root_files=project.matches(project.root_files),
        install_files=_install_files(project, plan),
        ca=_ca(plan),
        healthcheck=_healthcheck,
    )


def _ca(plan: Plan) -> str:
    """Where steps find the CA bundle of [secrets.ca]; "" without one, or when it is a variable."""
    options = [m.option.split(",") for m in plan.mounts if m.id == "ca"]
    places = [o.removeprefix("target=") for each in options for o in each if o.startswith("target=")]
    return places[0] if places else ""


def render_ignore(project: Project, plan: Plan) -> str:
    """Patterns of the build context: nothing but the planned packages and the shared root files.

    The last pattern that matches decides. Source: docs.docker.com/build/concepts/context, .dockerignore files.
    """
    inputs = [i for s in plan.stages for i in s.inputs]
    lines = [
        "# Written by bake: builds see the packages they need and the shared root files, nothing else.",
        "*",
        *_package_patterns(project, plan),
    ]
    patches = [p.folder for p in plan.patches]
    lines += [f"!{path}" for path in dict.fromkeys((*project.root_files, *inputs, *patches))]
    if project.ignored:
        lines += ["# What git ignores.", *project.ignored]
    if tracked := _tracked(project, plan):
        lines += ["# What git tracks all the same.", *tracked]
    built = [s.package for s in plan.stages if s.script]
    lines += ["# Results and secrets are never sources.", *NEVER_SENT]
    lines += [posixpath.join(path, folder) for path in built for folder in ("dist", "coverage")]
    lines += _documents(plan)
    if project.config.workspace.ignore:
        lines += ["# bake.toml: workspace.ignore", *project.config.workspace.ignore]
    return "\n".join(lines) + "\n"


def _tracked(project: Project, plan: Plan) -> list[str]:
    """Patterns that let in the planned packages' files that git ignores by its patterns, and has all the same."""
    nested = {s.package: project.workspace.inside(s.package) for s in plan.stages}
    own = (p for p in project.tracked if any(_is_inside(p, path, inner) for path, inner in nested.items()))
    return ["!" + re.sub(r"([*?\[\\])", r"\\\1", path) for path in own]


def _is_inside(path: str, folder: str, others: Iterable[str]) -> bool:
    return path.startswith(f"{folder}/" if folder else "") and not any(path.startswith(f"{o}/") for o in others)


def _package_patterns(project: Project, plan: Plan) -> list[str]:
    """Patterns that let the planned packages in, and keep out what lies in them and is not theirs."""
    planned = [s.package for s in plan.stages]
    root = ["!*", *BESIDE] if "" in planned else []
    nested = sorted({inner for path in planned for inner in project.workspace.inside(path)})
    outer = [path for path in planned if path and path not in nested]
    return [*root, *(f"!{path}" for path in outer), *(f"!{path}" if path in planned else path for path in nested)]


def _documents(plan: Plan) -> list[str]:
    """Patterns of the documents that no image holds, so that an edit in one builds nothing again."""
    kept = {o.package: glob(o.files or ()) for o in plan.outputs}
    return [
        posixpath.join(stage.package, name)
        for stage in plan.stages
        for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
        if not (stage.package in kept and kept[stage.package](name))
    ]


def hcl(value: Any) -> str:
    """A value as one HCL literal.

    HCL knows the escapes \\n \\r \\t \\" \\\\ \\uXXXX \\UXXXXXXXX only, and `${`, `%{` start templates (source: HCL
    native syntax specification, "Template literals"). Raises BakeError for a lone surrogate, which no UTF-8 file holds.
    """
    if isinstance(value, _Raw):
        return str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return f'"{_hcl_text(value)}"'
    if isinstance(value, Mapping):
        return _hcl_map(value)
    if isinstance(value, Sequence):
        return _hcl_list([hcl(v) for v in value])
    raise TypeError(f"no HCL for {type(value).__name__}")


class _Raw(str):
    """Text of a comment, which is not a literal."""

    __slots__ = ()


def _hcl_text(text: str) -> str:
    escaped = "".join(_hcl_character(c) for c in text)
    return escaped.replace("${", "$${").replace("%{", "%%{")


def _hcl_character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    category = unicodedata.category(character)
    if category == "Cs":
        raise BakeError("docker-bake.hcl", f"cannot hold the lone surrogate U+{ord(character):04X}", "remove it")
    if category in {"Cc", "Zl", "Zp"} or character == "\ufeff":
        return f"\\u{ord(character):04x}"
    return character


def _hcl_list(items: Sequence[str]) -> str:
    if len(items) < 2 or sum(map(len, items)) < 80:
        return f"[{', '.join(items)}]"
    return "[\n" + "".join(f"    {item},\n" for item in items) + "  ]"


def _hcl_map(table: Mapping[str, Any]) -> str:
    if not table:
        return "{}"
    return "{\n" + "".join(f"    {hcl(k)} = {hcl(v)}\n" for k, v in table.items()) + "  }"


def template_names(folder: str) -> tuple[str, ...]:
    """The names of the files in a folder that ships with bake."""
    return tuple(sorted(each.name for each in _shipped(folder).iterdir() if each.is_file()))


def template_text(name: str) -> str:
    """The text of a file that ships with bake."""
    return _shipped(name).read_text(encoding="utf-8")


def _shipped(name: str) -> Traversable:
    """A file or folder that ships with bake: in the wheel below bake/templates, in a checkout at its root."""
    installed = resources.files("bake") / "templates" / name
    return installed if installed.is_file() or installed.is_dir() else Path(__file__).parents[2] / name


def _template(project: Project, name: str) -> str:
    """The project's own copy of a template when it has been ejected, else bake's."""
    return project.ejected.get(name) or template_text(name)


def _environment(*, finalize: Any) -> jinja2.Environment:
    return jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - neither HCL nor a Dockerfile is HTML; `finalize` escapes
    )


def _one_line(value: Any) -> Any:
    """Text for a Dockerfile line: a line break in it would start another instruction."""
    if isinstance(value, str) and _CONTROL.search(value.replace(" \\\n    ", "")):
        raise BakeError("Dockerfile", f"cannot hold {value!r}", "remove the control characters")
    return value


def _json_words(words: Sequence[str]) -> str:
    return json.dumps(list(words), ensure_ascii=False)


def _copy_words(paths: Sequence[str]) -> str:
    """COPY's words as JSON; `$` and wildcards lose their meaning. Source: Dockerfile reference, COPY."""
    *sources, target = paths
    return json.dumps([*map(_pattern, sources), _plain(target)], ensure_ascii=False)


def _plain(path: str) -> str:
    return path.replace("\\", "\\\\").replace("$", "\\$")


def _pattern(path: str) -> str:
    return re.sub(r"([\[*?])", r"[\1]", _plain(path))


def _source_words(part: Part) -> str:
    """COPY's words for sources. A file that the context may lack stands as a pattern, which may match nothing."""
    if not part.listed:
        return _copy_words([*(f"/{path}/".replace("//", "/") for path in part.paths), f"{home(part.folder)}/"])
    sources = [re.sub(r"[^\W_](?=[^/]*$)", r"[\g<0>]", _pattern(path), count=1) for path in part.paths]
    return json.dumps([*(f"/{s}" for s in sources), f"{_plain(home(part.folder))}/"], ensure_ascii=False)


def _env_value(value: str) -> str:
    """A quoted ENV value without variable expansion."""
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def _multiline(env: Mapping[str, str]) -> Mapping[str, str]:
    """Values that no line of a Dockerfile can hold; they travel as build arguments."""
    return {f"BAKE_ENV_{k}": v for k, v in env.items() if "\n" in v or "\r" in v}


def _healthcheck(image: Image) -> tuple[str, ...]:
    health = image.health or Health()
    port = health.port or image.port or 80
    return ("node", "-e", _HEALTHCHECK.format(port=port, path=health.path))


def _attest(settings: Attestations) -> list[str]:
    """What `attest` says. buildx adds a provenance of its own where it is not told to leave that."""
    wanted = settings.provenance
    attest = ["type=provenance,disabled=true" if wanted == "none" else f"type=provenance,mode={wanted}"]
    if settings.sbom:
        attest.append("type=sbom" + (f",generator={settings.sbom}" if isinstance(settings.sbom, str) else ""))
    return attest


def _secret(project: Project, name: str) -> str:
    return f"id={name}," + project.secrets[name]


def _layers(project: Project, plan: Plan) -> Mapping[str, Any]:
    """What docker/carve reads to carve node_modules."""
    lock, walks = project.workspace.lock, plan.manager.layout == "walk"
    layers = [
        {"id": layer.id, "native": layer.native, "libc": layer.libc}
        | (
            {"services": list(layer.services)}
            if walks
            else {"entries": [_entry(lock, lock.entries[e]) for e in layer.entries]}
        )
        for layer in plan.layers
    ]
    walk = {"walk": _walk(project, plan)} if walks else {}
    return {"trim": list(plan.trim), "hoisted": list(plan.manager.hoisted)} | walk | {"layers": layers}


def _builds(project: Project, plan: Plan) -> Mapping[str, Any]:
    """What docker/carve reads to give each build its dependencies; its own names are those that nothing declares."""
    names = {s.package: project.build_names(s.package) for s in plan.stages}
    stages = {
        stage.name: {"packages": list(packages), "extra": sorted(frozenset().union(*(names[p] for p in packages)))}
        for stage in plan.stages
        if stage.script and (packages := (*stage.needs, stage.package))
    }
    return {"lockfile": _staged_lock(project), "packages": _everyone(project), "stages": stages}


def _staged_lock(project: Project) -> str:
    """The lockfile's name in the context `manifests`."""
    return "package-lock.json" if project.workspace.manager == "npm" else project.workspace.lock_name


def _everyone(project: Project) -> tuple[str, ...]:
    """Paths of all packages, the root first."""
    return tuple(package.path for package in project.workspace.everyone)


def _install_files(project: Project, plan: Plan) -> tuple[str, ...]:
    """What scripts read of the files that an install reads: all but the lockfile, which every update changes."""
    settings = (name for name in plan.manager.files if name != project.workspace.lock_name)
    return ("package.json", *([".npmrc"] if strip_credentials(project.npmrc) else []), *settings)


def _walk(project: Project, plan: Plan) -> Mapping[str, Any]:
    """Where docker/carve starts when only the installed tree tells where packages lie."""
    return {
        "packages": _everyone(project),
        "services": {s.service: s.package for s in plan.services if not s.static},
        "extra": plan.extra,
        "exclude": plan.exclude,
    }


def _entry(lock: Lock, entry: Entry) -> Mapping[str, Any]:
    limits = {"os": entry.os, "cpu": entry.cpu, "libc": entry.libc}
    return (
        {"path": entry.path}
        | ({"link": entry.link} if entry.link else {})
        | ({"optional": True} if entry.optional else {})
        | ({"bundled": True} if entry.bundled and lock.manager != "npm" else {})
        | {k: list(v) for k, v in limits.items() if v}
    )


def _output(project: Project, plan: Plan, output: Output) -> Mapping[str, Any]:
    users = {s.libc for s in plan.services if s.own == output.name or output.package in s.closure.packages}
    return {
        "path": output.package,
        "files": list(output.files) if output.files is not None else None,
        "never": list(NEVER),
        "leaves": list(left_out(files=output.files, sources=output.sources)),
        "key": output.key,
        "exclude": list(output.exclude),
        **({"others": list(output.others)} if output.others else {}),
        "extra": list(output.extra),
        "main": output.imported,
        "starts": _starts(project, plan, output.package),
        "platforms": list(plan.platforms),
        "libc": sorted(users),
    }


def _starts(project: Project, plan: Plan, package: str) -> Mapping[str, str]:
    """The package's own files that commands start -> an image that does."""
    found: dict[str, str] = {}
    for image in plan.images:
        if image.package == package and not image.static:
            needs = command_needs(project.workspace, package, (*image.entrypoint, *image.command))
            found |= {file: image.target for file in needs.files if not file.startswith("..")}
    return found


def _manifests(project: Project, plan: Plan) -> Mapping[str, str]:
    """What an install reads: every package.json, reduced, the lockfile and the manager's own files."""
    workspace = project.workspace
    files, changes = _locked(project, plan)
    skeletons = {
        posixpath.join(p.path, "package.json"): _json(
            _skeleton(p.manifest, plan.manager) | dict(changes.get(p.path, {}))
        )
        for p in workspace.everyone
    }
    return {f"manifests/{name}": text for name, text in (files | skeletons).items()}


def _locked(project: Project, plan: Plan) -> tuple[dict[str, str], Mapping[str, Mapping[str, Any]]]:
    """The lockfile and settings, and the fields of manifests that change with them."""
    if plan.manager.name == "npm":
        raw, changes = promote(project.workspace.lock, plan.extra)
        return {"package-lock.json": _json(raw)}, changes
    files = dict(staged_files(plan.manager, plan.platforms, plan.libcs))
    manifest = project.workspace.root_package.manifest
    return files, {"": manifest_settings(plan.manager, manifest, plan.platforms, plan.libcs)}


def _skeleton(manifest: Mapping[str, Any], manager: Manager) -> dict[str, Any]:
    return {field: manifest[field] for field in (*_MANIFEST_FIELDS, *manager.fields) if field in manifest}


def _json(value: Any) -> str:
    """JSON with a line per item of the outer levels, compact below; `indent` would leave json's C encoder unused."""
    return _lines(value, "") + "\n"


def _lines(value: Any, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, Mapping) and value and len(indent) < 4:
        items = [f"{json.dumps(k, ensure_ascii=False)}: {_lines(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(inner + item for item in items) + f"\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "[\n" + ",\n".join(inner + _lines(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)
