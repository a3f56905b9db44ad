"""What many tests look at: the example workspace, read once."""

import os
import signal
from pathlib import Path

import pytest

from bake.plan import Plan, Request, make_plan
from bake.project import Project, load_project

ROOT = Path(__file__).parents[1]

TOOLS = frozenset(
    {
        "test_affected",
        "test_carve",
        "test_carve_builds",
        "test_carve_walk",
        "test_carved",
        "test_cli",
        "test_closure_npm",
        "test_completion",
        "test_content",
        "test_deploy",
        "test_docs",
        "test_eject",
        "test_images",
        "test_init",
        "test_lock",
        "test_manifest",
        "test_matrix",
        "test_npm_registry",
        "test_page",
        "test_patches",
        "test_publish",
        "test_record",
        "test_registry",
        "test_render",
        "test_root_package",
        "test_semver",
        "test_serve",
        "test_transport",
        "test_workflows",
    }
)
"""Modules that run real npm, node, git, buildx or servers: true to life, and seconds instead of milliseconds."""


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
    """Mark the tests of those modules, so that `scripts/test unit` stays a matter of seconds."""
    for item in items:
        if item.path.stem in TOOLS:
            item.add_marker(pytest.mark.tools)


@pytest.fixture(scope="session")
def example_project() -> Project:
    """examples/apphub; only to be read."""
    return load_project(ROOT / "examples" / "apphub" / "bake.toml", {})


@pytest.fixture(scope="session")
def example_plan(example_project: Project) -> Plan:
    """Its plan at a made-up commit."""
    return make_plan(example_project, Request(revision="0123456789abcdef", epoch=1_700_000_000))
