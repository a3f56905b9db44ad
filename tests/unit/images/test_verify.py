"""Comparing what images hold."""

from typing import cast

import pytest

from bake.engine import Containers, Launch
from bake.errors import EngineError
from bake.images import Content, Tally, compare_trees, open_monolith
from bake.images.verify import FileFinding
from bake.plan import Request, make_plan, name_images
from bake.project import Project

P = "services/x"


def content(name: str, **files: str) -> Content:
    return Content(name=name, packages=(P,), files={f"{P}/{n}.js": digest for n, digest in files.items()})


def only(*images: Content, old: Content | None = None) -> Tally:
    (tally,) = compare_trees(images, old, {P: lambda path: not path.startswith("test")})
    return tally


def finding(kind: str, name: str, *images: str) -> FileFinding:
    return FileFinding(kind=kind, package=P, path=f"{P}/{name}.js", images=images)  # type: ignore[arg-type]


def test_the_same_files_everywhere_are_identical() -> None:
    tally = only(content("api", a="1", b="2"), content("worker", a="1", b="2"), old=content("old", a="1", b="2"))
    assert (tally.images, tally.files, tally.identical, tally.findings) == (2, 2, 2, ())


def test_a_file_that_one_image_lacks_is_missing_there() -> None:
    tally = only(content("api", a="1", b="2"), content("worker", a="1"))
    assert (tally.identical, tally.findings) == (1, (finding("missing", "b", "worker"),))


def test_the_rare_content_is_the_differing_one() -> None:
    tally = only(content("api", a="1"), content("worker", a="2"), content("job", a="1"))
    assert tally.findings == (finding("differing", "a", "worker"),)


def test_at_a_tie_the_old_image_is_right() -> None:
    assert only(content("api", a="9"), old=content("old", a="1")).findings == (finding("differing", "a", "api"),)


def test_an_old_image_that_stands_alone_is_the_differing_one() -> None:
    tally = only(content("api", a="1"), content("worker", a="1"), old=content("old", a="2"))
    assert tally.findings == (finding("differing", "a", "old"),)


def test_a_file_of_the_old_image_that_no_image_has_is_lost() -> None:
    tally = only(content("api", a="1"), content("worker", a="1"), old=content("old", a="1", b="2"))
    assert tally.findings == (finding("lost", "b", "old"),)


def test_a_file_that_images_leave_out_on_purpose_is_no_loss() -> None:
    assert only(content("api", a="1"), old=content("old", a="1", tests="2")).findings == ()


def test_a_file_that_only_new_images_have_is_gained_and_still_identical() -> None:
    tally = only(content("api", a="1", b="2"), old=content("old", a="1"))
    assert (tally.identical, tally.findings) == (2, (finding("gained", "b", "api"),))


def test_a_package_that_the_old_image_does_not_hold_is_compared_among_the_new() -> None:
    tally = only(content("api", a="1"), content("worker", a="1"), old=content("old"))
    assert (tally.identical, tally.findings) == (1, ())


def test_an_image_whose_package_is_empty_lacks_every_file() -> None:
    tally = only(content("api", a="1", b="2"), content("worker"))
    assert [f.images for f in tally.findings] == [("worker",), ("worker",)]


def test_packages_are_told_apart() -> None:
    images = (
        Content(
            name="a", packages=("libraries/l", "services/a"), files={"libraries/l/i.js": "1", "services/a/i.js": "2"}
        ),
        Content(
            name="b", packages=("libraries/l", "services/b"), files={"libraries/l/i.js": "1", "services/b/i.js": "3"}
        ),
    )
    tallies = compare_trees(images, None, {})
    assert [(t.package, t.images, t.identical) for t in tallies] == [
        ("libraries/l", 2, 1),
        ("services/a", 1, 1),
        ("services/b", 1, 1),
    ]


class Shelves:
    """An engine that makes containers of the images it is told of: a name in the engine, or one to pull."""

    platform = "linux/arm64"

    def __init__(self, *has: tuple[str, str]) -> None:
        self.has = has
        self.asked: list[tuple[str, str]] = []

    def create(self, launch: Launch) -> "Shelves":
        name = launch.references[0] if launch.references else f"pull {launch.pull}"
        self.asked.append((name, launch.platform))
        if self.asked[-1] not in self.has:
            raise EngineError(name, "is not there", launch.remedy)
        return self

    @property
    def configured(self) -> None:
        return None


def look_for_monolith(project: Project, engine: Shelves) -> None:
    plan = make_plan(project, Request(registry="r.io/a", platforms=("linux/amd64", "linux/arm64"), tags=("1",)))
    open_monolith(plan, name_images(project, plan), cast("Containers", engine), against=None, pushed=True)


def test_the_monolith_is_looked_for_in_the_registry_then_in_the_engine(example_project: Project) -> None:
    engine = Shelves(("apphub:1", "linux/amd64"))
    look_for_monolith(example_project, engine)
    assert engine.asked == [
        ("pull r.io/a/apphub:1", "linux/arm64"),
        ("pull r.io/a/apphub:1", "linux/amd64"),
        ("apphub:1", "linux/arm64"),
        ("apphub:1", "linux/amd64"),
    ]


def test_a_monolith_that_is_nowhere_is_to_be_built(example_project: Project) -> None:
    with pytest.raises(EngineError) as caught:
        look_for_monolith(example_project, Shelves())
    what = "apphub:1: is not there; build it first: `bake monolith --platform linux/amd64`"
    assert str(caught.value) == what
