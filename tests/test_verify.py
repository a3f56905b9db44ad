"""Comparing what images hold."""

from bake.verify import Content, Finding, Tally, compare

P = "services/x"


def content(name: str, **files: str) -> Content:
    return Content(name=name, packages=(P,), files={f"{P}/{n}.js": digest for n, digest in files.items()})


def only(*images: Content, old: Content | None = None) -> Tally:
    (tally,) = compare(images, old, {P: lambda path: not path.startswith("test")})
    return tally


def finding(kind: str, name: str, *images: str) -> Finding:
    return Finding(kind=kind, package=P, path=f"{P}/{name}.js", images=images)  # type: ignore[arg-type]


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
    tallies = compare(images, None, {})
    assert [(t.package, t.images, t.identical) for t in tallies] == [
        ("libraries/l", 2, 1),
        ("services/a", 1, 1),
        ("services/b", 1, 1),
    ]
