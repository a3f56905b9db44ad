"""What tracing leaves out of images, told by the build stages that trace: no image is made for it."""

import dataclasses
import json
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from bake import config as cfg
from bake.display import StepLines
from bake.engine import BuildOptions, run_bake
from bake.files import working_alone, write_files
from bake.plan import Plan, make_plan, plan_cache
from bake.project import FOLDER
from bake.render import render, render_bake_file
from bake.session import Session

_TARGET = "_traces"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TracedPackage:
    """A package that an image can reach. whole, kept: (bytes, bytes as gzip) of all its files, and of those needed.

    why: what keeps it whole, "" where the trace follows all that it loads. left: files that are left out, "**" for all.
    """

    place: str
    label: str
    why: str
    whole: tuple[int, int]
    kept: tuple[int, int]
    left: tuple[str, ...]


def trace_images(session: Session, plan: Plan, builder: str | None = None) -> Mapping[str, tuple[TracedPackage, ...]]:
    """Image -> the packages of its service, as `trace = "files"` has them. Raises BuildError."""
    asked = {i.service for i in plan.images if i.target in plan.targets}
    project = dataclasses.replace(session.project, config=_traced(session.project.config, asked))
    traced = make_plan(project, plan.request)
    files = render(project, traced)
    bake_file = render_bake_file(project, traced, session.names(traced, lambda: files), plan_cache(project, traced))
    with working_alone(project.folder, session.words, session.console.say):
        write_files(project.folder, {"docker-bake.hcl": bake_file, **files})
        with tempfile.TemporaryDirectory(dir=project.folder) as folder:
            sets = (f"{_TARGET}.output=type=local,dest={folder}",)
            variables = traced.builds.variables
            options = BuildOptions(targets=(_TARGET,), builder=builder, sets=sets, variables=variables)
            run_bake(project.root, f"{FOLDER}/docker-bake.hcl", options, StepLines(session.console, traced).show)
            texts = [file.read_text("utf-8") for file in sorted(Path(folder).glob("*.json"))]
    found = {image: packages for text in texts for image, packages in parse_report(text).items()}
    return {target: found[target] for target in plan.targets if target in found}


def _traced(config: cfg.Config, asked: Collection[str]) -> cfg.Config:
    """bake.toml with `trace = "files"` for the services asked for, and for no other."""
    services = {
        name: dataclasses.replace(service, trace="files" if name in asked else "packages")
        for name, service in config.services.items()
    }
    return dataclasses.replace(config, services=services)


def parse_report(text: str) -> Mapping[str, tuple[TracedPackage, ...]]:
    """What docker/carve/traced.mjs tells of the images of one service."""
    return {
        image: tuple(
            TracedPackage(
                place=each["place"],
                label=each["label"],
                why=each["why"],
                whole=(each["all"]["bytes"], each["all"]["stored"]),
                kept=(each["kept"]["bytes"], each["kept"]["stored"]),
                left=tuple(each["left"]),
            )
            for each in packages
        )
        for image, packages in json.loads(text).items()
    }
