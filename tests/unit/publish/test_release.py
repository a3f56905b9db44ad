"""The manifest of a push: what is written is what is read, and what is wrong is said."""

import json
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from bake.commands import command_parser
from bake.console import Console
from bake.errors import ReleaseError
from bake.publish import Release, load_release, write_release
from bake.publish.release import ReleasedImage, ReleasedPlatform, parse_release, render_release
from bake.session import Session

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
RELEASE = Release(
    project="acme",
    revision="c0ffee" * 6 + "abcd",
    branch="main",
    created=1700000000,
    images=(
        ReleasedImage(
            image="api",
            repository="127.0.0.1:5000/acme/acme-api",
            digest=A,
            platforms=(ReleasedPlatform(platform="linux/amd64", digest=B, bytes=12),),
            bytes=12,
            tags=("main", "v1.0"),
            previous={"main": C, "v1.0": ""},
        ),
    ),
)

EXAMPLE = Path(__file__).parents[3] / "examples" / "apphub"


@pytest.mark.parametrize("name", ["release.json", "release.toml"])
def test_a_manifest_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    file = tmp_path / "made on the way" / name
    write_release(file, RELEASE)

    assert load_release(file) == RELEASE


def test_json_and_toml_say_the_same() -> None:
    assert json.loads(render_release(RELEASE)) == tomllib.loads(render_release(RELEASE, suffix=".toml"))


def test_what_is_not_known_is_left_out() -> None:
    assert json.loads(render_release(Release(project="acme"))) == {"project": "acme", "format": 1, "images": []}


def test_an_image_is_found_by_its_target_and_referred_to_by_digest() -> None:
    api = RELEASE.image("api")
    assert api is not None
    assert api.reference == f"127.0.0.1:5000/acme/acme-api@{A}"
    assert RELEASE.image("web") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "r.json: cannot be read (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)); "
              "name a manifest that a push wrote"),
        ("[]", "r.json: is no manifest of a push: no table; name one that a push wrote"),
        ("{}", "r.json: is no manifest of a push: project: missing; name one that a push wrote"),
        ('{"project": "a", "format": 2}', "r.json: has format 2, not 1; use the bake that wrote it"),
        (
            render_release(RELEASE).replace(A, "latest").replace('"v1.0"', '"v 1"'),
            "r.json: is no manifest of a push: images[0].digest: 'latest' is not sha256:… with 64 hex digits "
            "(and 2 more); name one that a push wrote",
        ),
    ],
)  # fmt: skip
def test_a_manifest_that_no_push_wrote_is_refused(text: str, message: str) -> None:
    with pytest.raises(ReleaseError) as raised:
        parse_release(text, name="r.json")
    assert str(raised.value) == message


def test_a_manifest_has_one_of_two_forms() -> None:
    with pytest.raises(ReleaseError) as raised:
        render_release(RELEASE, suffix=".yaml")
    assert str(raised.value) == ".yaml: is no form of a manifest; end its name in .json or .toml"


@pytest.mark.parametrize("words", ["build --push", "merge x.json", "promote x.json --tag y"])
def test_a_manifests_form_is_known_before_anything_is_pushed(words: str) -> None:
    name, *rest = words.split()
    arguments = command_parser(name).parse_args([*rest, "--release", "release.yaml"])
    session = Session(console=Console(environment={"BAKE_REGISTRY": "127.0.0.1:9/closed"}), directory=EXAMPLE)
    with pytest.raises(ReleaseError) as raised:
        import_module(f"bake.commands.{name}").run(session, arguments)
    assert str(raised.value) == ".yaml: is no form of a manifest; end its name in .json or .toml"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "release.json"
    with pytest.raises(ReleaseError) as raised:
        load_release(file)
    assert str(raised.value) == (
        f"{file}: cannot be read (No such file or directory); name a manifest that a push wrote"
    )


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReleaseError, match=r"release\.json: cannot be written"):
        write_release(tmp_path / "file" / "release.json", RELEASE)
