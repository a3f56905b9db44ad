"""Build images: TypeScript compiled once, every image with its own closure, all platforms in one BuildKit run."""

import argparse
import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bake.build import show_findings, write_plan
from bake.commands.arguments import add_plan_arguments, named, selected
from bake.config import parse_size, size
from bake.errors import BakeError, BuildError, CheckError, EngineError, ReleaseError, UsageError
from bake.plan import check, errors, make_plan
from bake.publish import FILE_NAME, UNFINISHED, Release, check_form, keep_release, load_release, write_release
from bake.session import Session
from bake.table import cached_steps, table

if TYPE_CHECKING:
    from bake.build import Account, Standing
    from bake.engine import Built, Capabilities, Kept, Progress
    from bake.inputs import State
    from bake.plan import Plan
    from bake.registry import Registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to build and where the images go."""
    add_plan_arguments(parser)
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument("--push", action="store_true", help="push to the registry")
    goal.add_argument("--load", action="store_true", help="keep in the local engine (the default)")
    parser.add_argument(
        "--release", metavar="FILE", type=Path, help="write the push's manifest there too (.json or .toml)"
    )
    parser.add_argument(
        "--skip-existing", action="store_true", help="with --push: do not build images whose {content} tag is there"
    )
    parser.add_argument("--no-tags", action="store_true", help="push by digest only; `bake merge` joins and tags")
    parser.add_argument("--image", metavar="NAME", help="another name for the one image asked for")
    parser.add_argument(
        "--builder", metavar="NAME", help="buildx builder to use (default: bake.toml's, else the current one)"
    )
    parser.add_argument("--since", metavar="REV", help="of these, only images that changes since REV affect")
    parser.add_argument("--force", action="store_true", help="ask BuildKit also for images that are up to date")
    parser.add_argument("--no-cache", action="store_true", help="run every step again")
    parser.add_argument("--cache-to", action="store_true", help="write the cache of bake.toml here too, as in CI")
    parser.add_argument("--pull", action="store_true", help="look for newer base images")
    parser.add_argument("--set", action="append", default=[], metavar="T.KEY=VALUE", help="override, as in buildx bake")
    parser.add_argument("--dry-run", action="store_true", help="write .bake/ and show what would be built, no more")
    parser.add_argument("--timeline", metavar="FILE", type=Path, help="draw the build's steps over time (.svg)")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="form of the result on stdout")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Plan, render, build, report; on GitHub in the step's summary too."""
    try:
        return _run(session, arguments)
    except BakeError as error:
        from bake.report import failure

        _summarise(session, failure(str(error), session.console.noted))
        raise


def _run(session: Session, arguments: argparse.Namespace) -> int:
    plan = session.plan(
        selected(arguments.targets, arguments.platform),
        named(arguments.tag, image=arguments.image, push=arguments.push),
        cache_to=arguments.cache_to,
    )
    if arguments.since and not (plan := _narrowed(session, plan, arguments)).targets:
        print('{"images": [], "seconds": 0.0}' if arguments.format == "json" else "", end="")
        session.console.say(f"no image is affected since {arguments.since}: nothing to build")
        return 0
    if arguments.dry_run:
        _refuse(session, plan, arguments)
        write_plan(session.project, plan)
        print(_dry(plan, arguments))
        return 0
    return _run_build(session, plan, arguments)


def _run_build(session: Session, plan: "Plan", arguments: argparse.Namespace) -> int:
    """Build unless everything is up to date. The engine is asked what it can do while the plan is made ready."""
    from bake.engine import Progress, preload, probe
    from bake.report import summary

    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        probing = pool.submit(probe, arguments.builder or session.builder)
        _refuse(session, plan, arguments)
        files = write_plan(session.project, plan)
        session.project.require_secrets()
        standing = _standing(session, plan, arguments, files)
        if not standing.changed and not standing.gone:
            rows = _rows(standing, {})
            _summarise(session, summary(_told(session, plan, rows, Progress(), time.monotonic() - started), None))
        else:
            preload()  # takes a while, as the engine's answer does
            rows = _build(session, arguments, probing.result(), standing, started)
    _print(session, rows, arguments.format, time.monotonic() - started)
    return 0


