"""Files of platforms and of compose: whatever stands where something else should is nothing, and no fault."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tomli_w
import yaml

from bake.evidence.compose import ComposeService, parse_compose
from bake.evidence.deployments import parse_deployment, parse_workflow

ODD: tuple[Any, ...] = (
    3,
    True,
    "x",
    "",
    None,
    [],
    ["x"],
    [1, [2]],
    {},
    {"a": 1},
    {1: 2},
    [None],
    {"a": {"b": [1]}},
    1.5,
    [{"a": 1}],
)

BUILT = {"context": "a", "dockerfile": "D", "target": "t", "args": {"A": "b"}}
COMPOSE = {
    "build": BUILT,
    "command": ["a"],
    "ports": ["80:80", {"target": 80}],
    "healthcheck": {"test": ["CMD", "x"]},
    "environment": {"A": "b"},
    "env_file": [".env", {"path": "x"}],
    "volumes": ["a:/b", {"target": "/c"}],
    "profiles": ["x"],
}
CONTAINER = {
    "name": "a",
    "command": ["x"],
    "ports": [{"containerPort": 3}],
    "env": [{"name": "A", "value": "b"}, {"name": "C"}],
    "livenessProbe": {"httpGet": {"path": "/x", "port": 3}},
}
RENDER = {"type": "web", "name": "x", "runtime": "node", "envVars": [{"key": "A", "value": "b"}], "startCommand": "x"}
FLY = {
    "http_service": {"internal_port": 3, "processes": ["a"], "checks": [{"path": "/x"}]},
    "services": [{"internal_port": 3}],
    "checks": {"a": {"path": "/x"}},
    "env": {"A": "b"},
    "processes": {"a": "node x", "b": "node y"},
}
JOB = {
    "strategy": {"matrix": {"include": [{"a": "b"}], "x": ["y", {"z": 1}]}},
    "steps": [{"uses": "docker/build-push-action@v1", "with": {"context": "x", "build-args": "A=b"}}, {"run": "x"}],
}


def compose(text: str) -> tuple[ComposeService, ...]:
    return parse_compose("compose.yaml", {"compose.yaml": text})


FILES: tuple[tuple[str, Any, Callable[[Any], str], Callable[[str], object]], ...] = (
    ("compose.yaml", {"services": {"a": COMPOSE}}, yaml.safe_dump, compose),
    (
        "deployment.yaml",
        {"metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": [CONTAINER]}}}},
        lambda document: f"kind: Deployment\n---\nkind: Deployment\n{yaml.safe_dump(document)}",
        lambda text: parse_deployment("deployment.yaml", text),
    ),
    ("render.yaml", {"services": [RENDER]}, yaml.safe_dump, lambda text: parse_deployment("render.yaml", text)),
    ("fly.toml", FLY, tomli_w.dumps, lambda text: parse_deployment("fly.toml", text)),
    (
        "railway.json",
        {"deploy": {"startCommand": "x"}, "build": {"dockerfilePath": "D"}},
        json.dumps,
        lambda text: parse_deployment("railway.json", text),
    ),
    ("workflow", {"jobs": {"a": JOB}}, yaml.safe_dump, lambda text: tuple(parse_workflow("w.yml", text))),
)


def variants(value: Any) -> Iterator[Any]:
    """A document with each of its values replaced by something else."""
    yield from ODD
    if isinstance(value, dict):
        yield from (value | {key: other} for key, inner in value.items() for other in variants(inner))
    elif isinstance(value, list):
        yield from ([*value[:n], other, *value[n + 1 :]] for n, inner in enumerate(value) for other in variants(inner))


@pytest.mark.parametrize(("document", "write", "parse"), [each[1:] for each in FILES], ids=[each[0] for each in FILES])
def test_a_value_of_another_kind_is_no_fault(
    document: Any, write: Callable[[Any], str], parse: Callable[[str], object]
) -> None:
    assert parse(write(document))
    for other in variants(document):
        try:
            text = write(other)
        except (TypeError, AttributeError):  # TOML has no such document
            continue
        assert isinstance(parse(text), tuple)


def test_numbers_and_truths_of_a_compose_file_are_its_own_words() -> None:
    text = "services: {a: {build: ., init: true, environment: {PORT: 4000, DEBUG: false}, ports: [80]}}"
    (service,) = compose(text)
    assert (service.init, dict(service.env), service.port) == (True, {"PORT": "4000", "DEBUG": "false"}, 80)
