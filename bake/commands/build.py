"""Build images: TypeScript compiled once, every image with its own closure, all platforms in one BuildKit run."""

import argparse
import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bake.commands.check import show
from bake.config import parse_size, size
from bake.errors import BakeError, BuildError, CheckError, EngineError, ReleaseError, UsageError
from bake.files import write_files
from bake.plan import check, errors
from bake.publish import FILE_NAME, UNFINISHED, Release, check_form, keep_release, load_release, write_release
from bake.session import Context, add_plan_arguments
from bake.table import cached_steps, table

if TYPE_CHECKING:
    from bake.build import Account, Standing, State
    from bake.engine import Built, Capabilities, Kept, Progress
    from bake.plan import Plan, Project
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


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Plan, render, build, report; on GitHub in the step's summary too."""
    try:
        return _run(context, arguments)
    except BakeError as error:
        from bake.report import failure

        _summarise(context, failure(str(error), context.noted))
        raise


def _run(context: Context, arguments: argparse.Namespace) -> int:
    plan = context.plan(arguments)
    if arguments.since and not (plan := _narrowed(context, plan, arguments)).targets:
        print('{"images": [], "seconds": 0.0}' if arguments.format == "json" else "", end="")
        context.say(f"no image is affected since {arguments.since}: nothing to build")
        return 0
    if arguments.dry_run:
        _refuse(context, plan, arguments)
        write(context.project, plan)
        print(_dry(plan, arguments))
        return 0
    return _run_build(context, plan, arguments)


def _run_build(context: Context, plan: "Plan", arguments: argparse.Namespace) -> int:
    """Build unless everything is up to date. The engine is asked what it can do while the plan is made ready."""
    from bake.engine import Progress, preload, probe
    from bake.report import summary

    arguments.builder = arguments.builder or configured_builder(context)
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        probing = pool.submit(probe, arguments.builder)
        _refuse(context, plan, arguments)
        files = write(context.project, plan)
        context.project.require_secrets()
        standing = _standing(context, plan, arguments, files)
        if not standing.changed and not standing.gone:
            rows = _rows(standing, {})
            _summarise(context, summary(_told(context, plan, rows, Progress(), time.monotonic() - started), None))
        else:
            preload()  # takes a while, as the engine's answer does
            rows = _build(context, arguments, probing.result(), standing, started)
    _print(context, rows, arguments.format, time.monotonic() - started)
    return 0


def _standing(context: Context, plan: "Plan", arguments: argparse.Namespace, files: Mapping[str, str]) -> "Standing":
    """The images that are up to date; none when the user wants more of the build than images in the engine."""
    from bake.build import Standing, load_standing

    if plan.push or arguments.set:
        return Standing(plan=plan)
    more = (arguments.no_cache, arguments.pull, arguments.force, arguments.timeline, plan.cache.exports)
    return load_standing(context.project, plan, files, context.environment, force=any(more))


def _build(
    context: Context,
    arguments: argparse.Namespace,
    capabilities: "Capabilities",
    standing: "Standing",
    started: float,
) -> list[dict[str, Any]]:
    """Build what is not up to date; gives the rows of all that was asked for. started: by the monotonic clock."""
    from bake.build import joined
    from bake.engine import check as check_engine

    arguments.targets = list(standing.changed or standing.gone)
    plan = dataclasses.replace(standing.plan, targets=tuple(arguments.targets))
    plan = adapted(context, plan, arguments, capabilities)
    plan = _cached(context, plan, capabilities)
    check_engine(capabilities, plan.platforms, push=plan.push, emulated=plan.install_scripts)
    before = _last_release(context)
    if plan.push:
        rows, built = _push(context, plan, arguments, capabilities)
    else:
        standing.begin_asking()
        built = _bake(context, plan, arguments, capabilities)
        if gone := tuple(t for t in standing.gone if t not in plan.targets):
            plan = dataclasses.replace(plan, targets=gone)
            built = joined([built, _bake(context, plan, arguments, capabilities)])
        rows = _rows(standing, _built_rows(context, standing, plan.platforms, built))
    _account(context, plan, rows, built, time.monotonic() - started, before)
    return rows


