"""What of the workspace reaches builds: Dockerfile.dockerignore."""

import posixpath
from collections.abc import Iterable

from bake.plan import Plan
from bake.project import Project
from bake.workspace import BESIDE, NEVER_SENT, RESULTS, anywhere, literal, parse_dockerignore, untracked


def render_ignore(project: Project, plan: Plan) -> str:
    """Patterns of the build context: nothing but the planned packages and the shared root files.

    The last pattern that matches decides. Source: docs.docker.com/build/concepts/context, .dockerignore files.
    """
    inputs = [i for s in plan.builds.stages for i in s.inputs]
    lines = [
        "# Written by bake: builds see the packages they need and the shared root files, nothing else.",
        "*",
        *_package_patterns(project, plan),
    ]
    patches = [p.folder for p in plan.install.patches]
    stages = (path for s in plan.builds.stages for path in (*s.reads, *s.beside))
    reads = [literal(path) for path in (*stages, *plan.install.vendored)]
    lines += [f"!{path}" for path in dict.fromkeys((*project.root_files, *inputs, *reads, *patches))]
    if project.ignored:
        lines += ["# What git ignores.", *project.ignored]
    built = [s.package for s in plan.builds.stages if s.script]
    names = untracked(versioned=project.reading.versioned)
    lines += ["# Results and secrets are no sources, unless git tracks them.", *anywhere(names)]
    lines += [posixpath.join(path, folder) for path in built for folder in RESULTS]
    if tracked := _tracked(project, plan):
        lines += ["# What git tracks all the same.", *tracked]
    lines += ["# Installs and logins are never sources.", *anywhere(NEVER_SENT)]
    if project.config.workspace.ignore:
        lines += ["# bake.toml: workspace.ignore", *project.config.workspace.ignore]
    return "\n".join(lines) + "\n"


def _tracked(project: Project, plan: Plan) -> list[str]:
    """Patterns that let in the files of builds that patterns above leave out, and git has all the same."""
    nested = {s.package: project.workspace.inside(s.package) for s in plan.builds.stages}
    read = (p for s in plan.builds.stages for p in (*project.matches(s.inputs), *s.reads, *s.beside))
    named = (*read, *plan.install.vendored)
    others = (*project.matches(project.root_files), *named)
    shared = parse_dockerignore("\n".join(map(literal, others)))
    tracked = project.reading.tracked
    own = (p for p in tracked if shared(p) or any(_is_inside(p, path, inner) for path, inner in nested.items()))
    return [f"!{literal(path)}" for path in own]


def _is_inside(path: str, folder: str, others: Iterable[str]) -> bool:
    return path.startswith(f"{folder}/" if folder else "") and not any(path.startswith(f"{o}/") for o in others)


def _package_patterns(project: Project, plan: Plan) -> list[str]:
    """Patterns that let the planned packages in, and keep out what lies in them and is not theirs."""
    planned = [s.package for s in plan.builds.stages]
    root = ["!*", *BESIDE] if "" in planned else []
    nested = sorted({inner for path in planned for inner in project.workspace.inside(path)})
    outer = [path for path in planned if path and path not in nested]
    return [*root, *(f"!{path}" for path in outer), *(f"!{path}" if path in planned else path for path in nested)]
