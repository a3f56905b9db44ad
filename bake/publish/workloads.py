"""What runs the images of a push in Kubernetes: a Deployment, Job or CronJob per process, and its Service. Pure.

Sources: kubernetes.io, "Configure Liveness, Readiness and Startup Probes", "Pod Security Standards" (restricted),
"Assigning Pods to Nodes"; podman-kube-play(1) takes the same documents.
"""

import dataclasses
import itertools
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from bake.config import Config, Health
from bake.errors import UsageError
from bake.files import to_yaml
from bake.plan import ServiceImage
from bake.publish.release import Release, ReleasedImage

KUSTOMIZATION = "kustomization.yaml"

_STARTUP_PERIOD = 2
"""Seconds between looks at a process that starts."""

_NUMERIC_USER = re.compile(r"(\d+)(?::(\d+))?")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One process as a cluster runs it.

    user: as in the image. grace: seconds between SIGTERM and SIGKILL. memory: as docker takes it, what `bake smoke`
    tried it with. schedule: cron's five fields, "" for none. once: whether it ends by itself. init: whether it is below
    one.
    """

    target: str
    service: str
    user: str
    port: int | None = None
    health: Health | None = None
    writable: tuple[str, ...] = ()
    fixed: bool = True
    """Whether it writes to these folders alone."""
    grace: int = 30
    memory: str = "512m"
    schedule: str = ""
    once: bool = False
    init: bool = False

    @property
    def kind(self) -> Literal["CronJob", "Job", "Deployment"]:
        """The Kubernetes kind that runs it."""
        return "CronJob" if self.schedule else "Job" if self.once else "Deployment"


def make_workload(config: Config, image: ServiceImage) -> Workload:
    """What bake.toml and the plan say about an image's process."""
    role = config.services[image.service].role(image.role)
    return Workload(
        target=image.target,
        service=image.service,
        user=image.user,
        port=image.port,
        health=image.health,
        writable=image.mounted,
        fixed=not image.filled,
        grace=config.smoke.grace,
        memory=config.smoke.memory,
        schedule=role.schedule or "",
        once=bool(role.once),
        init=image.init,
    )


def render_workloads(workloads: Sequence[Workload], release: Release) -> Mapping[str, str]:
    """File name -> text: a file per service, and a kustomization that lists them.

    Raises UsageError for a process whose image the push does not have.
    """
    files: dict[str, str] = {}
    for service, members in itertools.groupby(workloads, key=lambda w: w.service):
        texts = [_to_text(d, _quantity(w.memory)) for w in members for d in _documents(w, release)]
        files[f"{service}.yaml"] = "---\n".join(texts)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(files),
    }
    return files | {KUSTOMIZATION: to_yaml(kustomization)}


def _documents(workload: Workload, release: Release) -> Iterator[dict[str, Any]]:
    image = release.image(workload.target)
    if image is None:
        remedy = f"push it: `bake {workload.target} --push`, or name a release that has it"
        raise UsageError("manifest", f"this push has no image {workload.target}", remedy)
    name, labels = _name(release.project, workload), _labels(release.project, workload)
    template = {"metadata": {"labels": labels}, "spec": _pod(workload, image, release.project)}
    yield _controller(workload, template, {"name": name, "labels": labels})
    if workload.port and workload.kind == "Deployment":
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "selector": labels,
                "ports": [{"name": "http", "port": workload.port, "targetPort": "http"}],
            },
        }


def _name(project: str, workload: Workload) -> str:
    """A name that a Service may have: 63 characters at most."""
    return workload.target if len(f"{project}-{workload.target}") > 63 else f"{project}-{workload.target}"


def _labels(project: str, workload: Workload) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": workload.target[:63].rstrip("-"),
        "app.kubernetes.io/component": workload.service[:63].rstrip("-"),
        "app.kubernetes.io/part-of": project[:63].rstrip("-"),
    }