def _standing(session: Session, plan: "Plan", arguments: argparse.Namespace, files: Mapping[str, str]) -> "Standing":
    """The images that are up to date; none when the user wants more of the build than images in the engine."""
    from bake.build import Standing, load_standing

    if plan.request.push or arguments.set:
        return Standing(plan=plan)
    more = (arguments.no_cache, arguments.pull, arguments.force, arguments.timeline, plan.cache.exports)
    return load_standing(session.project, plan, files, session.environment, force=any(more))


def _build(
    session: Session,
    arguments: argparse.Namespace,
    capabilities: "Capabilities",
    standing: "Standing",
    started: float,
) -> list[dict[str, Any]]:
    """Build what is not up to date; gives the rows of all that was asked for. started: by the monotonic clock."""
    from bake.build import joined
    from bake.engine import check as check_engine

    plan = dataclasses.replace(standing.plan, targets=standing.changed or standing.gone)
    plan = adapted(session, plan, capabilities)
    plan = _cached(session, plan, capabilities)
    check_engine(capabilities, plan.platforms, push=plan.request.push, emulated=plan.install.scripts)
    before = _last_release(session)
    if plan.request.push:
        rows, built = _push(session, plan, arguments, capabilities)
    else:
        standing.begin_asking()
        built = _bake(session, plan, arguments, capabilities)
        if gone := tuple(t for t in standing.gone if t not in plan.targets):
            plan = dataclasses.replace(plan, targets=gone)
            built = joined([built, _bake(session, plan, arguments, capabilities)])
        rows = _rows(standing, _built_rows(session, standing, plan.platforms, built))
    _account(session, plan, rows, built, time.monotonic() - started, before)
    return rows


def _narrowed(session: Session, plan: "Plan", arguments: argparse.Namespace) -> "Plan":
    """The plan for the targets that are affected."""
    from bake.inputs import since_revision

    found = since_revision(session.project, plan, arguments.since)
    return dataclasses.replace(plan, targets=tuple(t for t in plan.targets if found.get(t)))


def adapted(session: Session, plan: "Plan", capabilities: "Capabilities") -> "Plan":
    """The plan for the engine's own platform alone, where the engine can keep no more and nobody asked for more."""
    why = capabilities.features["load several platforms"]
    native = capabilities.native
    asked = plan.request.push or plan.request.platforms
    if not why or not capabilities.server or asked or len(plan.platforms) < 2 or native not in plan.platforms:
        return plan
    session.console.warn(f"{why}: building {native} only; see `bake builder status`")
    plan = make_plan(session.project, dataclasses.replace(plan.request, targets=plan.targets, platforms=(native,)))
    write_plan(session.project, plan)
    return plan


def _cached(session: Session, plan: "Plan", capabilities: "Capabilities") -> "Plan":
    """The plan with the cache that there is and can be written."""
    from bake.build import settle
    from bake.registry import load_registry

    if plan.cache.note:
        session.console.say(plan.cache.note)
    registry = load_registry(session.environment)
    cache = settle(plan.cache, capabilities, registry, session.console.warn, platforms=plan.platforms)
    if cache == plan.cache:
        return plan
    plan = dataclasses.replace(plan, cache=cache)
    write_plan(session.project, plan)
    return plan


def _refuse(session: Session, plan: "Plan", arguments: argparse.Namespace) -> None:
    """What makes no sense, before anything is done; warnings for what is odd."""
    if plan.request.push and not (plan.registry or "/" in (arguments.image or "")):
        raise UsageError("--push", "there is no registry", "set project.registry in bake.toml or BAKE_REGISTRY")
    if arguments.skip_existing and not plan.request.push:
        raise UsageError("--skip-existing", "is about pushing", "add --push")
    check_form(arguments.release)
    if arguments.no_tags and not plan.request.push:
        raise UsageError("--no-tags", "is about pushing", "add --push")
    if arguments.image and len(plan.targets) != 1:
        raise UsageError("--image", f"names one image, and {len(plan.targets)} are asked for", "name one target")
    services = {i.service for i in plan.selected()}
    findings = [f for f in check(session.project, plan) if not f.services or services.intersection(f.services)]
    if findings:
        show_findings(session.console, findings)
    if wrong := errors(findings):
        what = "1 error stops the build" if len(wrong) == 1 else f"{len(wrong)} errors stop the build"
        raise CheckError("check", what, "see above")


