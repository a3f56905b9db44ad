"""The plan as HCL: docker-bake.hcl."""

import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bake.config import Attestations
from bake.errors import BakeError
from bake.plan import EXPORTER, TURNS, Cache, Names, Plan
from bake.project import FOLDER, Project

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def render_bake_file(
    project: Project, plan: Plan, names: Names, cache: Cache, outputs: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The plan as HCL. outputs: target -> where its image goes, where the builder is not to keep it."""
    from bake.render.filling import fill_template, template_environment

    environment = template_environment(finalize=hcl)
    environment.filters["raw"] = _Raw
    service_groups = {
        s.service: targets
        for s in plan.services
        if (targets := [i.target for i in plan.images if i.service == s.service]) != [s.service]
    }
    return fill_template(
        environment,
        project,
        "docker-bake.hcl.j2",
        plan=plan,
        folder=FOLDER,
        targets=[i.target for i in plan.processes],
        groups=service_groups,
        args={k: v for s in plan.builds.stages for k, v in s.args.items()},
        image_args={i.target: _multiline(i.env) for i in plan.images},
        secrets=[_secret(project, m.id) for m in plan.builds.mounts if m.id in project.secrets and not m.ssh],
        turns=[f"id=bake-turns,env={TURNS}"] if plan.builds.turns else [],
        ssh=[_ssh(project, m.id) for m in plan.builds.mounts if m.id in project.secrets and m.ssh],
        outside_secrets=any(m.id in project.outside_secrets for m in plan.builds.mounts),
        attest=_attest(project.config.attestations),
        contexts={s.service: {b.name: f"target:{b.target}"} if (b := plan.base_of(s)) else {} for s in plan.services},
        tags={t: name.references for t, name in names.items()},
        cache=cache,
        outputs={t: [outputs.get(t, f"type=image,{EXPORTER}")] for t in names},
    )


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


def _multiline(env: Mapping[str, str]) -> Mapping[str, str]:
    """Values that no line of a Dockerfile can hold; they travel as build arguments."""
    return {f"BAKE_ENV_{k}": v for k, v in env.items() if "\n" in v or "\r" in v}


def _attest(settings: Attestations) -> list[str]:
    """What `attest` says. buildx adds a provenance of its own where it is not told to leave that."""
    wanted = settings.provenance
    attest = ["type=provenance,disabled=true" if wanted == "none" else f"type=provenance,mode={wanted}"]
    if settings.sbom:
        attest.append("type=sbom" + (f",generator={settings.sbom}" if isinstance(settings.sbom, str) else ""))
    return attest


def _ssh(project: Project, name: str) -> str:
    """How buildx is told of a key, or of the agent where there is none."""
    place = project.secrets[name].removeprefix("src=")
    return f"{name}={place}" if place else name


def _secret(project: Project, name: str) -> str:
    return f"id={name}," + project.secrets[name]
