"""Boxes of a map: as large as their weights, beside each other, and not thin."""

import random

import pytest

from bake.report.treemap import Box, boxes


def test_one_weight_has_all_the_room_and_none_has_none() -> None:
    assert list(boxes([3])) == [Box()]
    assert list(boxes([])) == []


def test_halves_lie_across_the_longer_side() -> None:
    assert list(boxes([1, 1], shape=2)) == [Box(width=50), Box(left=50, width=50)]
    assert list(boxes([1, 1], shape=0.5)) == [Box(height=50), Box(top=50, height=50)]


@pytest.mark.parametrize("seed", range(20))
def test_boxes_are_as_large_as_their_weights_and_do_not_overlap(seed: int) -> None:
    chance = random.Random(seed)
    weights = sorted((chance.paretovariate(1) for _ in range(chance.randint(1, 40))), reverse=True)
    made = list(boxes(weights, shape=2.2))
    total = sum(weights)
    for weight, box in zip(weights, made, strict=True):
        assert box.width * box.height / 100 == pytest.approx(100 * weight / total)
        assert box.left >= 0
        assert box.left + box.width <= 100.001
        assert box.top + box.height <= 100.001
    for one in made:
        inside = (one.left + one.width / 2, one.top + one.height / 2)
        holding = [b for b in made if b.left < inside[0] < b.left + b.width and b.top < inside[1] < b.top + b.height]
        assert holding == [one]