def _dry(plan: "Plan", arguments: argparse.Namespace) -> str:
    rows = [
        {"image": i.target, "platforms": ",".join(plan.platforms), "reference": r}
        for i in plan.selected()
        for r in i.references
    ]
    if "monolith" in plan.targets and plan.monolith:
        rows += [
            {"image": "monolith", "platforms": ",".join(plan.platforms_of("monolith")), "reference": r}
            for r in plan.monolith.references
        ]
    return json.dumps(rows, indent=2) if arguments.format == "json" else table(rows)


def _push(
    session: Session, plan: "Plan", arguments: argparse.Namespace, capabilities: "Capabilities"
) -> tuple[list[dict[str, Any]], "Built"]:
    """Push in two phases and leave the manifest of it; gives the result's rows and what was built."""
    from bake import publish
    from bake.engine import Built, Progress
    from bake.registry import load_registry

    wishes = session.project.config.attestations
    if (wishes.sbom or wishes.provenance != "none") and (why := capabilities.features["attestations"]):
        raise EngineError("attestations", why, "push with another builder, or take them out of bake.toml")
    registry = load_registry(session.environment)
    wanted = publish.uploads(plan)
    there = _existing(session, plan, registry, capabilities.native) if arguments.skip_existing else {}
    plan = dataclasses.replace(plan, targets=tuple(t for t in plan.targets if t not in there))
    nothing = Built(metadata={}, progress=Progress())
    if session.is_dirty(plan):
        session.console.warn("the workspace has changes that are not committed: its images are not those of the commit")
    if arguments.no_tags:
        wanted = tuple(dataclasses.replace(u, tags=()) for u in wanted)
    staging = publish.staging_tag(session.head.revision) if capabilities.features["push by digest"] else ""
    sparing = capabilities.containerd or capabilities.driver != "docker"
    sets = publish.push_settings(wanted, staging=staging, containerd=sparing)
    with publish.keeping_unfinished(session.project.folder / UNFINISHED, session.console.warn):
        built, release, _ = publish.publish(
            registry,
            wanted,
            lambda: _bake(session, plan, arguments, capabilities, sets) if plan.targets else nothing,
            there=there,
            release=_release(session, plan),
            staging=staging,
            wait=time.sleep,
            warn=session.console.warn,
        )
    keep_release(session.project.folder, release)
    if arguments.release:
        write_release(arguments.release, release)
    references = {u.image: [f"{u.repository}:{t}" for t in u.tags] for u in wanted}
    rows = [_row(i.image, references[i.image] or [i.reference], plan, built, i.bytes) for i in release.images]
    return [row | {"digest": i.digest} for row, i in zip(rows, release.images, strict=True)], built


def _existing(session: Session, plan: "Plan", registry: "Registry", native: str) -> Mapping[str, str]:
    """Target -> digest of each image whose {content} tag is in the registry. native: the engine's own platform."""
    from bake.inputs import load_contents
    from bake.plan import content_references
    from bake.publish import existing

    request = dataclasses.replace(plan.request, content=load_contents(session.project, plan))
    references = content_references(session.project, request)
    if not references:
        what, remedy = "needs a tag that tells the content", 'add "{content}" to project.tag, or --tag {content}'
        raise UsageError("--skip-existing", what, remedy)
    wanted = {t: r for t, r in references.items() if t in plan.targets}
    found = existing(registry, wanted, lambda t: [native if p == "native" else p for p in plan.platforms_of(t)])
    for target in found:
        session.console.say(f"{target}: {references[target]} is there already")
    return found


def _release(session: Session, plan: "Plan") -> Release:
    head = session.head
    return Release(
        project=plan.project,
        revision=head.revision,
        branch=head.branch,
        version=head.version,
        source=session.project.config.project.source or head.source,
        created=head.epoch,
    )


