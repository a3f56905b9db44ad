"""Tags from patterns: what is known is filled in, what is not leaves its tag out, and every tag is legal."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bake.config import is_tag
from bake.errors import UsageError
from bake.plan.names import has_field, make_tags, slug

VALUES = {"sha": "c0ffee123456", "branch": "feature/log-in", "version": "1.2.0+build.5", "pr": "", "content": "ab12"}


def test_every_field_is_filled_in_and_made_legal() -> None:
    patterns = ("{sha}", "{branch}", "v{version}", "{branch}-{content}")
    assert make_tags(patterns, VALUES) == (
        "c0ffee123456",
        "feature-log-in",
        "v1.2.0-build.5",
        "feature-log-in-ab12",
    )


def test_a_pattern_without_its_value_gives_no_tag() -> None:
    assert make_tags(("pr-{pr}", "{sha}"), VALUES) == ("c0ffee123456",)


def test_a_tag_is_made_once() -> None:
    assert make_tags(("{branch}", "feature-log-in"), VALUES) == ("feature-log-in",)


def test_images_are_tagged_dev_when_nothing_is_known() -> None:
    assert make_tags(("{sha}", "{branch}"), {}) == ("dev",)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(UsageError) as raised:
        make_tags(("{commit}",), VALUES)
    assert str(raised.value) == "--tag: {commit} is not known; use one of sha, branch, version, pr, content"


def test_long_branches_that_begin_alike_have_different_tags() -> None:
    one, other = slug("x" * 140 + "1"), slug("x" * 140 + "2")
    assert one != other
    assert len(one) == 128


def test_a_branch_without_a_legal_character_has_a_tag_of_its_own() -> None:
    assert slug("日本") != slug("中国")
    assert re.fullmatch("[0-9a-f]{12}", slug("日本"))


@given(st.text(min_size=1))
def test_every_branch_gives_a_legal_tag(branch: str) -> None:
    assert is_tag(slug(branch))


def test_a_pattern_names_its_fields() -> None:
    assert has_field("{branch}-{content}", "content")
    assert not has_field("content", "content")


@pytest.mark.parametrize(("tag", "odd"), [("a b/c", "' '"), ("x:y", "':'"), ("{sha}@{", "'@'"), ("a\n", "'\\n'")])
def test_a_tag_that_no_registry_takes_is_refused_and_not_changed(tag: str, odd: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_tags((tag,), VALUES)
    assert str(caught.value) == f"--tag: {tag!r} has {odd} in it; use letters, digits, `_`, `.` and `-`"
