"""Commands that a workspace's files name for a package's processes: scripts, supervisors, compose files. Pure."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from bake.guess.dockerfiles import heredocs, parse_compose
from bake.guess.facts import PackageFacts, WorkspaceFacts
from bake.guess.ports import PRODUCTION
from bake.sources import parse_programs
from bake.workspace import Package

Candidate = tuple[str, str | Sequence[str], str]
"""Role, command, and where it was found."""

_PROCESS_WORDS = frozenset(
    {
        *("worker", "workers", "queue", "queues", "cron", "scheduler", "schedule", "jobs", "job", "consumer"),
        *("consumers", "processor", "processors", "poller", "daemon", "listener", "subscriber", "runner", "relay"),
    }
)
_NEVER = frozenset(
    {
        *("dev", "develop", "development", "debug", "watch", "local", "test", "tests", "e2e", "ci", "bench"),
        *("sample", "samples", "example", "demo"),
    }
)
_NOT_PROCESSES = frozenset(
    {
        *("dev", "develop", "debug", "watch", "local", "test", "tests", "ci", "docker", "build", "prod", "production"),
        *("lint", "format", "db", "migrate", "seed", "inspect", "type", "types", "typecheck", "check", "clean", "host"),
        *("install", "deploy", "publish", "generate", "env", "staging", "swa", "swc", "hmr", "e2e", "dashboard"),
        *("kill", "stop", "logs", "down", "emulators", "storybook", "docs", "preview", "stage", "development", "all"),
    }
)
_ONCE = frozenset({"reset", "clear", "purge", "flush", "drain", "refill", "backfill", "scripts"})
"""Words of scripts that end, though they name a queue or a worker."""


def slug(name: str) -> str:
    """A name as bake.toml's names are: lower-case letters, digits, single dashes; a scope is dropped."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name.rpartition("/")[2])
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def scripted(facts: PackageFacts) -> Iterator[Candidate]:
    """npm scripts that look like processes of their own."""
    for name, text in facts.package.scripts.items():
        words = [w for w in re.split(r"[:_.\s-]+", name) if w]
        kept = [w for w in words if w.lower() not in {"start", "run", "serve", "prod", "production"}]
        started = words[0] == "start" and len(kept) == 1
        lower = {w.lower() for w in kept}
        known = bool(_PROCESS_WORDS & {*lower, *_plain_words(text)})
        certain = bool(_PROCESS_WORDS & lower) or _runs_worker(text)
        if (
            kept
            and not _NEVER & lower
            and (certain or not _NOT_PROCESSES & lower)
            and not name.startswith(("pre", "post"))
            and not _ONCE & {*lower, *_plain_words(text)}
            and (known or started)
        ):
            yield slug("-".join(kept)), text, facts.package.file(f"package.json: scripts.{name}")


def _plain_words(text: str) -> list[str]:
    """The words of names and paths, in lower case: "src/buildWorker.ts" holds "build" and "worker"."""
    return [w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", text)]


def _runs_worker(text: str) -> bool:
    """Whether a script's last file is called after a kind of process: `tsx src/buildWorker.ts`."""
    files = re.findall(r"([\w-]+)\.[cm]?[jt]sx?(?=\s|$)", text)
    return bool(files) and bool(_PROCESS_WORDS & set(_plain_words(files[-1])[-1:]))


def supervised(facts: PackageFacts, everything: WorkspaceFacts) -> Iterator[Candidate]:
    """Programs of supervisor files, Procfiles and compose files that run this package."""
    path, own = facts.package.path, facts.placed
    for file, name, text in _supervisors({**own, **everything.texts}):
        folder = f"/{path}" if file in own else "/"
        for program in parse_programs(name, text, folder):
            words = program.words
            inside = program.directory.strip("/").endswith(path) or any(path + "/" in w for w in words)
            if inside and program.name:
                yield _without(_plain_name(program.name), path), words, f"{file}: {program.name}"
    for words, source in composed(facts.package, everything):
        if words:
            yield _without(slug(source.rpartition(": ")[2]), path), words, source


def _supervisors(texts: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """File, name and text of each supervisor's file, those that a Dockerfile writes among them."""
    for file, text in texts.items():
        name = posixpath.basename(file)
        if _SUPERVISORS.search(name):
            yield file, name, text
        elif PRODUCTION.fullmatch(name):
            yield from ((file, n, t) for n, t in heredocs(text) if _SUPERVISORS.search(n))


def all_in_one(texts: Mapping[str, str]) -> str:
    """The Dockerfile at the root whose image runs several programs under a supervisor; "" when there is none."""
    for file, text in texts.items():
        written = (parse_programs(name, body, "/") for name, body in heredocs(text))
        started = re.search(r"^(?:CMD|ENTRYPOINT)\b.*\b(?:supervisord|pm2-runtime)\b", text, re.M)
        if PRODUCTION.fullmatch(file) and (started or any(len(programs) > 1 for programs in written)):
            return file
    return ""


_SUPERVISORS = re.compile(r"^Procfile|\.conf$|^(?:ecosystem|pm2)\.config\.|^(?!.*\.config\.).*\.(?:[cm]?js|sh)$")


def _plain_name(program: str) -> str:
    """A program's name without what says that it is one: `start-worker.sh` is `worker`."""
    name = slug(re.sub(r"\.(?:sh|[cm]?[jt]s)$", "", program))
    return re.sub(r"^(?:start|run)-(?=.)|-(?:start|run)$", "", name)


def _without(role: str, path: str) -> str:
    """A role's name without the service's in front: `catalog-worker` of services/catalog is `worker`."""
    service = slug(posixpath.basename(path))
    return role.removeprefix(f"{service}-") or role


def composed(package: Package, everything: WorkspaceFacts) -> Iterator[tuple[tuple[str, ...], str]]:
    """Commands of compose services that are built from this package's folder, and where they were found."""
    for path, text in everything.texts.items():
        if "compose" in posixpath.basename(path):
            for service in parse_compose(text, posixpath.dirname(path)):
                if service.folder == package.path:
                    yield service.words, f"{path}: {service.name}"