def _narrowed(context: Context, plan: "Plan", arguments: argparse.Namespace) -> "Plan":
    """The plan for the targets that are affected, which `arguments` names from then on."""
    from bake.commands.affected import since_revision

    found = since_revision(context, context.request(arguments), plan, arguments.since)
    targets = tuple(t for t in plan.targets if found.get(t))
    arguments.targets = list(targets)
    return dataclasses.replace(plan, targets=targets)


def configured_builder(context: Context) -> str | None:
    """The builder of bake.toml; None for buildx's current one."""
    builder = context.project.config.builder
    return builder.name if builder else None


def adapted(context: Context, plan: "Plan", arguments: argparse.Namespace, capabilities: "Capabilities") -> "Plan":
    """The plan for the engine's own platform alone, where the engine can keep no more and nobody asked for more."""
    why = capabilities.features["load several platforms"]
    native = capabilities.native
    asked = plan.push or arguments.platform
    if not why or not capabilities.server or asked or len(plan.platforms) < 2 or native not in plan.platforms:
        return plan
    context.warn(f"{why}: building {native} only; see `bake builder status`")
    plan = context.plan(arguments, platforms=(native,))
    write(context.project, plan)
    return plan


def _cached(context: Context, plan: "Plan", capabilities: "Capabilities") -> "Plan":
    """The plan with the cache that there is and can be written."""
    from bake.build import settle
    from bake.registry import load_registry

    if plan.cache.note:
        context.say(plan.cache.note)
    registry = load_registry(context.environment)
    cache = settle(plan.cache, capabilities, registry, context.warn, platforms=plan.platforms)
    if cache == plan.cache:
        return plan
    plan = dataclasses.replace(plan, cache=cache)
    write(context.project, plan)
    return plan


def write(project: "Project", plan: "Plan") -> Mapping[str, str]:
    """Render the plan into .bake/; gives the texts."""
    from bake.render import render

    files = render(project, plan)
    write_files(project.folder, files)
    return files


def _refuse(context: Context, plan: "Plan", arguments: argparse.Namespace) -> None:
    """What makes no sense, before anything is done; warnings for what is odd."""
    if plan.push and not (plan.registry or "/" in (arguments.image or "")):
        raise UsageError("--push", "there is no registry", "set project.registry in bake.toml or BAKE_REGISTRY")
    if arguments.skip_existing and not plan.push:
        raise UsageError("--skip-existing", "is about pushing", "add --push")
    check_form(arguments.release)
    if arguments.no_tags and not plan.push:
        raise UsageError("--no-tags", "is about pushing", "add --push")
    if arguments.image and len(plan.targets) != 1:
        raise UsageError("--image", f"names one image, and {len(plan.targets)} are asked for", "name one target")
    services = {i.service for i in plan.selected()}
    findings = [f for f in check(context.project, plan) if not f.services or services.intersection(f.services)]
    if findings:
        show(context, findings)
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
    context: Context, plan: "Plan", arguments: argparse.Namespace, capabilities: "Capabilities"
) -> tuple[list[dict[str, Any]], "Built"]:
    """Push in two phases and leave the manifest of it; gives the result's rows and what was built."""
    from bake import publish
    from bake.engine import Built, Progress
    from bake.registry import load_registry

    wishes = context.project.config.attestations
    if (wishes.sbom or wishes.provenance != "none") and (why := capabilities.features["attestations"]):
        raise EngineError("attestations", why, "push with another builder, or take them out of bake.toml")
    registry = load_registry(context.environment)
    wanted = publish.uploads(plan)
    there = _existing(context, plan, arguments, registry, capabilities.native) if arguments.skip_existing else {}
    plan = dataclasses.replace(plan, targets=tuple(t for t in plan.targets if t not in there))
    nothing = Built(metadata={}, progress=Progress())
    if context.head.dirty:
        context.warn("the workspace has changes that are not committed: its images are not those of the commit")
    if arguments.no_tags:
        wanted = tuple(dataclasses.replace(u, tags=()) for u in wanted)
    staging = publish.staging_tag(context.head.revision) if capabilities.features["push by digest"] else ""
    sparing = capabilities.containerd or capabilities.driver != "docker"
    sets = publish.push_settings(wanted, staging=staging, epoch=plan.epoch, containerd=sparing)
    with keeping_unfinished(context, context.project.folder / UNFINISHED):
        built, release, moved = publish.publish(
            registry,
            wanted,
            lambda: _bake(context, plan, arguments, capabilities, sets) if plan.targets else nothing,
            there=there,
            release=_release(context, plan),
            staging=staging,
            wait=time.sleep,
            warn=context.warn,
        )
    keep_release(context.project.folder, release)
    if arguments.release:
        write_release(arguments.release, release)
    if moved.overtaken:
        context.warn(f"a push of {moved.overtaken[:12]} at the same time has the tags now; these images have none")
    references = {u.image: [f"{u.repository}:{t}" for t in u.tags] for u in wanted}
    rows = [_row(i.image, references[i.image] or [i.reference], plan, built, i.bytes) for i in release.images]
    return [row | {"digest": i.digest} for row, i in zip(rows, release.images, strict=True)], built


