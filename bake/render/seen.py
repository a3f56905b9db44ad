"""Which files of the workspace builds see, or plans are made of."""

from collections.abc import Callable

from bake.lockfile import FILE_NAME
from bake.plan import Dockered, Plan
from bake.project import EJECTED, Project
from bake.render.context import render_ignore
from bake.workspace import parse_dockerignore


def seen_by_builds(project: Project, plan: Plan) -> Callable[[str], bool]:
    """A test for paths relative to the workspace's root; a path may be a folder, as a submodule is."""
    ignores = parse_dockerignore(render_ignore(project, plan))
    planned = _planned(project)
    packages = [s.package for s in plan.builds.stages]
    dockered = [_seen_by(project, image) for image in plan.dockered]
    everything = plan.monolith in plan.asked()

    def sees(path: str) -> bool:
        above = any(package.startswith(f"{path.rstrip('/')}/") for package in packages)
        ejected = path.startswith(f"{EJECTED}/")
        known = everything or path in planned or path.endswith(".gitignore") or ejected
        return known or above or not ignores(path) or any(sees(path) for sees in dockered)

    return sees


def _seen_by(project: Project, image: Dockered) -> Callable[[str], bool]:
    """The same test, of a Dockerfile of its own and its context."""
    ignores = parse_dockerignore(project.dockerfiles[image.service].ignore)
    head = "" if image.recipe.context == "." else f"{image.recipe.context}/"
    return lambda path: path == image.source or (path.startswith(head) and not ignores(path.removeprefix(head)))


def _planned(project: Project) -> frozenset[str]:
    """Files that a plan is made of, which builds themselves may not get."""
    workspace = project.workspace
    settings = {FILE_NAME, ".npmrc", workspace.lock_name, *workspace.tool.files}
    manifests = {f"{p.path}/package.json".lstrip("/") for p in workspace.everyone}
    below = project.file.is_relative_to(project.root)
    own = {project.file.relative_to(project.root).as_posix()} if below else set()
    return frozenset(settings | manifests | own)
