"""The reference pages of docs/ say what the code says."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bake import commands
from bake.config import config_schema

ROOT = Path(__file__).parents[3]


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_pages", ROOT / "scripts" / "reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES: Mapping[str, str] = load_script().pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_committed_page_is_what_the_code_says(name: str) -> None:
    committed = (ROOT / "docs" / name).read_text("utf-8")
    assert committed == PAGES[name], f"docs/{name} is not current; run scripts/reference"


def test_every_key_of_the_schema_is_in_the_reference() -> None:
    schema: Mapping[str, Any] = config_schema()
    tables = (schema, *schema["$defs"].values())
    keys = {key for table in tables for key in table["properties"]}
    assert len(keys) > 50
    page = PAGES["reference/bake-toml.md"]
    absent = {key for key in keys if f"`{key}`" not in page and f"`[{key}" not in page and f".{key}" not in page}
    assert absent == set()


def test_every_command_has_a_section_and_says_what_each_argument_means() -> None:
    page = PAGES["reference/cli.md"]
    for name in commands.COMMANDS:
        assert f"\n## bake {name}\n" in page
    assert [line for line in page.splitlines() if line.endswith("|  |")] == []
