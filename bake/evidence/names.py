"""Names of processes: what files call them, as bake.toml calls them. Pure."""

import posixpath
import re

_DEVELOPERS = frozenset(
    {
        *(
            "dev",
            "develop",
            "development",
            "devcontainer",
            "local",
            "debug",
            "watch",
            "test",
            "tests",
            "testing",
            "e2e",
        ),
        *("ci", "lint", "bench", "benchmark", "benchmarks", "storybook", "cursor", "gitpod", "fixtures", "playwright"),
        *("cypress", "integration", "mock", "mocks", "localhost", "deprecated", "legacy"),
    }
)


def slug(name: str) -> str:
    """A name as bake.toml's names are: lower-case letters, digits, single dashes; a scope is dropped."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name.rpartition("/")[2])
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def is_for_developers(path: str) -> bool:
    """Whether a file or a stage is for developers or tests, by the words of its name and its folders."""
    folder, name = posixpath.split(path)
    words = {*re.split(r"[./_-]+", f"{folder}/{name}".lower())}
    return bool(words & _DEVELOPERS)


_BESIDE = frozenset(
    {
        *(
            "example",
            "examples",
            "sample",
            "samples",
            "docs",
            "doc",
            "demo",
            "demos",
            "template",
            "templates",
            "tutorial",
        ),
        *("playground", "sandbox", "starter", "starters", "boilerplate"),
    }
)


def is_beside(path: str) -> bool:
    """Whether a file lies in a folder of examples or documents."""
    return bool({*posixpath.dirname(path).lower().split("/")} & _BESIDE)


def plain_name(program: str) -> str:
    """A program's name without what says that it is one: `start-worker.sh` is `worker`."""
    name = slug(re.sub(r"\.(?:sh|[cm]?[jt]s)$", "", program))
    return re.sub(r"^(?:start|run|svc)-(?=.)|-(?:start|run|runtime|runner|prod|production|image|container)$", "", name)


def within(role: str, path: str) -> str:
    """A role's name without the service's in front: `catalog-worker` of services/catalog is `worker`."""
    service = slug(posixpath.basename(path))
    return role.removeprefix(f"{service}-") or role
