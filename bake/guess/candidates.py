"""npm scripts that look like processes of their own, and images that run several. Pure."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from bake.evidence import PackageFacts, heredocs, is_dockerfile, is_for_developers, parse_dockerfile, slug
from bake.shell import parse_call, parse_line, split_words, unwrap
from bake.sources import commands_beside, parse_programs, script_text

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
_SYSTEMS = frozenset({"linux", "nix", "default", "windows", "win32", "darwin", "macos", "mac"})
"""Endings of scripts that run-script-os chooses from."""
_NOT_PROCESSES = frozenset(
    {
        *("dev", "develop", "debug", "watch", "local", "test", "tests", "ci", "docker", "build", "prod", "production"),
        *("lint", "format", "db", "migrate", "seed", "inspect", "type", "types", "typecheck", "check", "clean", "host"),
        *("install", "deploy", "publish", "generate", "env", "staging", "swa", "swc", "hmr", "e2e", "dashboard"),
        *("gen", "codegen", "schema", "schemas", "openapi"),
        *("kill", "stop", "logs", "down", "emulators", "storybook", "docs", "preview", "stage", "development", "all"),
    }
)
_ONCE = frozenset({"reset", "clear", "purge", "flush", "drain", "refill", "backfill", "scripts"})
"""Words of scripts that end, though they name a queue or a worker."""


def scripted(facts: PackageFacts) -> Iterator[Candidate]:
    """npm scripts that look like processes of their own."""
    for name in facts.package.scripts:
        text = script_text(facts.package, name) or ""
        words = [w for w in re.split(r"[:_.\s-]+", name) if w]
        kept = [w for w in words if w.lower() not in {"start", "run", "serve", "prod", "production"}]
        started = words[0] == "start" and len(kept) == 1
        lower = {w.lower() for w in kept}
        known = bool(_PROCESS_WORDS & {*lower, *_plain_words(_OPTION.sub(" ", text))})
        certain = bool(_PROCESS_WORDS & lower) or _runs_worker(text)
        if (
            kept
            and not (_NEVER | _SYSTEMS) & lower
            and (certain or not _NOT_PROCESSES & lower)
            and not name.startswith(("pre", "post"))
            and not _ONCE & {*lower, *_plain_words(text)}
            and (known or started)
        ):
            yield slug("-".join(kept)), text, facts.package.file(f"package.json: scripts.{name}")


MAIN_SCRIPTS = (
    *("start:prod", "start:production", "start-prod", "start-production", "prod", "serve:prod", "production"),
    *("start", "serve", "server"),
)
"""Scripts that start a package in production, the surest first."""


def beside(facts: PackageFacts) -> Iterator[Candidate]:
    """The commands that the script which starts a package starts beside each other."""
    scripts = facts.package.scripts
    name = next((name for name in MAIN_SCRIPTS if name in scripts), "")
    words = next((step.words for step in reversed(parse_line(scripts.get(name, "")))), ())
    for given, started in commands_beside(words, scripts):
        line = started[-1] if started[0] == "sh" else " ".join(started)
        yield slug(given or _named_by(split_words(line))), line, facts.package.file(f"package.json: scripts.{name}")


def _named_by(words: Sequence[str]) -> str:
    """What a command is called after: its script, or the last file that it names."""
    if call := parse_call(words):
        return call.name
    files = (re.sub(r"\.\w+$", "", posixpath.basename(w)) for w in reversed(words) if re.search(r"\.[cm]?[jt]sx?$", w))
    return next(files, "")


_OPTION = re.compile(r"(?<=\s)-[\w-]+(?:=\S+|\s+(?!-)\S+)?")
"""An option with its value, which says how a program works and not what it is."""


def _plain_words(text: str) -> list[str]:
    """The words of names and paths, in lower case: "src/buildWorker.ts" holds "build" and "worker"."""
    return [w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", text)]


def _runs_worker(text: str) -> bool:
    """Whether a script's last file is called after a kind of process: `tsx src/buildWorker.ts`."""
    files = re.findall(r"([\w-]+)\.[cm]?[jt]sx?(?=\s|$)", text)
    return bool(files) and bool(_PROCESS_WORDS & set(_plain_words(files[-1])[-1:]))


def all_in_one(texts: Mapping[str, str]) -> str:
    """The Dockerfile at the root whose image runs several programs under a supervisor; "" when there is none."""
    for file, text in texts.items():
        written = (parse_programs(name, body, "/") for name, body in heredocs(text))
        started = re.search(r"^(?:CMD|ENTRYPOINT)\b.*\b(?:supervisord|pm2-runtime)\b", text, re.M)
        started = (
            started if not any("pm2-runtime" in unwrap(s.words).wrappers for s in parse_dockerfile(text)) else None
        )
        if (
            is_dockerfile(file)
            and "/" not in file
            and not is_for_developers(file)
            and (started or any(len(programs) > 1 for programs in written))
        ):
            return file
    return ""
