"""A plan becomes images: built into the local engine, or pushed with all tags moving together.

What only tells of a build (the record for `bake why`, warnings, the account) comes when everything else is done.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from bake.allowed import require_allowed
from bake.build.account import (
    Account,
    BuiltImage,
    Weight,
    built_image,
    load_before,
    ran_steps,
    waited_for,
    warnings_of,
    weigh,
)
from bake.build.after import keep_account, load_last_release, tell_growth, write_record_of
from bake.build.current import Standing, ask_engine, learn, load_standing
from bake.build.findings import show_findings
from bake.build.options import Options, Outcome
from bake.build.phases import joined, settle
from bake.build.push import push_plan
from bake.build.ready import Ready, inputs_of, make_ready, write_plan
from bake.build.run import give_states, run_plan, take_states
from bake.engine import Built, Capabilities, Kept, Progress, kept_images, preload, probe
from bake.engine import check as check_engine
from bake.errors import CheckError, EngineError, UsageError
from bake.files import working_alone
from bake.plan import EXPORTER, Plan, check, emulated_work, errors, make_plan, plan_cache
from bake.project import Project
from bake.publish import Release, ReleasedImage
from bake.registry import Registry, load_registry
from bake.render import render
from bake.session import Session


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What was built. plan: as it was built. images: all that were asked for."""

    plan: Plan
    built: Built
    images: tuple[BuiltImage, ...]
    release: Release | None = None


def build(session: Session, plan: Plan, options: Options) -> Outcome:
    """Build the plan's targets unless they are up to date, and push them where the plan says so.

    The engine is asked what it can do while the files are made ready. Raises BakeError.
    """
    started = session.clock()
    options = dataclasses.replace(options, builder=options.builder or session.builder)
    with ThreadPoolExecutor(1) as pool:
        probing = pool.submit(probe, options.builder)
        check_build(session, plan, options)
        session.project.require_secrets()
        require_allowed(session, options.allowed)
        ready = make_ready(session, plan)
        standing = _find_standing(session, ready, options)
        if not standing.changed and not standing.gone:
            write_plan(session, ready)
            images = _all_images(session.project, standing, {})
            return Outcome(account=_make_account(session, plan, images, Progress(), session.clock() - started))
        preload()  # takes a while, as the engine's answer does
        capabilities = probing.result()
    with working_alone(session.project.folder, session.words, session.console.say):
        return _build_changed(session, ready, standing, options, capabilities, started)


def check_build(session: Session, plan: Plan, options: Options) -> None:
    """Raise UsageError for what makes no sense and CheckError for what cannot go well; say what is odd."""
    image = plan.request.image
    if plan.request.push and not (plan.registry or "/" in (image or "")):
        raise UsageError("--push", "there is no registry", "set project.registry in bake.toml or BAKE_REGISTRY")
    if plan.request.mirrors and not plan.request.push:
        raise UsageError("--to", "is about pushing", "add --push")
    if options.sbom and not plan.request.push:
        raise UsageError("--sbom", "is attached to what is pushed", "add --push; `bake sbom` prints one")
    if not options.tag and not plan.request.push:
        raise UsageError("--no-tags", "is about pushing", "add --push")
    if image and len(plan.targets) != 1:
        raise UsageError("--image", f"names one image, and {len(plan.targets)} are asked for", "name one target")
    services = {i.service for i in plan.chosen()}
    findings = [f for f in check(session.project, plan) if not f.services or services.intersection(f.services)]
    if findings:
        show_findings(session.console, findings)
    if wrong := errors(findings):
        what = "1 error stops the build" if len(wrong) == 1 else f"{len(wrong)} errors stop the build"
        raise CheckError("check", what, "see above")


def _find_standing(session: Session, ready: Ready, options: Options) -> Standing:
    """The images that are up to date; none when the user wants more of the build than images in the engine."""
    plan, names = ready.plan, ready.names
    if plan.request.push or options.overrides:
        return Standing(plan=plan, names=names)
    more = (not options.cache, options.pull, options.rebuild, ready.cache.exports)
    return load_standing(session.project, plan, names, ready.inputs, session.environment, force=any(more))


def _build_changed(
    session: Session, ready: Ready, standing: Standing, options: Options, capabilities: Capabilities, started: float
) -> Outcome:
    """Build what is not up to date, then tell of it. started: by the monotonic clock."""
    registry = load_registry(session.environment)
    plan = dataclasses.replace(ready.plan, targets=standing.changed or standing.gone)
    ready = adapt_to_engine(session, dataclasses.replace(ready, plan=plan), capabilities, registry)
    plan = ready.plan
    check_engine(capabilities, plan.platforms, push=plan.request.push, emulated=emulated_work(session.project.config))
    before, start = load_last_release(session), ready.inputs()
    if options.cache:
        take_states(session, ready, options)
    if plan.request.push:
        made = _build_and_push(session, ready, options, capabilities, registry)
    else:
        made = _build_and_load(session, ready, standing, options, capabilities)
    give_states(session, ready, options, made.built.progress)
    write_record_of(session.project, made.plan, start, made.built)
    tell_growth(session, ready.cache, options.builder, registry)
    progress = made.built.progress
    account = _make_account(session, made.plan, made.images, progress, session.clock() - started)
    keep_account(session.project, account)
    return Outcome(account=account, progress=progress, release=made.release, before=before)


