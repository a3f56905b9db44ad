"""Advisories: asked of a registry in the registry's own protocol, matched with what images hold."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bake.components import Audit, AuditFinding, ImageContents, at_least, audit_fleet, image_contents, to_vex
from bake.plan import Plan
from bake.project import Project
from bake.registry import Advisory

ROOT = Path(__file__).parents[3]

MADE_UP = {
    "esbuild": [
        {
            "id": 1,
            "url": "https://github.com/advisories/GHSA-aaaa-bbbb-cccc",
            "title": "made up",
            "severity": "high",
            "vulnerable_versions": "<99.0.0",
        }
    ],
    "vite": [
        {
            "id": 2,
            "url": "https://github.com/advisories/GHSA-dddd-eeee-ffff",
            "title": "made up too",
            "severity": "critical",
            "vulnerable_versions": ">=0",
        }
    ],
    "fastify": [{"id": 3, "url": "", "title": "old", "severity": "low", "vulnerable_versions": "<0.1.0"}],
}


@contextmanager
def advisories(status: int = 200) -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """A registry's bulk endpoint; gives its URL and what it was asked."""
    asked: list[dict[str, list[str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(json.loads(content))
            right = self.path == "/-/npm/v1/security/advisories/bulk"
            body = json.dumps({n: MADE_UP[n] for n in MADE_UP if n in asked[-1]}).encode()
            self.send_response(status if right else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def bake(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bake", "audit", *words],
        cwd=ROOT / "examples" / "apphub",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_reaches_an_image_is_named_with_who_brings_it_and_fails_from_a_level_on() -> None:
    with advisories() as (url, asked):
        done = bake("--registry", url)
    assert done.returncode == 1
    head, row = done.stdout.splitlines()
    assert head.split() == ["SEVERITY", "PACKAGE", "FIXED", "IMAGE", "BECAUSE", "ADVISORY"]
    assert row.startswith("high      esbuild@")
    assert "99.0.0  catalog-api and 4 more  @apphub/catalog > tsx > esbuild  https://" in row
    told, error = done.stderr.splitlines()
    assert told.startswith("2 known weaknesses in the lockfile, 1 in images: catalog-api, catalog-build-worker, ")
    assert error.endswith(": high or worse; update, or audit.accept")
    assert all(isinstance(versions, list) for versions in asked[0].values())


def test_what_is_below_the_level_is_told_and_does_not_fail() -> None:
    with advisories() as (url, _):
        assert bake("--registry", url, "--level", "critical").returncode == 0


def test_images_without_the_package_are_not_named() -> None:
    with advisories() as (url, _):
        done = bake("metastore", "--registry", url)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "2 known weaknesses in the lockfile, 0 in images\n"


def test_a_registry_without_the_endpoint_is_one_clear_line() -> None:
    with advisories(status=404) as (url, _):
        done = bake("--registry", url)
    assert done.returncode == 5
    assert done.stderr == f"bake: error: advisories: {url} serves none; ask another one with `--registry URL`\n"


ADVISORY = Advisory(id=1, name="a", url="https://x/GHSA-1", title="t", severity="high", vulnerable=">=1.0.0 <1.2.3")


def finding(**changes: Any) -> AuditFinding:
    return AuditFinding(
        advisory=dataclasses.replace(ADVISORY, **changes), version="1.0.0", images={"api": ("shop", "a")}
    )


@pytest.mark.parametrize(
    ("vulnerable", "fixed"),
    [(">=1.0.0 <1.2.3", "1.2.3"), ("<1.0.0 || >=2.0.0 <2.1.0", "2.1.0"), ("<=1.2.3", ""), ("*", "")],
)
def test_the_fixed_version_is_where_the_vulnerable_range_ends(vulnerable: str, fixed: str) -> None:
    assert finding(vulnerable=vulnerable).fixed == fixed


def test_an_unknown_severity_counts_as_the_worst() -> None:
    audit = Audit(inside=(finding(severity="dire"), finding(severity="moderate")), outside=())
    assert [f.advisory.severity for f in at_least(audit, "critical")] == ["dire"]


def test_vex_says_of_development_packages_that_no_image_has_them() -> None:
    outside = dataclasses.replace(finding(name="@a/b"), images={})
    document = json.loads(to_vex(Audit(inside=(finding(),), outside=(outside,)), "shop"))
    assert [(s["products"][0]["@id"], s["status"]) for s in document["statements"]] == [
        ("pkg:npm/a@1.0.0", "under_investigation"),
        ("pkg:npm/%40a/b@1.0.0", "not_affected"),
    ]
    assert document["statements"][1]["justification"] == "component_not_present"


def test_a_package_of_the_workspace_is_no_strangers_package_of_that_name(
    example_project: Project, example_plan: Plan
) -> None:
    lock = example_project.workspace.lock
    contents: ImageContents = image_contents(example_plan, lock, example_plan.image("metastore"), "linux/amd64")
    advisory = dataclasses.replace(ADVISORY, name="@apphub/metastore", vulnerable="*")
    assert audit_fleet(lock, (contents,), (advisory,)) == Audit(inside=(), outside=())
