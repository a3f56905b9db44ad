"""What a process looked for in vain, and what of it an image with all files would have."""

import pytest

from bake.images import TracedPackage
from bake.images.misses import Miss, lost, parse_misses


def traced(place: str, *left: str) -> TracedPackage:
    return TracedPackage(place=place, label=f"{place}@1.0.0", why="", whole=(2, 2), kept=(1, 1), left=left)


PACKAGES = (
    traced("services/api", "dist/late.js", "dist/parts/one.js"),
    traced("node_modules/whole", "**"),
    traced("node_modules/@s/some", "lib/x.js", "data/a.json"),
    traced("node_modules/host/node_modules/inner", "**"),
)


@pytest.mark.parametrize(
    ("miss", "kept"),
    [
        (Miss(name="whole", by="/app/services/api/dist/main.js"), "whole"),
        (Miss(name="whole/sub", by="/app/services/api/dist/main.js"), "whole"),
        (Miss(name="@s/some/lib/x", by="/app/services/api/dist/main.js"), "node_modules/@s/some/lib/x.js"),
        (Miss(name="./late", by="/app/services/api/dist/main.js"), "services/api/dist/late.js"),
        (Miss(path="/app/services/api/dist/parts"), "services/api/dist/parts/**"),
        (Miss(path="/app/node_modules/@s/some/data/a.json"), "node_modules/@s/some/data/a.json"),
        (Miss(path="/app/node_modules/whole/package.json"), "whole"),
        (Miss(name="inner", by="/app/node_modules/host/a.js"), "inner"),
    ],
)
def test_what_the_trace_left_out_is_named_as_keep_takes_it(miss: Miss, kept: str) -> None:
    assert list(lost([miss], PACKAGES)) == [(miss, kept)]


@pytest.mark.parametrize(
    "miss",
    [
        Miss(name="inner", by="/app/services/api/dist/main.js"),
        Miss(name="unknown", by="/app/services/api/dist/main.js"),
        Miss(path="/app/services/api/.env"),
        Miss(path="/app/node_modules/whole/never/there.json"),
        Miss(name="./nowhere", by="/app/services/api/dist/main.js"),
    ],
)
def test_what_no_image_has_is_no_loss(miss: Miss) -> None:
    assert list(lost([miss], PACKAGES)) == []


def test_lines_about_misses_are_taken_out_of_a_log() -> None:
    log = 'ready\nbake-miss {"path":"/app/a"}\nbake-miss {"name":"x","from":"/app/b.js"}\nend\n'
    log = 'bake-miss {"path": bake-miss {"x": 1}\nbake-miss {1}\n' + log
    assert parse_misses(log) == ((Miss(path="/app/a"), Miss(name="x", by="/app/b.js")), "ready\nend\n")
