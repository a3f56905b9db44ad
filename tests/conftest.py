"""What many tests look at: the example workspace, read once."""

from pathlib import Path

import pytest

from bake.plan import Plan, Request, make_plan
from bake.project import Project, load_project

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def example_project() -> Project:
    """examples/apphub; only to be read."""
    return load_project(ROOT / "examples" / "apphub" / "bake.toml", {})


@pytest.fixture(scope="session")
def example_plan(example_project: Project) -> Plan:
    """Its plan at a made-up commit."""
    return make_plan(example_project, Request(revision="0123456789abcdef", epoch=1_700_000_000))
