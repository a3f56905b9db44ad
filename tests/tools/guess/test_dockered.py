"""`bake init` on workspaces with services that are not JavaScript."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.config import parse_config
from bake.evidence import load_facts
from bake.guess import amend, guess, render_config
from bake.workspace import load_workspace
from tests.tools.guess.test_init import API, workspace

PYTHON = """\
FROM python:3.12-slim
WORKDIR /srv
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
EXPOSE 8000
HEALTHCHECK CMD curl -f http://localhost:8000/healthz
USER 10001
CMD ["uvicorn", "app:app"]
"""
GO = (
    'FROM golang:1.24 AS build\nCOPY go.mod ./\nRUN go build\nFROM scratch\nCOPY --from=build /app /app\nCMD ["/app"]\n'
)
NGINX = "FROM nginx:1.27\nCOPY docker/proxy/nginx.conf /etc/nginx/nginx.conf\n"


def proposed(root: Path, files: Mapping[str, str]) -> Mapping[str, object]:
    """The services of bake.toml but the JavaScript one."""
    found = guess(load_facts(load_workspace(workspace(root, {"services/api": API}, **files))))
    text = render_config(found)
    parse_config(text)
    services = tomllib.loads(text)["services"]
    assert services.pop("api")
    return dict(services)


def test_a_dockerfile_beside_a_manifest_of_another_language_is_a_service(tmp_path: Path) -> None:
    files = {
        "services/ml/Dockerfile": PYTHON,
        "services/ml/requirements.txt": "fastapi\n",
        "tools/relay/Dockerfile": GO,
        "tools/relay/go.mod": "module relay\n",
    }
    assert proposed(tmp_path, files) == {
        "ml": {"dockerfile": "services/ml/Dockerfile", "port": 8000, "health": "/healthz", "user": "10001"},
        "relay": {"dockerfile": "tools/relay/Dockerfile"},
    }


def test_a_compose_file_says_context_target_and_port(tmp_path: Path) -> None:
    build = "{context: ., dockerfile: docker/proxy/Dockerfile, target: slim}"
    files = {
        "compose.yaml": f"services:\n  proxy:\n    build: {build}\n    ports: ['8080:80']\n",
        "docker/proxy/Dockerfile": NGINX.replace("nginx:1.27", "nginx:1.27 AS slim"),
        "docker/proxy/nginx.conf": "x",
    }
    assert proposed(tmp_path, files) == {
        "proxy": {"dockerfile": "docker/proxy/Dockerfile", "context": ".", "target": "slim", "port": 80}
    }


@pytest.mark.parametrize(
    "files",
    [
        {"ml/Dockerfile": PYTHON.replace("python:3.12-slim", "node:24"), "ml/requirements.txt": ""},
        {"ml/Dockerfile": PYTHON.replace("pip install", "npm ci && pip install"), "ml/requirements.txt": ""},
        {"ml/Dockerfile": PYTHON, "ml/requirements.txt": "", "ml/package.json": "{}"},
        {"ml/Dockerfile": PYTHON},
        {"ml/Dockerfile": PYTHON.replace("requirements.txt .", "target/app.jar ."), "ml/requirements.txt": ""},
        {"examples/ml/Dockerfile": PYTHON, "examples/ml/requirements.txt": ""},
        {"ml/Dockerfile.dev": PYTHON, "ml/requirements.txt": ""},
        {"compose.yaml": "services: {db: {build: db}}", "db/Dockerfile": "FROM postgres:17\n"},
        {"compose.yaml": "services: {ml: {build: ml, command: other}}", "ml/Dockerfile": "FROM python\n"},
    ],
    ids=["node", "npm", "a package", "nothing says so", "not cloned", "example", "development", "store", "command"],
)
def test_what_is_javascript_or_no_service_or_cannot_be_built_is_not_proposed(
    tmp_path: Path, files: Mapping[str, str]
) -> None:
    assert proposed(tmp_path, files) == {}


def test_a_bake_toml_that_is_there_gets_it_once(tmp_path: Path) -> None:
    files = {"services/ml/Dockerfile": PYTHON, "services/ml/requirements.txt": ""}
    found = guess(load_facts(load_workspace(workspace(tmp_path, {"services/api": API}, **files))))
    old = '[project]\nname = "shop"\n\n[services.api]\npackage = "services/api"\n'
    new = amend(old, parse_config(old), found, ["services/api"])
    assert 'dockerfile = "services/ml/Dockerfile"' in new
    assert amend(new, parse_config(new), found, ["services/api"]) == new
