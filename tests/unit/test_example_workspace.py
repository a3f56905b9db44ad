"""The example workspace keeps the traits that bake must cope with; nothing here installs or runs its code."""

import json
import os
import re
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "apphub"
LOCK: Mapping[str, Any] = json.loads((EXAMPLE / "package-lock.json").read_text("utf-8"))
ENTRIES: Mapping[str, Mapping[str, Any]] = LOCK["packages"]
SERVICES = ("catalog", "filestore", "metastore", "timestore")


def manifest(directory: str) -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = json.loads((EXAMPLE / directory / "package.json").read_text("utf-8"))
    return parsed


def declared(directory: str) -> set[str]:
    fields = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
    return {name for field in fields for name in manifest(directory).get(field, {})}


def source_of(directory: str) -> str:
    return "\n".join(file.read_text("utf-8") for file in (EXAMPLE / directory / "src").rglob("*.ts"))


def test_the_lock_is_of_version_3_and_names_no_registry() -> None:
    assert LOCK["lockfileVersion"] == 3
    assert [key for key, entry in ENTRIES.items() if "://" in entry.get("resolved", "")] == []


def test_every_locked_dependency_has_an_integrity() -> None:
    fetched = [key for key, entry in ENTRIES.items() if "node_modules/" in key and not entry.get("link")]
    assert len(fetched) > 100
    assert [key for key in fetched if "integrity" not in ENTRIES[key]] == []


def test_the_lock_is_in_step_with_every_manifest() -> None:
    for directory in ("", *(key for key in ENTRIES if key and "node_modules" not in key)):
        for field in ("dependencies", "devDependencies"):
            assert ENTRIES[directory].get(field, {}) == manifest(directory).get(field, {}), directory


def test_the_catalog_uses_the_filestore_client_through_a_tsconfig_reference_only() -> None:
    assert "from '@apphub/filestore-client'" in source_of("services/catalog")
    tsconfig = (EXAMPLE / "services/catalog/tsconfig.json").read_text("utf-8")
    assert '{ "path": "../../packages/filestore-client" }' in tsconfig
    assert "@apphub/filestore-client" not in declared("services/catalog") | declared("")
    link = {"resolved": "packages/filestore-client", "link": True}
    assert ENTRIES["node_modules/@apphub/filestore-client"] == link


def test_the_metastore_imports_a_package_that_only_the_root_declares() -> None:
    assert "from 'yaml'" in source_of("services/metastore")
    assert "yaml" not in declared("services/metastore")
    assert "yaml" in manifest("")["dependencies"]
    assert "dev" not in ENTRIES["node_modules/yaml"]


def test_the_catalog_worker_runs_with_a_development_dependency_of_the_root() -> None:
    assert manifest("services/catalog")["scripts"]["worker"] == "tsx src/worker.ts"
    assert "tsx" not in declared("services/catalog")
    assert "tsx" in manifest("")["devDependencies"]
    assert ENTRIES["node_modules/tsx"]["dev"] is True


def test_the_timestore_nests_an_older_major_of_what_the_catalog_uses() -> None:
    assert ENTRIES["services/timestore/node_modules/zod"]["version"].startswith("3.")
    assert ENTRIES["node_modules/zod"]["version"].startswith("4.")


def test_a_dependency_nests_below_another_dependency() -> None:
    nested = ENTRIES["node_modules/@fastify/cors/node_modules/fastify-plugin"]["version"]
    assert nested != ENTRIES["node_modules/fastify-plugin"]["version"]


@pytest.mark.parametrize("arch", ["x64", "arm64"])
def test_the_lock_holds_the_native_package_of_both_platforms(arch: str) -> None:
    entry = ENTRIES[f"node_modules/@node-rs/xxhash-linux-{arch}-gnu"]
    assert (entry["os"], entry["cpu"], entry["libc"]) == (["linux"], [arch], ["glibc"])
    assert entry["optional"] is True
    assert "dev" not in entry


