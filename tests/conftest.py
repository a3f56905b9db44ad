"""What many tests look at: the example workspace, read once."""

import os
import signal
from pathlib import Path

import pytest

from bake.plan import Plan, Request, make_plan
from bake.project import Project, load_project

ROOT = Path(__file__).parents[1]


def pytest_configure() -> None:
    """Run alike wherever the tests are started.

    What a CI system says of its run would make bake write caches and summaries that no test asked for. What a shell
    starts in its background is deaf to SIGINT, and bake's processes would be so too.
    """
    for name in [n for n in os.environ if n == "CI" or n.startswith(("CI_", "GITHUB_"))]:
        del os.environ[name]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the folder that it lies in: `unit`, `tools` or `engine`."""
    for item in items:
        suite = item.path.relative_to(ROOT / "tests").parts[0]
        if suite in ("tools", "engine"):
            item.add_marker(suite)


@pytest.fixture(scope="session")
def example_project() -> Project:
    """examples/apphub; only to be read."""
    return load_project(ROOT / "examples" / "apphub" / "bake.toml", {})


@pytest.fixture(scope="session")
def example_plan(example_project: Project) -> Plan:
    """Its plan at a made-up commit."""
    return make_plan(example_project, Request(revision="0123456789abcdef"))