def _existing(
    context: Context, plan: "Plan", arguments: argparse.Namespace, registry: "Registry", native: str
) -> Mapping[str, str]:
    """Target -> digest of each image whose {content} tag is in the registry. native: the engine's own platform."""
    from bake.plan import content_references
    from bake.publish import existing

    references = content_references(context.project, context.with_content(plan, context.request(arguments)))
    if not references:
        what, remedy = "needs a tag that tells the content", 'add "{content}" to project.tag, or --tag {content}'
        raise UsageError("--skip-existing", what, remedy)
    wanted = {t: r for t, r in references.items() if t in plan.targets}
    found = existing(registry, wanted, lambda t: [native if p == "native" else p for p in plan.platforms_of(t)])
    for target in found:
        context.say(f"{target}: {references[target]} is there already")
    return found


@contextlib.contextmanager
def keeping_unfinished(context: Context, file: Path) -> Iterator[None]:
    """When tags are left half moved, leave the manifest that `bake rollback` needs to put them back."""
    from bake.publish import HalfMovedError

    try:
        yield
    except HalfMovedError as error:
        write_release(file, error.release)
        context.warn(f"`bake rollback {file}` puts these tags back once the registry answers")
        raise


def _release(context: Context, plan: "Plan") -> Release:
    head = context.head
    return Release(
        project=plan.project,
        revision=head.revision,
        branch=head.branch,
        version=head.version,
        source=context.project.config.project.source or head.source,
        created=plan.epoch,
    )


def _bake(
    context: Context,
    plan: "Plan",
    arguments: argparse.Namespace,
    capabilities: "Capabilities",
    sets: Sequence[str] = (),
) -> "Built":
    """Run bake. sets: a push's outputs; a push, which may have to run again, has lines."""
    from bake.build import StepLines, explained, overgrown, run_phases
    from bake.engine import BuildOptions, StepFailedError, run_bake
    from bake.plan import FOLDER
    from bake.registry import load_registry

    options = BuildOptions(
        targets=plan.targets,
        progress="tty" if context.terminal and context.volume == "normal" and not plan.push else "steps",
        load=not plan.push and capabilities.driver != "docker",
        cache=not arguments.no_cache,
        pull=arguments.pull,
        builder=arguments.builder,
        sets=(*arguments.set, *sets),
    )
    show = StepLines(context)
    state = _state(context, plan)

    def run(each: BuildOptions) -> "Built":
        file = f"{FOLDER}/docker-bake.hcl"
        return _tried(context, lambda: run_bake(context.project.root, file, each, show.show, show.beside))

    try:
        built = run_phases(plan, options, run)
    except StepFailedError as error:
        raise explained(context.project, plan, error.step) from None
    _record(context, plan, state, built)
    _budget(context, arguments)
    for warning in overgrown(plan.cache, load_registry(context.environment)):
        context.warn(warning)
    if arguments.timeline is not None:
        _draw(context, plan, arguments.timeline, built)
    return built


_TRIES = 3
"""How often a bake is run that fails by nothing but the engine's bad luck."""


def _tried(context: Context, run: Callable[[], "Built"]) -> "Built":
    from bake.engine import lost_snapshot

    for _ in range(_TRIES - 1):
        try:
            return run()
        except BuildError as error:
            if not lost_snapshot(error):
                raise
            context.say("the engine lost a snapshot while it stored an image (moby/buildkit#6521): trying again")
    return run()