@pytest.mark.parametrize("package", ["@rollup/rollup-linux-{}-gnu", "@esbuild/linux-{}"])
@pytest.mark.parametrize("arch", ["x64", "arm64"])
def test_the_lock_holds_the_build_tools_of_both_platforms(package: str, arch: str) -> None:
    assert f"node_modules/{package.format(arch)}" in ENTRIES


@pytest.mark.parametrize(
    "file",
    [
        "services/catalog/assets/launch-templates.json",
        "services/catalog/assets/schedules.json",
        "services/metastore/assets/record.schema.json",
        "services/filestore/src/reconciliation/rules.json",
    ],
)
def test_a_runtime_asset_is_json(file: str) -> None:
    assert json.loads((EXAMPLE / file).read_text("utf-8"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_builds_its_images_through_bake(service: str) -> None:
    scripts = manifest(f"services/{service}")["scripts"]
    command = f"cd ../.. && ${{BAKE:-python3 -m bake}} build {service}"
    assert scripts["docker:build"] == command
    assert scripts["docker:push"] == f"{command} --push"


def test_the_root_builds_all_images_through_bake() -> None:
    scripts = manifest("")["scripts"]
    assert scripts["docker:build:all"] == "${BAKE:-python3 -m bake} build all"
    assert scripts["docker:push:all"] == "${BAKE:-python3 -m bake} build all --push"
    assert scripts["build"] == "npm run build --workspaces --if-present"


def test_every_node_package_is_in_the_root_references() -> None:
    referenced = set(re.findall(r'"path": "\./([^"]+)"', (EXAMPLE / "tsconfig.json").read_text("utf-8")))
    packages = {str(file.parent.relative_to(EXAMPLE)) for file in EXAMPLE.glob("[aps]*/*/package.json")}
    assert referenced == packages - {"apps/frontend"}


def test_the_deprecated_dockerfile_copies_every_manifest() -> None:
    dockerfile = (EXAMPLE / "Dockerfile").read_text("utf-8")
    assert dockerfile.startswith("# DEPRECATED")
    for key in ENTRIES:
        if key and "node_modules" not in key:
            assert f"COPY {key}/package.json {key}/\n" in dockerfile


def publish(tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs scripts/publish-runtime.sh with a bake that prints its arguments and an idle docker."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\n")
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    return subprocess.run(
        [EXAMPLE / "scripts" / "publish-runtime.sh"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "BAKE": "echo bake", **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_publishing_needs_the_image(tmp_path: Path) -> None:
    result = publish(tmp_path)
    message = "[publish-runtime] Set APPHUB_RUNTIME_IMAGE (e.g. ghcr.io/apphub/runtime)\n"
    assert (result.returncode, result.stdout, result.stderr) == (1, "", message)


def test_publishing_pushes_the_monolith_with_its_tags(tmp_path: Path) -> None:
    result = publish(
        tmp_path,
        APPHUB_RUNTIME_IMAGE="ghcr.io/apphub/runtime",
        APPHUB_RUNTIME_TAG="1.2",
        APPHUB_RUNTIME_LATEST_TAG="latest",
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "[publish-runtime] Building runtime image ghcr.io/apphub/runtime:1.2",
        "[publish-runtime] Also tagged ghcr.io/apphub/runtime:latest",
        "bake monolith --image ghcr.io/apphub/runtime --tag 1.2 --tag latest --push",
    ]


def test_publishing_without_push_loads_the_image(tmp_path: Path) -> None:
    result = publish(tmp_path, APPHUB_RUNTIME_IMAGE="r", APPHUB_RUNTIME_TAG="t", APPHUB_RUNTIME_PUSH="0")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-2:] == [
        "[publish-runtime] Skipping push (APPHUB_RUNTIME_PUSH=0)",
        "bake monolith --image r --tag t --load",
    ]
