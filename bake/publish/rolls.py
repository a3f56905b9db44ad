"""Which images a deployment by digest restarts, and what did it, for a person, a pull request or a program. Pure."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Literal

from bake.publish.release import Release
from bake.table import table

RollForm = Literal["text", "markdown", "json"]

_SHOWN = 3
"""Inputs that are named for an image in a table."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """One image. before, after: digests, "" where nobody knows one. inputs: those that changed."""

    image: str
    rolls: bool
    before: str = ""
    after: str = ""
    inputs: tuple[str, ...] = ()

    @property
    def because(self) -> str:
        """The inputs in one line."""
        if not self.rolls:
            return ""
        if self.inputs:
            more = len(self.inputs) - _SHOWN
            return "; ".join(self.inputs[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        return "not there before" if self.after and not self.before else ""


def compare_digests(
    before: Mapping[str, str], release: Release, inputs: Mapping[str, tuple[str, ...]]
) -> tuple[Roll, ...]:
    """The images of a push against digests. inputs: image -> those that changed, as far as that is known."""
    return tuple(
        Roll(
            image=i.image,
            rolls=before.get(i.image, "") != i.digest,
            before=before.get(i.image, ""),
            after=i.digest,
            inputs=inputs.get(i.image, ()) if before.get(i.image, "") not in ("", i.digest) else (),
        )
        for i in release.images
    )


def compare_inputs(inputs: Mapping[str, tuple[str, ...]]) -> tuple[Roll, ...]:
    """What rolls once it is pushed. inputs: image -> those that changed; () where none has."""
    return tuple(Roll(image=image, rolls=bool(found), inputs=found) for image, found in inputs.items())


def render_rolls(rolls: Sequence[Roll], form: RollForm) -> str:
    """What rolls, one image after the other."""
    if form == "json":
        return json.dumps([dataclasses.asdict(r) for r in rolls], indent=2) + "\n"
    if form == "markdown":
        return _markdown(rolls)
    return table([{"image": r.image, "rolls": "yes" if r.rolls else "no", "because": r.because} for r in rolls]) + "\n"


def summarise_rolls(rolls: Sequence[Roll]) -> str:
    """How many roll, in one line."""
    rolling = sum(r.rolls for r in rolls)
    return f"{rolling} of {len(rolls)} image{'s' * (len(rolls) != 1)} roll{'s' * (rolling == 1)}"


def _markdown(rolls: Sequence[Roll]) -> str:
    """A table of what rolls; what stays is a number."""
    lines = [f"**{summarise_rolls(rolls)}**", ""]
    if any(r.rolls for r in rolls):
        lines += ["| image | because |", "| --- | --- |"]
        lines += [f"| {r.image} | {_cell(r.because)} |" for r in rolls if r.rolls]
    return "\n".join(lines).rstrip() + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
