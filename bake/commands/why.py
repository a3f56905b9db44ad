"""Tell why an image is built again, and the first step that ran; or why a file or package is in it, or is not."""

import argparse
import contextlib
import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bake.commands.arguments import selected
from bake.display import step_title
from bake.engine import Step
from bake.errors import EngineError
from bake.inputs import (
    FirstStep,
    Handed,
    LastBuild,
    Presence,
    Reason,
    before_last,
    handed,
    load_reasons,
    load_record,
    load_undeclared,
    presence,
    way,
)
from bake.plan import TREE, Name, Plan
from bake.session import Session
from bake.table import show
from bake.workspace import shown

if TYPE_CHECKING:
    from bake.engine import Containers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The image and what to compare with."""
    parser.add_argument("name", metavar="IMAGE", help="an image, or a service")
    parser.add_argument("what", nargs="?", metavar="PATH|PACKAGE", help="tell why this is in the image, or why not")
    parser.add_argument("--since", metavar="REV", help="a commit, branch or tag (default: the last build here)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="form of the result on stdout")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the reasons of each image that is meant."""
    plan = session.plan(selected([arguments.name], None))
    if arguments.what:
        return _tell_presence(session, plan, arguments.what, arguments.format)
    reasons = load_reasons(session.project, plan, session.tree, arguments.since)
    record = {} if arguments.since else load_record(session.project.folder)
    same = {t: record[t] for t in plan.targets if t in record and not reasons.get(t)}
    because = before_last(session.project, plan, {t: last for t, last in same.items() if last.before or last.step})
    undeclared = load_undeclared(session.project.folder)
    given = {i.target: handed(plan, i, undeclared) for i in plan.images if i.target in record}
    answers = [
        dataclasses.replace(
            _answer(t, reasons.get(t, ()), record.get(t), because.get(t, ())), libraries=given.get(t, ())
        )
        for t in plan.targets
    ]
    show(arguments.format, answers, "\n\n".join(_text(plan, a, arguments.since) for a in answers))
    return 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Why an image changes. step: of its last build, what ran first; because: why, where nothing changed since.

    libraries: what the builds that it is made of got of others.
    """

    image: str
    reasons: tuple[Reason, ...]
    built: bool = False
    step: FirstStep | None = None
    because: tuple[Reason, ...] = ()
    libraries: tuple[Handed, ...] = ()


def _answer(target: str, reasons: tuple[Reason, ...], last: LastBuild | None, because: tuple[Reason, ...]) -> Answer:
    if last is None:
        return Answer(image=target, reasons=reasons)
    return Answer(image=target, reasons=reasons, built=True, step=last.step, because=because)


def _text(plan: Plan, answer: Answer, since: str | None) -> str:
    head = f"{'changed' if answer.reasons else 'nothing has changed'} since {since or 'its last build'}"
    lines = [f"{answer.image}: {head}", *map(_line, answer.reasons)]
    if answer.step:
        lines += [f"  its last build first ran {_titled(plan, answer.step)}", *map(_line, answer.because)]
    elif answer.built:
        lines += ["  its last build took every step from the cache", *map(_line, answer.because)]
    return "\n".join((*lines, *map(_library_line, answer.libraries)))


def _library_line(given: Handed) -> str:
    """What a build got of the libraries that it needs."""
    needs = ", ".join(map(shown, given.needs))
    what = f"all of {needs}: {given.why}" if given.why else f"the declarations of {needs}"
    return f"  {shown(given.package)} was built with {what}"


def _titled(plan: Plan, first: FirstStep) -> str:
    """What `bake build` called the step."""
    step = Step(digest="", name="", stage=first.stage, platform=first.platform, what=first.what)
    return step_title(plan, step)


def _line(reason: Reason) -> str:
    """One reason; its way is shown where it has more than the image's own package."""
    brought = f"  ({way(reason.via)})" if len(reason.via) > 1 else ""
    return f"  {reason.kind}: {reason.what}{brought}"


def _tell_presence(session: Session, plan: Plan, what: str, form: str) -> int:
    """Say whether something is in the images, by the plan and by what is built of it."""
    told = [presence(session.project, plan, image, what) for image in plan.chosen()]
    built = _load_built(session, plan, [each for each in told if each.is_file])
    rows = [{**dataclasses.asdict(each), "built": built.get(each.image)} for each in told]
    show(form, rows, "\n".join(_presence_text(each, built.get(each.image)) for each in told))
    return 0


def _load_built(session: Session, plan: Plan, files: Sequence[Presence]) -> Mapping[str, bool]:
    """Image -> whether it has its file, of those that are in the engine."""
    from bake.engine import containers

    found: dict[str, bool] = {}
    if files:
        names = session.names(plan)
        with contextlib.suppress(EngineError), containers(uuid.uuid4().hex[:12]) as engine:
            for each in files:
                with contextlib.suppress(EngineError):
                    found[each.image] = _is_built(plan, engine, names[each.image], each)
    return found


def _is_built(plan: Plan, engine: "Containers", name: Name, each: Presence) -> bool:
    """Whether an image in the engine has a file. Raises EngineError when there is no such image."""
    from bake.images import open_image

    box = open_image(plan, engine, each.image, name, engine.platform, pushed=False)
    try:
        folder, _, last = f"{TREE}/{each.name}".rpartition("/")
        return any(file == last or file.startswith(f"{last}/") for file in box.files(folder))
    finally:
        box.remove()


def _presence_text(each: Presence, built: bool | None) -> str:
    has = {True: "has", False: "has not", None: "may have"}[each.there]
    because = each.why or way(each.via)
    text = f"{each.image} {has} {each.name}: {because}"
    if built is None or built == each.there:
        return text
    return f"{text}\n  the image that is built here {'has it' if built else 'has not got it'}"