def adapt_to_engine(session: Session, ready: Ready, capabilities: Capabilities, registry: Registry) -> Ready:
    """What the engine can keep, with the cache that there is and can be written."""
    plan, project = limit_to_native(session, ready.plan, capabilities), session.project
    if plan is not ready.plan:
        files, cache = functools.cache(lambda: render(project, plan)), plan_cache(project, plan)
        inputs = inputs_of(session, plan, files)
        ready = dataclasses.replace(ready, plan=plan, cache=cache, files=files, inputs=inputs)
    if ready.cache.note:
        session.console.say(ready.cache.note)
    cache = settle(ready.cache, capabilities, registry, session.console.warn, platforms=plan.platforms)
    return dataclasses.replace(ready, cache=cache)


def limit_to_native(session: Session, plan: Plan, capabilities: Capabilities) -> Plan:
    """The plan for the engine's own platform alone, where the engine can keep no more and nobody asked for more."""
    why = capabilities.features["load several platforms"]
    native = capabilities.native
    asked = plan.request.push or plan.request.platforms
    if not why or not capabilities.server or asked or len(plan.platforms) < 2 or native not in plan.platforms:
        return plan
    session.console.warn(f"{why}: building {native} only; see `bake builder status`")
    return make_plan(session.project, dataclasses.replace(plan.request, targets=plan.targets, platforms=(native,)))


def _build_and_push(
    session: Session, ready: Ready, options: Options, capabilities: Capabilities, registry: Registry
) -> _Made:
    pushed = push_plan(session, ready, options, capabilities, registry)
    plan = dataclasses.replace(ready.plan, targets=pushed.targets)
    images = tuple(
        dataclasses.replace(
            built_image(
                plan,
                i.image,
                pushed.built,
                references=pushed.references[i.image],
                weight=_pushed_weight(session.project, plan, i),
            ),
            digest=i.digest,
        )
        for i in pushed.release.images
    )
    return _Made(plan=plan, built=pushed.built, images=images, release=pushed.release)


def _build_and_load(
    session: Session, ready: Ready, standing: Standing, options: Options, capabilities: Capabilities
) -> _Made:
    """Build into the local engine, and then what turns out to be gone from there."""
    made = [standing.names[target] for target in standing.made]
    standing = dataclasses.replace(standing, asked=ask_engine(made))  # another run may have moved names meanwhile
    # Without an output of its own, an image that another driver than docker's made stays in its builder.
    outputs = dict.fromkeys(ready.names, f"type=docker,{EXPORTER}") if capabilities.driver != "docker" else {}
    write_plan(session, ready, outputs)
    plan, cache = ready.plan, ready.cache
    built = run_plan(session, plan, cache, options)
    if gone := tuple(t for t in standing.gone if t not in plan.targets):
        late = run_plan(session, dataclasses.replace(plan, targets=gone), cache, options)
        plan, built = dataclasses.replace(plan, targets=(*plan.targets, *gone)), joined([built, late])
    return _Made(
        plan=plan,
        built=built,
        images=_all_images(session.project, standing, _loaded_images(session, standing, plan, built)),
    )


def _loaded_images(session: Session, standing: Standing, plan: Plan, built: Built) -> Mapping[str, BuiltImage]:
    """Target -> what was built. The engine's word on it is kept for the next time."""
    names = {t: standing.names[t].references for t in standing.plan.targets if t in built.metadata}
    kept: Mapping[str, Kept] = {}
    with suppress(EngineError):
        kept = kept_images([name for each in names.values() for name in each])
    with suppress(OSError):
        learn(session.project, standing, plan.platforms, built, kept)
    return {
        t: built_image(
            plan, t, built, references=each, weight=_kept_weight(session.project, plan, t, kept.get(each[0]))
        )
        for t, each in names.items()
    }


def _kept_weight(project: Project, plan: Plan, target: str, kept: Kept | None) -> Weight:
    return weigh(project, plan, target, kept.platform, kept.bytes) if kept else Weight()


def _pushed_weight(project: Project, plan: Plan, image: ReleasedImage) -> Weight:
    """That of the largest platform."""
    most = max(image.platforms, key=lambda p: p.bytes, default=None)
    return weigh(project, plan, image.image, most.platform, most.bytes) if most else Weight()


def _all_images(project: Project, standing: Standing, built: Mapping[str, BuiltImage]) -> tuple[BuiltImage, ...]:
    """The images that were asked for: what was built, and what was up to date."""
    return tuple(built.get(t) or _current_image(project, standing, t) for t in standing.plan.targets)


def _current_image(project: Project, standing: Standing, target: str) -> BuiltImage:
    made, plan = standing.made[target], standing.plan
    nothing = Built(metadata={}, progress=Progress())
    weight = _kept_weight(project, plan, target, standing.current[target])
    image = built_image(plan, target, nothing, references=standing.names[target].references, weight=weight)
    return dataclasses.replace(image, platforms=made.platforms, digest=made.digest)


def _make_account(
    session: Session, plan: Plan, images: Sequence[BuiltImage], progress: Progress, seconds: float
) -> Account:
    return Account(
        project=plan.project,
        platforms=plan.platforms,
        seconds=round(seconds, 1),
        images=tuple(images),
        revision=session.head.revision,
        branch=session.head.branch,
        pushed=plan.request.push,
        steps=ran_steps(plan, progress),
        path=waited_for(plan, progress),
        before=load_before(session.project.folder),
        warnings=warnings_of(session.console.noted, progress),
    )
