"""Bills of materials: by their own schemas, and beside what npm says of the same lockfile."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from bake.components import Component, ImageContents, image_contents, to_cyclonedx, to_spdx
from bake.plan import Plan
from bake.project import Project

EXAMPLE = Path(__file__).parents[3] / "examples" / "apphub"

ODD = ImageContents(
    project="shop",
    target="api",
    platform="linux/amd64",
    base="node:24-slim",
    components=(
        Component(name="shop", version="", path="", own=True, license="SEE LICENSE IN LICENSE.txt"),
        Component(name="@a/b", version="1.0.0-rc.1+5", path="node_modules/@a/b", license="(MIT OR Apache-2.0)"),
        Component(name="b", version="1.0.0", path="node_modules/b", resolved="git+ssh://git@host/b.git#0123"),
        Component(name="c", version="1.0.0", path="node_modules/c", license="UNLICENSED", hashes={"sha1": "ab" * 20}),
    ),
)
"""What lockfiles say of odd packages: no version, licences that are no SPDX, a git dependency."""


@pytest.fixture(scope="module")
def metastore(example_project: Project, example_plan: Plan) -> ImageContents:
    image = example_plan.image("metastore")
    return image_contents(example_plan, example_project.workspace.lock, image, "linux/amd64")


@pytest.mark.parametrize("contents", [ODD, None], ids=["odd", "metastore"])
def test_cyclonedx_is_valid(contents: ImageContents | None, metastore: ImageContents) -> None:
    text = to_cyclonedx(contents or metastore)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


@pytest.mark.parametrize("contents", [ODD, None], ids=["odd", "metastore"])
def test_spdx_is_valid(contents: ImageContents | None, metastore: ImageContents) -> None:
    document = JsonLikeDictParser().parse(  # type: ignore[no-untyped-call]
        json.loads(to_spdx(contents or metastore))
    )
    assert validate_full_spdx_document(document) == []


@pytest.mark.parametrize("write", [to_cyclonedx, to_spdx])
def test_the_same_contents_give_the_same_text(write: Callable[[ImageContents], str], metastore: ImageContents) -> None:
    assert write(metastore) == write(metastore)


def test_other_contents_have_another_serial_number(metastore: ImageContents) -> None:
    numbers = {json.loads(to_cyclonedx(each))["serialNumber"] for each in (metastore, ODD)}
    assert len(numbers) == 2


def parts(contents: ImageContents) -> dict[str, dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(to_cyclonedx(contents))["components"]
    return {part["name"]: part for part in found}


def test_a_package_of_the_workspace_has_no_name_that_a_stranger_could_have() -> None:
    own, scoped, from_git = (parts(ODD)[name] for name in ("shop", "@a/b", "b"))
    assert "purl" not in own
    assert scoped["purl"] == "pkg:npm/%40a/b@1.0.0-rc.1%2B5"
    assert from_git["purl"].startswith("pkg:npm/b@1.0.0?vcs_url=git")


def test_each_package_says_who_brings_it_and_which_layer_holds_it(metastore: ImageContents) -> None:
    said = {p["name"]: p["value"] for p in parts(metastore)["fastify"]["properties"]}
    assert said["bake:because"] == "@apphub/metastore > fastify"
    assert said["bake:path"] == "node_modules/fastify"
    assert said["bake:layer"]


def test_an_image_holds_what_npm_says_of_its_package_and_what_its_code_names(metastore: ImageContents) -> None:
    words = ("npm", "sbom", "--sbom-format", "cyclonedx", "--omit", "dev", "--package-lock-only")
    done = subprocess.run([*words, "-w", "services/metastore"], cwd=EXAMPLE, capture_output=True, text=True, check=True)
    told = {(c["name"], c["version"]) for c in json.loads(done.stdout)["components"]}
    installed = {(c.name, c.version) for c in metastore.components if not c.own}
    # npm names members by their folder, and knows nothing of what code imports undeclared.
    members = {(name, version) for name, version in told if name in ("metastore", "shared")}
    assert told - members - installed == set()
    assert {name for name, _ in installed - told} == {"yaml"}
