"""Why a step failed, in the words of the workspace."""

import re
from collections.abc import Sequence

from bake.build.hints import Failed, install_remedy, remedy
from bake.display import plain
from bake.engine import Step
from bake.errors import BuildError
from bake.inputs import in_clone, kept_from_builds
from bake.plan import Plan
from bake.project import Project
from bake.workspace import shown

_CARVE = "carve: "
"""What a line of docker/carve about a mistake begins with."""


def explained(project: Project, plan: Plan, step: Step) -> tuple[tuple[str, ...], BuildError]:
    """The failed step in the words of the workspace: its lines that tell, and the package and its script."""
    lines = "".join(step.log).rstrip().splitlines()
    if said := [line.removeprefix(_CARVE) for line in lines if line.startswith(_CARVE)]:
        return _carve_failure(said)
    return tuple(f"    {line}" for line in telling(lines)), _name_failure(project, plan, step, lines)


_FULL = re.compile(
    r"no space left on device(?!, watch)|\bENOSPC\b(?!: (?:no space left on device, watch|.*watchers))", re.I
)
_MAKE_ROOM = "the engine's disk is full: `bake disk` says what takes it, `bake prune` makes room"
_HEAP = re.compile(r"JavaScript heap out of memory")
_LARGER_HEAP = 'let Node take more: NODE_OPTIONS = "--max-old-space-size=4096" (megabytes) in [workspace.environment]'
_KILLED = 137
"""The exit code of what was ended by SIGKILL, which is the kernel's when memory runs out."""
_MORE_MEMORY = "give the engine more memory"
_FEWER = f"{_MORE_MEMORY}, or build fewer packages at once: concurrency = 1 in [workspace]"


def _scarce(plan: Plan, step: Step, lines: Sequence[str]) -> str:
    """What to do where disk or memory ran out, "" where neither did."""
    if any(_FULL.search(line) for line in (*lines, step.error)):
        return _MAKE_ROOM
    if any(_HEAP.search(line) for line in lines):
        return _LARGER_HEAP
    if step.error.endswith(f"exit code: {_KILLED}"):
        takes_turns = plan.builds.turns is not None and step.stage in plan.builds.turns.weights
        return _FEWER if takes_turns else _MORE_MEMORY
    return ""


def _name_failure(project: Project, plan: Plan, step: Step, lines: Sequence[str]) -> BuildError:
    scarce = _scarce(plan, step, lines)
    stage = next((s for s in plan.builds.stages if s.name == step.stage), None)
    code = re.search(r"exit code: (\d+)", step.error)
    ending = f"failed with exit code {code[1]}" if code else f"failed ({step.error})"
    if stage is None:
        command = plain(step.what).removeprefix("RUN ")
        return BuildError(step.stage, f"`{command}` {ending}", scarce or install_remedy(lines))
    called = stage.script if stage.is_command else f"{plan.install.manager.name} run {stage.script}"
    what = f"`{called}` {ending}"
    root = project.root
    failed = Failed(
        workspace=project.workspace,
        stage=stage,
        root_files=project.root_files,
        exists=lambda path: (root / path).exists(),
        in_clone=in_clone(project),
        kept=kept_from_builds(project),
    )
    return BuildError(shown(stage.package), what, scarce or remedy(failed, lines))


def _carve_failure(said: Sequence[str]) -> tuple[tuple[str, ...], BuildError]:
    """What docker/carve found wrong, a line per mistake; the last one ends the run."""
    where, _, what = said[-1].partition(": ")
    return tuple(f"bake: error: {line}" for line in said[:-1]), BuildError(where, what)


_MOST = 60
_ERROR = re.compile(r"\b(?:\w*[Ee]rror|ERR_\w+|ERR!|Cannot find)\b")


def telling(lines: Sequence[str]) -> Sequence[str]:
    """The lines to show of a failed script: the last, and those from the first error on where it lies above them."""
    first = next((at for at, line in enumerate(lines) if _ERROR.search(line)), len(lines))
    if first >= len(lines) - _MOST:
        return lines[-_MOST:]
    return (*lines[first : first + _MOST // 2], "…", *lines[-_MOST // 2 :])
