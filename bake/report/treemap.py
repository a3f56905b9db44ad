"""Weights as a map of boxes: each as large as its weight, none long and thin where that can be helped. Pure."""

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import accumulate


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where something lies, in percent of the map."""

    left: float = 0.0
    top: float = 0.0
    width: float = 100.0
    height: float = 100.0


def boxes(weights: Sequence[float], within: Box = Box(), *, shape: float = 1.0) -> Iterator[Box]:
    """A box for each weight, in their order. shape: the map's width by its height.

    The weights are cut in two halves, and the box across its longer side; so again with each half.
    """
    if len(weights) < 2:
        yield from [within] * len(weights)
        return
    sums, total = list(accumulate(weights)), sum(weights)
    cut = min(range(1, len(weights)), key=lambda at: abs(sums[at - 1] - total / 2))
    for part, box in zip((weights[:cut], weights[cut:]), _cut(within, sums[cut - 1] / total, shape), strict=True):
        yield from boxes(part, box, shape=shape)


def _cut(box: Box, share: float, shape: float) -> tuple[Box, Box]:
    if box.width * shape >= box.height:
        width = box.width * share
        rest = dataclasses.replace(box, left=box.left + width, width=box.width - width)
        return dataclasses.replace(box, width=width), rest
    height = box.height * share
    rest = dataclasses.replace(box, top=box.top + height, height=box.height - height)
    return dataclasses.replace(box, height=height), rest