def _budget(context: Context, arguments: argparse.Namespace) -> None:
    """Warn when the engine's cache has outgrown bake.toml's budget."""
    from bake.engine import cache_usage, read_cache_usage, total

    budget = context.project.config.cache.budget
    if budget is None:
        return
    with contextlib.suppress(EngineError):
        used = total(cache_usage(read_cache_usage(arguments.builder)))
        if used > parse_size(budget):
            context.warn(f"the build cache takes {size(used)}, more than cache.budget = {budget}; run `bake prune`")


def _draw(context: Context, plan: "Plan", file: Path, built: "Built") -> None:
    """Write the timeline; a build does not fail by it."""
    from bake.report import timeline

    try:
        file.write_text(timeline(built.progress, title=f"{plan.project}: {len(plan.targets)} images"), encoding="utf-8")
    except OSError as error:
        context.warn(f"{file}: cannot be written ({error.strerror})")


def _state(context: Context, plan: "Plan") -> "State":
    """The workspace as this build finds it, for `bake why`."""
    from bake.build import load_state, wanted

    config, environment = context.project.config, context.environment
    values = [v for p in config.packages.values() for v in p.args.values() if not isinstance(v, str)]
    state = load_state(context.project.file.parent, context.head.revision, wanted(context.project))
    return dataclasses.replace(
        state,
        platforms=plan.platforms,
        environment={v.env: environment[v.env] for v in values if v.env in environment},
    )


def _record(context: Context, plan: "Plan", state: "State", built: "Built") -> None:
    """Leave what `bake why` needs; a build does not fail by it."""
    from bake.build import add, first_step, load_record, write_record

    folder = context.project.folder
    steps = {target: first_step(built.progress, target) for target in plan.targets}
    with contextlib.suppress(OSError):
        write_record(folder, add(load_record(folder), state, steps))


def _last_release(context: Context) -> Release | None:
    """The last push from here; None when there is none that can be read."""
    with contextlib.suppress(ReleaseError):
        return load_release(context.project.folder / FILE_NAME)
    return None


def _account(
    context: Context,
    plan: "Plan",
    rows: Sequence[Mapping[str, Any]],
    built: "Built",
    seconds: float,
    before: Release | None,
) -> None:
    """Leave what `bake report` and the step's summary tell; a build does not fail by it."""
    from bake.build import write_account
    from bake.report import size_changes, summary

    account = _told(context, plan, rows, built.progress, seconds)
    with contextlib.suppress(OSError):
        write_account(context.project.folder, account)
    after = _last_release(context) if plan.push else None
    _summarise(context, summary(account, size_changes(before, after) if before and after else None))


def _told(
    context: Context, plan: "Plan", rows: Sequence[Mapping[str, Any]], progress: "Progress", seconds: float
) -> "Account":
    from bake.build import Account, built_images, ran_steps, warnings_of

    return Account(
        project=plan.project,
        platforms=plan.platforms,
        seconds=round(seconds, 1),
        images=built_images(rows, {i.target: i.service for i in plan.images}),
        revision=context.head.revision,
        branch=context.head.branch,
        pushed=plan.push,
        steps=ran_steps(progress),
        warnings=warnings_of(context.noted, progress),
    )


def _summarise(context: Context, text: str) -> None:
    """Add to the step's summary, on GitHub. Source: docs.github.com, workflow commands, "Adding a job summary"."""
    file = context.environment.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.write(text)
    except OSError as error:
        context.warn(f"{file}: cannot be written ({error.strerror})")


def _built_rows(
    context: Context, standing: "Standing", platforms: Sequence[str], built: "Built"
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
        learn(context.project, standing, platforms, built, kept)
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


def _print(context: Context, rows: Sequence[Mapping[str, Any]], form: str, seconds: float) -> None:
    if form == "json":
        print(json.dumps({"images": rows, "seconds": round(seconds, 1)}, indent=2))
        return
    print(table([_cells(r) for r in rows]))
    context.say(_closing(len(rows), sum(not r["steps"] for r in rows), seconds))


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
