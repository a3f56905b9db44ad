"""What is wrong with a file, with its name and the place in it."""

import os
from pathlib import Path
from typing import Any

import pytest

from bake.errors import WorkspaceError
from bake.files import ANY, Shape, check_shape, parse_json, parse_object, parse_toml, parse_yaml, read_text


def complaint(call: Any, *arguments: Any) -> str:
    with pytest.raises(WorkspaceError) as caught:
        call(*arguments)
    assert caught.value.status == 3
    return str(caught.value)


def test_bytes_that_are_not_utf_8_are_told_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_bytes(b'{\n"name": "\xff"}')
    assert complaint(read_text, tmp_path, "package.json") == (
        "package.json:2: byte 0xff is not UTF-8; save it as UTF-8"
    )


def test_a_mark_at_the_start_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_bytes(b"\xef\xbb\xbf{}")
    assert read_text(tmp_path, "package.json") == "{}"


def test_what_is_no_file_is_not_there(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert [read_text(tmp_path, name) for name in ("pipe", "folder", "none")] == [None, None, None]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{\n]", "p.json:2: not JSON: Expecting property name enclosed in double quotes; correct the file"),
        ("[" * 100_000, "p.json: its JSON is nested too deeply; correct the file"),
        ("1" * 5_000, "p.json: not JSON (a number has too many digits); correct the file"),
        ('{"a":\n"\\ud800"}', "p.json:2: holds half of a character (\\ud800); correct the file"),
    ],
)
def test_what_is_no_json_is_told_in_one_line(text: str, words: str) -> None:
    assert complaint(parse_json, text, "p.json") == words


def test_pairs_of_surrogates_are_characters() -> None:
    assert parse_json('"\\ud83d\\ude00"', "p.json") == "\U0001f600"


def test_an_object_is_wanted() -> None:
    assert complaint(parse_object, "[]", "p.json") == "p.json: holds no JSON object; correct the file"


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "1" * 5_000, "a ="])
def test_what_is_no_toml_is_told_in_one_line(text: str) -> None:
    assert complaint(parse_toml, text, "x.toml").startswith("x.toml: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "p.yaml: its YAML is nested too deeply; correct the file"),
        ("- " * 100_000 + "x", "p.yaml: its YAML is nested too deeply; correct the file"),
        ("a: [", "p.yaml:2: not YAML; settle its merge conflicts or correct it"),
        ("\na: \x00", "p.yaml:2: not YAML; settle its merge conflicts or correct it"),
        ("? [a]\n: b", "p.yaml:1: not YAML; settle its merge conflicts or correct it"),
        ("a: &a [*a]", "p.yaml:1: not YAML; settle its merge conflicts or correct it"),
        (
            "a: &a [1]\n"
            + "".join(f"b{i}: &b{i} [{', '.join([f'*b{i - 1}' if i else '*a'] * 9)}]\n" for i in range(9)),
            "p.yaml: its aliases make it endless; write out what they stand for",
        ),
    ],
)
def test_what_is_no_yaml_is_told_in_one_line(text: str, words: str) -> None:
    assert complaint(parse_yaml, text, "p.yaml") == words


def test_an_alias_of_a_workspace_is_followed() -> None:
    assert parse_yaml("a: &a [x]\nb: *a", "p.yaml") == {"a": ["x"], "b": ["x"]}


SHAPE: Shape = {"name": str, "scripts": {ANY: str}, "os": [str], "bin": (str, {ANY: str})}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"name": 1}, "p.json: name: expected a string, got a number"),
        ({"scripts": {"build": None}}, "p.json: scripts.build: expected a string, got null"),
        ({"scripts": {"build:all": True}}, 'p.json: scripts."build:all": expected a string, got true or false'),
        ({"os": "linux"}, "p.json: os: expected a list, got a string"),
        ({"os": ["linux", {}]}, "p.json: os[1]: expected a string, got an object"),
        ({"bin": []}, "p.json: bin: expected a string, got a list"),
        ({"bin": {"a": 1}}, "p.json: bin.a: expected a string, got a number"),
        ([], "p.json: expected an object, got a list"),
    ],
)
def test_a_wrong_type_is_told_with_its_key(value: Any, words: str) -> None:
    assert complaint(check_shape, value, SHAPE, "p.json") == f"{words}; correct the file"


def test_keys_that_bake_does_not_read_are_their_owners_business() -> None:
    check_shape({"name": "x", "jest": 1, "bin": "x.js"}, SHAPE, "p.json")
