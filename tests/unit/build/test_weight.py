"""What an image weighs above its base, where bake.lock says what that weighs, and nothing where it does not."""

from dataclasses import replace

import pytest

from bake.build.account import Weight, weigh
from bake.config import parse_reference
from bake.lockfile import BakeLock, LockedImage
from bake.plan import Plan, Request, make_plan
from bake.project import Project

DIGEST, OTHER = (f"sha256:{digit * 64}" for digit in "ab")
SIZES = {"linux/amd64": 70, "linux/arm64": 80}


def locked(
    project: Project, *, weighed: str | None = DIGEST, compression: str = "gzip", push: bool = False
) -> tuple[Project, Plan]:
    base = str(parse_reference(project.config.base.runtime))
    image = LockedImage(digest=DIGEST, platforms=tuple(SIZES), sizes=SIZES, weighed=weighed)
    layers = replace(project.config.layers, compression=compression)  # type: ignore[arg-type]
    config = replace(project.config, layers=layers)
    known = replace(project, bake_lock=BakeLock(images={base: image}), config=config)
    return known, make_plan(known, Request(push=push))


@pytest.mark.parametrize(("platform", "above"), [("linux/amd64", 30), ("linux/arm64", 20), ("linux/s390x", None)])
def test_what_is_above_the_base_is_told_by_platform(example_project: Project, platform: str, above: int | None) -> None:
    assert weigh(*locked(example_project), "metastore", platform, 100) == Weight(bytes=100, above=above)


def test_sizes_of_a_digest_that_was_moved_on_tell_nothing(example_project: Project) -> None:
    for weighed in (OTHER, None):
        assert weigh(*locked(example_project, weighed=weighed), "metastore", "linux/amd64", 100).above is None


def test_a_base_that_a_push_packs_anew_tells_nothing(example_project: Project) -> None:
    assert weigh(*locked(example_project, compression="zstd"), "metastore", "linux/amd64", 100).above == 30
    repacked = locked(example_project, compression="zstd", push=True)
    assert weigh(*repacked, "metastore", "linux/amd64", 100) == Weight(bytes=100)


def test_no_weight_and_no_image_of_a_package_tell_nothing(example_project: Project) -> None:
    known = locked(example_project)
    assert weigh(*known, "metastore", "linux/amd64", None) == Weight()
    assert weigh(*known, "monolith", "linux/amd64", 100) == Weight(bytes=100)
    assert weigh(*known, "metastore", "linux/amd64", 60) == Weight(bytes=60)
