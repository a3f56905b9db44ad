"""Plan -> the files of .bake/ but the bake file: Dockerfile, its .dockerignore and the named contexts. Pure."""

from collections.abc import Mapping

from bake.plan import Plan
from bake.project import Project
from bake.render.context import render_ignore
from bake.render.dockerfile import render_dockerfile
from bake.render.json_text import json_text
from bake.render.manifests import install_files
from bake.render.specs import build_specs, layer_specs, package_specs
from bake.render.templates import template_names, template_text
from bake.render.traces import trace_spec

_TRACER = ("package.json", "package-lock.json")


def render(project: Project, plan: Plan) -> Mapping[str, str]:
    """The text of every generated file but the bake file, by its path below .bake/."""
    return {
        "Dockerfile": render_dockerfile(project, plan),
        "Dockerfile.dockerignore": render_ignore(project, plan),
        "plan/layers.json": json_text(layer_specs(project, plan, plan.whole_layers)),
        **({"plan/builds.json": json_text(build_specs(project, plan))} if plan.builds.isolated else {}),
        **{f"plan/packages/{name}.json": json_text(spec) for name, spec in package_specs(project, plan).items()},
        **{f"plan/traces/{s.service}.json": json_text(trace_spec(project, plan, s)) for s in plan.traced},
        **install_files(project, plan),
        **({"manifests/.npmrc": npmrc} if (npmrc := project.install_npmrc) else {}),
        **{f"tools/carve/{name}": template_text(f"docker/carve/{name}") for name in template_names("docker/carve")},
        **({f"tools/trace/{n}": template_text(f"docker/trace/{n}") for n in _TRACER} if plan.traces else {}),
        **({"tools/patch.mjs": template_text("docker/patch.mjs")} if plan.install.patches else {}),
        **({} if plan.install.manager.rebuild else {"tools/rebuild.mjs": template_text("docker/rebuild.mjs")}),
        **({"tools/unpack.mjs": template_text("docker/unpack.mjs")} if plan.builds.isolated else {}),
        **({"tools/declare.mjs": template_text("docker/declare.mjs")} if _declares(plan) else {}),
        **({"tools/state.mjs": template_text("docker/state.mjs")} if any(s.state for s in plan.builds.stages) else {}),
        **({"tools/system.sh": template_text("docker/system.sh")} if any(s.system for s in plan.services) else {}),
        **({"tools/turns.mjs": template_text("docker/turns.mjs")} if plan.builds.turns else {}),
        "tools/serve.mjs": template_text("docker/serve.mjs"),
        **_dockerfiles(project),
    }


def _declares(plan: Plan) -> bool:
    return any(stage.declares for stage in plan.builds.stages)


def _dockerfiles(project: Project) -> Mapping[str, str]:
    """Copies of services' own Dockerfiles: what lies beside a copy decides what its build gets."""
    own = {f"services/{name}/Dockerfile": file for name, file in project.dockerfiles.items()}
    return {name: file.text or "" for name, file in own.items()} | {
        f"{name}.dockerignore": file.ignore for name, file in own.items()
    }