def _bake(
    session: Session,
    plan: "Plan",
    arguments: argparse.Namespace,
    capabilities: "Capabilities",
    sets: Sequence[str] = (),
) -> "Built":
    """Run bake. sets: a push's outputs; a push, which may have to run again, has lines."""
    from bake.build import StepLines, explained, overgrown, run_phases
    from bake.engine import BuildOptions, StepFailedError, run_bake
    from bake.plan import EXPORTER, FOLDER
    from bake.registry import load_registry

    if not plan.request.push and capabilities.driver != "docker":
        # `--load` would send an image that the bake file's output says nothing of.
        sets = [f"{target}.output=type=docker,{EXPORTER}" for target in plan.targets]
    options = BuildOptions(
        targets=plan.targets,
        progress="tty"
        if session.console.terminal and session.console.volume == "normal" and not plan.request.push
        else "steps",
        cache=not arguments.no_cache,
        pull=arguments.pull,
        builder=arguments.builder or session.builder,
        sets=(*sets, *arguments.set) if not plan.request.push else (*arguments.set, *sets),
    )
    show = StepLines(session.console)
    state = _state(session, plan)

    def run(each: BuildOptions) -> "Built":
        file = f"{FOLDER}/docker-bake.hcl"
        return _tried(session, lambda: run_bake(session.project.root, file, each, show.show, show.beside))

    try:
        built = run_phases(plan, options, run)
    except StepFailedError as error:
        raise explained(session.project, plan, error.step) from None
    _record(session, plan, state, built)
    _budget(session, arguments)
    for warning in overgrown(plan.cache, load_registry(session.environment)):
        session.console.warn(warning)
    if arguments.timeline is not None:
        _draw(session, plan, arguments.timeline, built)
    return built


_TRIES = 3
"""How often a bake is run that fails by nothing but the engine's bad luck."""


def _tried(session: Session, run: Callable[[], "Built"]) -> "Built":
    from bake.engine import lost_snapshot

    for _ in range(_TRIES - 1):
        try:
            return run()
        except BuildError as error:
            if not lost_snapshot(error):
                raise
            session.console.say(
                "the engine lost a snapshot while it stored an image (moby/buildkit#6521): trying again"
            )
    return run()


def _budget(session: Session, arguments: argparse.Namespace) -> None:
    """Warn when the engine's cache has outgrown bake.toml's budget."""
    from bake.engine import cache_usage, read_cache_usage, total

    budget = session.project.config.cache.budget
    if budget is None:
        return
    with contextlib.suppress(EngineError):
        used = total(cache_usage(read_cache_usage(arguments.builder or session.builder)))
        if used > parse_size(budget):
            session.console.warn(
                f"the build cache takes {size(used)}, more than cache.budget = {budget}; run `bake prune`"
            )


def _draw(session: Session, plan: "Plan", file: Path, built: "Built") -> None:
    """Write the timeline; a build does not fail by it."""
    from bake.report import timeline

    try:
        file.write_text(timeline(built.progress, title=f"{plan.project}: {len(plan.targets)} images"), encoding="utf-8")
    except OSError as error:
        session.console.warn(f"{file}: cannot be written ({error.strerror})")


def _state(session: Session, plan: "Plan") -> "State":
    """The workspace as this build finds it, for `bake why`."""
    from bake.inputs import load_state, wanted

    config, environment = session.project.config, session.environment
    values = [v for p in config.packages.values() for v in p.args.values() if not isinstance(v, str)]
    state = load_state(session.project.file.parent, session.head.revision, wanted(session.project))
    return dataclasses.replace(
        state,
        platforms=plan.platforms,
        environment={v.env: environment[v.env] for v in values if v.env in environment},
    )


def _record(session: Session, plan: "Plan", state: "State", built: "Built") -> None:
    """Leave what `bake why` needs; a build does not fail by it."""
    from bake.inputs import add, first_step, load_record, write_record

    folder = session.project.folder
    steps = {target: first_step(built.progress, target) for target in plan.targets}
    with contextlib.suppress(OSError):
        write_record(folder, add(load_record(folder), state, steps))


def _last_release(session: Session) -> Release | None:
    """The last push from here; None when there is none that can be read."""
    with contextlib.suppress(ReleaseError):
        return load_release(session.project.folder / FILE_NAME)
    return None


def _account(
    session: Session,
    plan: "Plan",
    rows: Sequence[Mapping[str, Any]],
    built: "Built",
    seconds: float,
    before: Release | None,
) -> None:
    """Leave what `bake report` and the step's summary tell; a build does not fail by it."""
    from bake.build import write_account
    from bake.report import size_changes, summary

    account = _told(session, plan, rows, built.progress, seconds)
    with contextlib.suppress(OSError):
        write_account(session.project.folder, account)
    after = _last_release(session) if plan.request.push else None
    _summarise(session, summary(account, size_changes(before, after) if before and after else None))


