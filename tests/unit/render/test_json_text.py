"""JSON as bake writes it."""

from bake.render.json_text import as_json, json_text

SPEC = {"path": "libraries/ä", "files": None, "leaves": ["**/*.ts"]}


def test_a_value_worded_beforehand_stands_as_the_value_itself_would() -> None:
    whole = {"members": {"@x/a": "a"}, "trace": {"members": {"@x/a": "a"}, "libraries": [SPEC, SPEC]}, "own": "a"}
    worded = {
        "members": {"@x/a": "a"},
        "trace": {"members": as_json({"@x/a": "a"}), "libraries": [as_json(SPEC), as_json(SPEC)]},
        "own": "a",
    }
    assert json_text(worded) == json_text(whole)
