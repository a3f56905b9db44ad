"""What runs a push in Kubernetes: read back as YAML, and by Kubernetes' own schemas."""

from typing import Any

import kubernetes_validate
import pytest
import yaml

from bake.config import Health
from bake.errors import UsageError
from bake.publish import Release, Workload, render_workloads
from bake.publish.release import ReleasedImage, ReleasedPlatform

DIGEST = "sha256:" + "a" * 64


def release(*targets: str, platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")) -> Release:
    parts = tuple(ReleasedPlatform(platform=p, digest=DIGEST, bytes=1) for p in platforms)
    images = tuple(
        ReleasedImage(image=t, repository=f"ghcr.io/acme/shop-{t}", digest=DIGEST, platforms=parts, bytes=1)
        for t in targets
    )
    return Release(project="shop", images=images)


def documents(*workloads: Workload, **options: Any) -> list[dict[str, Any]]:
    files = render_workloads(workloads, release(*(w.target for w in workloads), **options))
    found = [d for name, text in files.items() if name != "kustomization.yaml" for d in yaml.safe_load_all(text)]
    for document in found:
        kubernetes_validate.validate(document, "1.33", strict=True)
    return found


def container(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["spec"]["template"]["spec"]["containers"][0]
    return found


WEB = Workload(
    target="web-api",
    service="web",
    user="1000:1000",
    port=4000,
    health=Health(path="/healthz", timeout=31),
    writable=("/tmp", "/app/uploads", "/data/tmp"),
    grace=20,
)


def test_a_server_is_a_deployment_and_a_service_that_finds_it() -> None:
    deployment, service = documents(WEB)
    assert deployment["kind"] == "Deployment"
    assert deployment["metadata"]["name"] == service["metadata"]["name"] == "shop-web-api"
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert service["spec"]["ports"] == [{"name": "http", "port": 4000, "targetPort": "http"}]
    assert container(deployment)["image"] == f"ghcr.io/acme/shop-web-api@{DIGEST}"
    assert container(deployment)["ports"] == [{"name": "http", "containerPort": 4000}]


def test_its_health_path_answers_every_probe_and_it_has_as_long_to_start_as_bake_toml_gives() -> None:
    main = container(documents(WEB)[0])
    path = {"path": "/healthz", "port": "http"}
    assert main["startupProbe"] == {"httpGet": path, "periodSeconds": 2, "failureThreshold": 16}
    assert main["readinessProbe"]["httpGet"] == main["livenessProbe"]["httpGet"] == path


def test_a_health_port_of_its_own_is_probed_by_number() -> None:
    worker = Workload(target="w", service="w", user="1000", health=Health(path="/live", port=9000))
    assert container(documents(worker)[0])["livenessProbe"]["httpGet"] == {"path": "/live", "port": 9000}


def test_a_pod_is_as_restricted_as_smoke_tries_it() -> None:
    pod = documents(WEB)[0]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 20
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_root_that_it_writes_to_elsewhere_is_not_read_only() -> None:
    (worker,) = documents(Workload(target="w", service="w", user="1000", fixed=False))
    assert container(worker)["securityContext"]["readOnlyRootFilesystem"] is False


def test_the_pause_container_is_process_1_where_an_init_is_wanted() -> None:
    (worker,) = documents(Workload(target="w", service="w", user="1000", init=True))
    assert worker["spec"]["template"]["spec"]["shareProcessNamespace"] is True
    assert "shareProcessNamespace" not in documents(WEB)[0]["spec"]["template"]["spec"]


@pytest.mark.parametrize("user", ["node", "0", "0:0"])
def test_a_user_that_is_a_name_or_root_is_left_to_the_image(user: str) -> None:
    (worker,) = documents(Workload(target="w", service="w", user=user))
    assert worker["spec"]["template"]["spec"]["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}


def test_each_writable_folder_is_an_empty_volume_under_a_name_of_its_own() -> None:
    pod = documents(WEB)[0]["spec"]["template"]["spec"]
    assert pod["volumes"] == [{"name": n, "emptyDir": {}} for n in ("tmp", "uploads", "tmp-2")]
    mounts = [(m["name"], m["mountPath"]) for m in pod["containers"][0]["volumeMounts"]]
    assert mounts == [("tmp", "/tmp"), ("uploads", "/app/uploads"), ("tmp-2", "/data/tmp")]


def test_pods_go_to_the_architectures_that_were_pushed() -> None:
    (worker,) = documents(Workload(target="w", service="w", user="1000"), platforms=("linux/arm64",))
    node = worker["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    (term,) = node["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}]


def test_what_ends_by_itself_is_a_job_and_what_has_a_schedule_a_cron_job() -> None:
    once = Workload(target="migrate", service="db", user="1000", once=True, port=80)
    nightly = Workload(target="report", service="db", user="1000", schedule="0 3 * * *")
    job, cron = documents(once, nightly)
    assert (job["kind"], job["spec"]["template"]["spec"]["restartPolicy"]) == ("Job", "OnFailure")
    assert (cron["kind"], cron["spec"]["schedule"]) == ("CronJob", "0 3 * * *")


def test_settings_and_secrets_come_from_where_the_cluster_keeps_them() -> None:
    assert container(documents(WEB)[0])["envFrom"] == [
        {"configMapRef": {"name": "shop-web", "optional": True}},
        {"secretRef": {"name": "shop-web", "optional": True}},
    ]


def test_resources_are_a_comment_because_nobody_measured_them() -> None:
    text = render_workloads((WEB,), release("web-api"))["web.yaml"]
    assert "\n        # resources:  # `bake smoke` ran it within this limit\n" in text
    assert "\n        #   limits: {memory: 512Mi}\n" in text


def test_the_roles_of_a_service_share_a_file_and_a_kustomization_lists_all() -> None:
    worker = Workload(target="web-worker", service="web", user="1000")
    other = Workload(target="db", service="db", user="1000")
    files = render_workloads((WEB, worker, other), release("web-api", "web-worker", "db"))
    assert yaml.safe_load(files["kustomization.yaml"])["resources"] == ["db.yaml", "web.yaml"]
    assert files["web.yaml"].count("kind: Deployment\n") == 2


def test_a_process_whose_image_was_not_pushed_is_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        render_workloads((WEB,), release("db"))
    assert str(caught.value) == (
        "manifest: this push has no image web-api; push it: `bake web-api --push`, or name a release that has it"
    )