def _told(
    session: Session, plan: "Plan", rows: Sequence[Mapping[str, Any]], progress: "Progress", seconds: float
) -> "Account":
    from bake.build import Account, built_images, ran_steps, warnings_of

    return Account(
        project=plan.project,
        platforms=plan.platforms,
        seconds=round(seconds, 1),
        images=built_images(rows, {i.target: i.service for i in plan.images}),
        revision=session.head.revision,
        branch=session.head.branch,
        pushed=plan.request.push,
        steps=ran_steps(progress),
        warnings=warnings_of(session.console.noted, progress),
    )


def _summarise(session: Session, text: str) -> None:
    """Add to the step's summary, on GitHub. Source: docs.github.com, workflow commands, "Adding a job summary"."""
    file = session.environment.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.write(text)
    except OSError as error:
        session.console.warn(f"{file}: cannot be written ({error.strerror})")


def _built_rows(
    session: Session, standing: "Standing", platforms: Sequence[str], built: "Built"
) -> dict[str, dict[str, Any]]:
    """Target -> row of what was built. The engine's word on it is kept for the next time."""
    from bake.build import learn
    from bake.engine import kept_images

    plan = standing.plan
    names = {t: plan.references_of(t) for t in plan.targets if t in built.metadata}
    kept: Mapping[str, Kept] = {}
    with contextlib.suppress(EngineError):
        kept = kept_images([name for each in names.values() for name in each])
    with contextlib.suppress(OSError):
        learn(session.project, standing, platforms, built, kept)
    plan = dataclasses.replace(plan, platforms=tuple(platforms))
    sizes = {t: kept[each[0]].bytes for t, each in names.items() if each[0] in kept}
    return {t: _row(t, each, plan, built, sizes.get(t)) for t, each in names.items()}


def _rows(standing: "Standing", built: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per image that was asked for."""
    return [built.get(t) or _current_row(standing, t) for t in standing.plan.targets]


def _current_row(standing: "Standing", target: str) -> dict[str, Any]:
    from bake.engine import Built, Progress

    made, plan = standing.made[target], standing.plan
    nothing = Built(metadata={}, progress=Progress())
    row = _row(target, plan.references_of(target), plan, nothing, standing.current[target].bytes)
    return row | {"platforms": list(made.platforms), "digest": made.digest}


def _row(target: str, references: Sequence[str], plan: "Plan", built: "Built", bytes_: int | None) -> dict[str, Any]:
    steps = built.progress.of(target)
    return {
        "image": target,
        "platforms": list(plan.platforms_of(target)),
        "digest": built.digest(target),
        "bytes": bytes_,
        "seconds": round(built.progress.seconds(target), 1),
        "steps": len(steps),
        "cached": sum(s.cached for s in steps),
        "ran": sum(target in s.targets for s in built.progress.ran()),
        "stages": [dataclasses.asdict(s) | {"seconds": round(s.seconds, 2)} for s in built.progress.stages(target)],
        "references": list(references),
    }


def _print(session: Session, rows: Sequence[Mapping[str, Any]], form: str, seconds: float) -> None:
    if form == "json":
        print(json.dumps({"images": rows, "seconds": round(seconds, 1)}, indent=2))
        return
    print(table([_cells(r) for r in rows]))
    session.console.say(_closing(len(rows), sum(not r["steps"] for r in rows), seconds))


def _closing(count: int, current: int, seconds: float) -> str:
    images = f"{count} image{'s' * (count != 1)}"
    if current == count:
        return f"{images}, up to date ({seconds:.1f} s)"
    return f"{images} in {seconds:.1f} s" + (f", {current} of them up to date" if current else "")


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "image": row["references"][0],
        "platforms": " ".join(p.removeprefix("linux/") for p in row["platforms"]),
        "digest": row["digest"][:19],
        "size": size(row["bytes"]) if row["bytes"] else "",
        "seconds": f"{row['seconds']:.1f}",
        "cached": cached_steps(row["cached"], row["steps"]),
    }
