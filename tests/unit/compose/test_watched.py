"""What is watched for an image: for compose, Skaffold and Tilt the same, and all that the image is made of."""

import ast

import pytest
import yaml

from bake.compose import Watched, render_skaffold, render_tilt, watched
from bake.inputs import load_inputs
from bake.plan import Plan
from bake.project import Project
from bake.render import render


@pytest.fixture(scope="module")
def metastore(example_project: Project, example_plan: Plan) -> Watched:
    return watched(example_project, example_plan, example_plan.image("metastore"))


def test_what_an_image_is_made_of_is_watched(example_project: Project, example_plan: Plan) -> None:
    inputs = load_inputs(example_project, example_plan, render(example_project, example_plan))
    for image in example_plan.images:
        each = watched(example_project, example_plan, image)
        there = (*each.paths, *each.planned)
        modes = ("100644 ", "100755 ", "120000 ")
        digests = inputs[image.target].digests.items()
        files = [name.partition(" ")[2] for name, digest in digests if digest.startswith(modes)]
        assert files
        assert [f for f in files if not any(f == path or f.startswith(f"{path}/") for path in there)] == []


def test_what_other_images_are_made_of_is_not(metastore: Watched) -> None:
    assert "services/metastore" in metastore.paths
    assert not [path for path in metastore.paths if path.startswith("services/") and path != "services/metastore"]
    assert {"**/node_modules", "**/.bake", "**/dist"} <= set(metastore.ignore)
    assert {"bake.toml", "bake.lock", "package-lock.json"} <= set(metastore.planned)


def test_skaffold_gets_a_custom_build_that_names_and_pushes_as_it_asks(metastore: Watched) -> None:
    document = yaml.safe_load(render_skaffold([metastore]))
    assert (document["apiVersion"], document["kind"]) == ("skaffold/v4beta7", "Config")
    (artifact,) = document["build"]["artifacts"]
    assert (artifact["image"], artifact["context"]) == (metastore.name, ".")
    assert artifact["custom"]["buildCommand"] == (
        'bake metastore --image "${IMAGE%:*}" --tag "${IMAGE##*:}" '
        '${PLATFORMS:+--platform "$PLATFORMS"} $([ "$PUSH_IMAGE" = true ] && echo --push)'
    )
    assert artifact["custom"]["dependencies"]["paths"] == [*metastore.paths, *metastore.planned]
    assert "**/node_modules/**" in artifact["custom"]["dependencies"]["ignore"]


def test_tilt_gets_a_call_in_its_own_language(metastore: Watched) -> None:
    (call,) = ast.parse(render_tilt([metastore])).body  # Starlark's literals are Python's
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    assert [ast.literal_eval(word) for word in call.value.args] == [
        metastore.name,
        'bake metastore --image "${EXPECTED_REF%:*}" --tag "${EXPECTED_REF##*:}"',
    ]
    assert {word.arg: ast.literal_eval(word.value) for word in call.value.keywords} == {
        "deps": [*metastore.paths, *metastore.planned],
        "ignore": list(metastore.ignore),
    }
