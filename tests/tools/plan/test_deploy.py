"""The example's manifests fit Kubernetes' schemas, the `restricted` standard and the example's bake.toml."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from bake.plan import Plan, Request, make_plan
from bake.project import load_project
from bake.publish import Release, check_manifests, parse_documents, used_images
from bake.publish.release import ReleasedImage, ReleasedPlatform

EXAMPLE = Path(__file__).parents[3] / "examples" / "apphub"
BASE = EXAMPLE / "deploy" / "base"
DOCUMENTS = tuple(
    d
    for f in sorted(BASE.glob("*.yaml"))
    for d in parse_documents(f.read_text("utf-8"), f.name)
    if d.content["kind"] != "Kustomization"
)
PODS = {
    d.content["metadata"]["name"]: d.content["spec"]["template"]["spec"]
    for d in DOCUMENTS
    if d.content["kind"] in ("Deployment", "Job")
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_project(EXAMPLE / "bake.toml", {}), Request())


def containers() -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    for name, pod in PODS.items():
        for container in pod["containers"]:
            yield name, pod, container


@pytest.mark.parametrize("version", ["1.30", "1.34"])
def test_manifests_fit_kubernetes_schemas(version: str) -> None:
    for document in DOCUMENTS:
        kubernetes_validate.validate(document.content, version, strict=True)


def test_every_process_of_the_example_is_deployed_once(plan: Plan) -> None:
    processes = {i.target for i in plan.images} - {"cli"}
    assert set(PODS) == {*processes, "cli-health"}


def test_commands_ports_and_health_are_those_of_bake_toml(plan: Plan) -> None:
    for name, _, container in containers():
        own = plan.image(name.removesuffix("-health"))
        used = plan.image(container["image"].removeprefix("apphub-"))
        assert used.service == own.service
        assert tuple(container.get("command", (*used.entrypoint, *used.command))) == (*own.entrypoint, *own.command)
        ports = [p["containerPort"] for p in container.get("ports", ())]
        assert ports == ([own.port] if own.port else [])
        if own.port and own.health:
            assert container["livenessProbe"]["httpGet"] == {"path": own.health.path, "port": "http"}


def test_what_a_process_writes_to_is_an_empty_directory(plan: Plan) -> None:
    for name, pod, container in containers():
        empty = {v["name"] for v in pod.get("volumes", ()) if "emptyDir" in v}
        mounted = tuple(m["mountPath"] for m in container.get("volumeMounts", ()) if m["name"] in empty)
        assert mounted == plan.image(name.removesuffix("-health")).writable


def test_pods_meet_the_restricted_standard() -> None:
    for _, pod, container in containers():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 1000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_every_service_finds_its_pods_and_their_port(plan: Plan) -> None:
    services = {d.content["metadata"]["name"]: d.content["spec"] for d in DOCUMENTS if d.content["kind"] == "Service"}
    assert set(services) == {i.target for i in plan.images if i.port}
    for name, spec in services.items():
        assert spec["selector"] == {"app.kubernetes.io/name": name}
        assert spec["ports"] == [{"name": "http", "port": plan.image(name).port, "targetPort": "http"}]


def test_manifests_use_only_images_that_a_push_of_the_example_has(plan: Plan) -> None:
    release = Release(project="apphub", images=tuple(released(i.repository, i.target) for i in plan.images))
    assert check_manifests(DOCUMENTS, release) == ()
    assert used_images(DOCUMENTS, release) == len(PODS)


def released(repository: str, target: str) -> ReleasedImage:
    digest = "sha256:" + "a" * 64
    platform = ReleasedPlatform(platform="linux/amd64", digest=digest, bytes=1)
    return ReleasedImage(
        image=target, repository=f"ghcr.io/acme/{repository}", digest=digest, platforms=(platform,), bytes=1
    )


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_builds_the_base() -> None:
    built = subprocess.run(["kubectl", "kustomize", BASE], capture_output=True, text=True, check=True).stdout
    found = parse_documents(built, "base")
    assert sorted(d.content["metadata"]["name"] for d in found) == sorted(
        d.content["metadata"]["name"] for d in DOCUMENTS
    )
