"""GitHub's build matrix: the images of a plan, spread over jobs and runners. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from bake.config import Words
from bake.plan import Plan

By = Literal["image", "service", "platform"]

RUNNERS: Mapping[str, Words] = {"linux/amd64": "ubuntu-24.04", "linux/arm64": "ubuntu-24.04-arm"}
"""GitHub's own runners by platform. Source: docs.github.com, "GitHub-hosted runners reference"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of the matrix.

    name: fit for an artifact's or file's name. targets, platforms: as `bake build` takes them. runner: a label or
    several, for `runs-on`.
    """

    name: str
    targets: str
    platforms: str
    runner: str | tuple[str, ...]


def make_matrix(plan: Plan, *, by: By, runners: Mapping[str, Words], within: Sequence[str] | None = None) -> list[Job]:
    """The jobs for the images that the plan selects, in its order; none when it selects none.

    within: only these targets (those affected by a change); None for all. runners: platform -> runner, before
    RUNNERS. A platform without one of its own is emulated on the first platform's.
    """
    targets = [t for t in plan.targets if within is None or t in within]
    if not targets:
        return []
    if by == "platform":
        return [_make_job(_job_slug(p), targets, (p,), runners) for p in plan.platforms]
    groups = {t: [t] for t in targets} if by == "image" else _services_of(plan, targets)
    return [_make_job(name, members, plan.platforms, runners) for name, members in groups.items()]


def render_matrix(jobs: Sequence[Job], *, indent: int | None = None) -> str:
    """The jobs as `strategy.matrix` reads them with fromJSON; in one line without an indent."""
    return json.dumps({"include": [asdict(job) for job in jobs]}, indent=indent)


def render_outputs(jobs: Sequence[Job]) -> str:
    """Lines for $GITHUB_OUTPUT. GitHub refuses an empty matrix, so `any` says whether there is one to run."""
    return f"matrix={render_matrix(jobs)}\nany={str(bool(jobs)).lower()}\n"


def _make_job(name: str, targets: Sequence[str], platforms: Sequence[str], runners: Mapping[str, Words]) -> Job:
    known = {**RUNNERS, **runners}
    runner = known.get(platforms[0]) or known["linux/amd64"]
    return Job(name=name, targets=" ".join(targets), platforms=",".join(platforms), runner=runner)


def _services_of(plan: Plan, targets: Sequence[str]) -> Mapping[str, list[str]]:
    owners = plan.owners
    groups: dict[str, list[str]] = {}
    for target in targets:
        groups.setdefault(owners[target], []).append(target)
    return groups


def _job_slug(platform: str) -> str:
    return platform.replace("/", "-")