def _controller(workload: Workload, template: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    head = {"kind": workload.kind, "metadata": metadata}
    if workload.kind == "Deployment":
        spec = {"replicas": 1, "selector": {"matchLabels": metadata["labels"]}, "template": template}
        return {"apiVersion": "apps/v1", **head, "spec": spec}
    template["spec"]["restartPolicy"] = "OnFailure"
    if workload.kind == "Job":
        return {"apiVersion": "batch/v1", **head, "spec": {"template": template}}
    job = {"spec": {"template": template}}
    spec = {"schedule": workload.schedule, "concurrencyPolicy": "Forbid", "jobTemplate": job}
    return {"apiVersion": "batch/v1", **head, "spec": spec}


def _pod(workload: Workload, image: ReleasedImage, project: str) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": workload.grace,
        "securityContext": _pod_security(workload.user),
    }
    if workload.init:
        # The pause container is process 1 then, and ends what is left behind.
        # Source: kubernetes.io/docs/tasks/configure-pod-container/share-process-namespace.
        pod["shareProcessNamespace"] = True
    if architectures := sorted({p.platform.split("/")[1] for p in image.platforms}):
        pod["affinity"] = _affinity(architectures)
    pod["containers"] = [_container(workload, image, project)]
    if workload.writable:
        pod["volumes"] = [{"name": n, "emptyDir": {}} for n in _volumes(workload.writable)]
    return pod


def _pod_security(user: str) -> dict[str, Any]:
    """The restricted standard, as far as the image's user allows: a name tells no number, and root is root."""
    security: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    numbers = _NUMERIC_USER.fullmatch(user)
    if numbers is None or numbers[1] == "0":
        return security
    group = int(numbers[2] or numbers[1])
    return {"runAsNonRoot": True, "runAsUser": int(numbers[1]), "runAsGroup": group, "fsGroup": group, **security}


def _affinity(architectures: Sequence[str]) -> dict[str, Any]:
    """Only nodes that the image was built for."""
    expression = {"key": "kubernetes.io/arch", "operator": "In", "values": list(architectures)}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def _container(workload: Workload, image: ReleasedImage, project: str) -> dict[str, Any]:
    container: dict[str, Any] = {"name": workload.target[:63].rstrip("-"), "image": image.reference}
    # Made by whoever runs the cluster, or not at all: what is the same everywhere is in the image.
    names = {"configMapRef": f"{project}-{workload.service}", "secretRef": f"{project}-{workload.service}"}
    container["envFrom"] = [{kind: {"name": name, "optional": True}} for kind, name in names.items()]
    if workload.port:
        container["ports"] = [{"name": "http", "containerPort": workload.port}]
    container |= _probes(workload)
    container["resources"] = {}
    container["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": workload.fixed,
        "capabilities": {"drop": ["ALL"]},
    }
    if workload.writable:
        mounts = zip(_volumes(workload.writable), workload.writable, strict=True)
        container["volumeMounts"] = [{"name": name, "mountPath": path} for name, path in mounts]
    return container


def _probes(workload: Workload) -> dict[str, Any]:
    """Its health path answers all three; a process without one is alive as long as it runs."""
    health = workload.health
    if health is None or not health.path or workload.kind != "Deployment":
        return {}
    port = health.port or workload.port
    get = {"httpGet": {"path": health.path, "port": "http" if port == workload.port else port}}
    tries = max(1, -(-health.timeout // _STARTUP_PERIOD))
    return {
        "startupProbe": {**get, "periodSeconds": _STARTUP_PERIOD, "failureThreshold": tries},
        "readinessProbe": {**get, "periodSeconds": 5, "timeoutSeconds": 3},
        "livenessProbe": {**get, "periodSeconds": 20, "timeoutSeconds": 5},
    }


def _volumes(paths: Sequence[str]) -> tuple[str, ...]:
    """A name for each folder, told by its own name."""
    names: list[str] = []
    for path in paths:
        name = re.sub(r"[^a-z0-9]+", "-", posixpath.basename(path.rstrip("/")).lower()).strip("-")[:50] or "data"
        names.append(name if name not in names else f"{name}-{len(names)}")
    return tuple(names)


def _to_text(document: Mapping[str, Any], memory: str) -> str:
    """YAML, with the resources as a comment: nobody but the user has measured them."""
    wanted = ("resources:  # `bake smoke` ran it within this limit", "  requests: {cpu: 50m, memory: 64Mi}")
    lines = (*wanted, f"  limits: {{memory: {memory}}}")
    return re.sub(
        r"^( *)resources: \{\}\n",
        lambda found: "".join(f"{found[1]}# {line}\n" for line in lines),
        to_yaml(document),
        flags=re.M,
    )


def _quantity(memory: str) -> str:
    """Docker's `512m` as Kubernetes writes it; both count in powers of two."""
    found = re.fullmatch(r"(\d+)\s*([kmgt]?)(?:i?b)?", memory.strip().lower())
    return f"{found[1]}{found[2].upper()}{'i' if found[2] else ''}" if found else memory
