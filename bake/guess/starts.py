"""How a package's own process starts: what production says, then its scripts, `main` and `bin`, then guesses. Pure."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bake.evidence import Evidence, PackageFacts, WorkspaceFacts, entry_of, operand_at, plain_name, slug, within
from bake.guess.candidates import MAIN_SCRIPTS
from bake.guess.frontends import RENDERS
from bake.guess.ports import HTTP
from bake.guess.usage import ORCHESTRATES, is_published, is_used, may_run
from bake.sources import Start, run_before, script_text, start_of
from bake.workspace import Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A start and where it was found. evidence: what production says of it. is_tool: it is a command line tool."""

    start: Start = field(default_factory=Start)
    source: str = ""
    evidence: Evidence | None = None
    is_tool: bool = False
    is_guess: bool = False
    """Whether only a name suggests it: `main`, `bin`, a script for development."""


def main_start(facts: PackageFacts, everything: WorkspaceFacts) -> Found:
    """The package's own process; one whose start has a reason when there is none."""
    if said := main_evidence(facts, everything):
        return Found(start=said.start, source=said.source, evidence=said)
    reasons: list[Start] = []
    known = [entry_of(e.start.words) for e in everything.said.get(facts.package.path, ())]
    for words, found in _candidates(facts, everything):
        start = _with_before(start_here(words, facts, everything), found, facts, hooks=everything.workspace.tool.hooks)
        entry = entry_of(start.words)
        if entry and entry not in known and any(each[: len(entry)] == entry for each in known):
            continue  # production starts it with arguments alone
        if start.words:
            return replace(found, start=start)
        reasons.append(start)
    return Found(start=(reasons or [Start(reason="no script, binary or Dockerfile starts it")])[0])


def _with_before(start: Start, found: Found, facts: PackageFacts, *, hooks: bool) -> Start:
    """A start with what the package manager runs before the script that it is of, where it does that."""
    script = found.source.partition(": scripts.")[2] if hooks and start.words else ""
    return replace(start, before=(*run_before(script, facts.package), *start.before)) if script else start


_MAIN_NAMES = frozenset({"", "app", "api", "web", "server", "main", "backend", "service", "http", "site", "www"})


def main_evidence(facts: PackageFacts, everything: WorkspaceFacts) -> Evidence | None:
    """Which of a package's processes in production is its main one, None when none is."""
    package = facts.package
    rows = [e for e in everything.said.get(package.path, ()) if e.start.words and not e.static]
    if not rows:
        return None
    its = {slug(posixpath.basename(package.path)), slug(package.name)}
    own = {*_MAIN_NAMES, *its, slug(everything.name)}
    project = f"{slug(everything.name)}-"
    names = {id(e): plain_name(e.name).removeprefix(project) for e in rows}
    called = [e for e in rows if {plain_name(e.name), names[id(e)], within(names[id(e)], package.path)} & own]
    sources = {entry_of(("node", path))[:1] for path in facts.sources}
    first = entry_of(called[0].start.words)[:1] if called else ()
    # A workload of its name gives its image another command than the Dockerfile does, or other arguments.
    given = (
        e
        for e in called
        for entry in [entry_of(e.start.words)[:1]]
        if not e.file and ((names[id(e)] in its and entry in sources) or (names[id(e)] and entry == first))
    )
    if said := next(iter((*given, *called)), None):
        return said
    script = next((package.scripts[n] for n in MAIN_SCRIPTS if n in package.scripts), "")
    served = [e for e in rows if e.port or e.health]
    entry = entry_of(start_of(script, package).words) if script else ()
    same = [e for e in rows if entry and entry_of(e.start.words) == entry]
    near = [e for e in rows if entry and entry_of(e.start.words)[:1] == entry[:1] and operand_at(e.start.words)]
    alone = rows if len(rows) == 1 and (not script or near) else []
    return next(iter((*same, *served, *alone)), None)


def start_here(words: str | Sequence[str], facts: PackageFacts, everything: WorkspaceFacts) -> Start:
    """How a command of a package starts; one of a monorepo's root that starts other packages is none of its own."""
    package, members = facts.package, everything.workspace.packages
    start = start_of(words, package, members, everything.paths)
    if start.package is not None and start.package != package.path:
        return Start(reason="it starts other packages" if not package.path else f"it starts {start.package}")
    if not package.path and members:
        text = words if isinstance(words, str) else " ".join(words)
        if ORCHESTRATES.search(text) or any(re.search(rf"(?<![\w@./-]){re.escape(p.path)}\b", text) for p in members):
            return Start(reason="it starts other packages")
    start = replace(start, words=_relative(start.words, package.path))
    if _is_foreign_script(start.words, facts):
        return start_here(start.words[1:], facts, everything)
    if not package.path and members and not _names_own(start.words, facts):
        return Start(reason=start.reason or "it starts nothing of its own")
    return start


_STARTED_BY_SCRIPTS = frozenset({"node", "npm", "pnpm", "yarn", "npx", "tsx", "ts-node", "next"})
"""Behind a script that prepares something, or marks the lines of the log: `./prefix-output.sh node dist/index.js`."""


def _is_foreign_script(words: Sequence[str], facts: PackageFacts) -> bool:
    """Whether a command starts with a script that is not the package's own, and goes on with the process itself."""
    script = len(words) > 1 and words[0].endswith(".sh") and posixpath.basename(words[1]) in _STARTED_BY_SCRIPTS
    return script and words[0].removeprefix("./") not in facts.names


def _names_own(words: Sequence[str], facts: PackageFacts) -> bool:
    """Whether a command names a file that is there, or will be built of a source by that name, or a framework."""
    stems = {_stem(path) for path in facts.sources}
    return words[:1] in (("next",), ("nuxt",)) or any(_stem(w) in stems for w in words[1:] if not w.startswith("-"))


def _stem(path: str) -> str:
    return posixpath.basename(path).partition(".")[0]


def _relative(words: tuple[str, ...], path: str) -> tuple[str, ...]:
    """Words that name files from the root or from an image's /app, as the package itself names them."""
    cut = re.compile(rf"^(?:/[\w./-]*?)?/?{re.escape(path)}/(?=[^/])" if path else r"^\./(?=[^/])")
    home = re.compile(r"^/(?:usr/src/)?(?:app|home/node/app|workspace|srv)/(?=[\w.-])")
    return tuple(home.sub("", re.sub(rf"^\./{re.escape(path)}/", "./", cut.sub("", w))) for w in words)


_OF_DEVELOPERS = re.compile(r"(?:.*/)?(?:tools?|tooling|scripts?|internal|configs?|dev|build)/")
"""Folders whose commands are for developers; what production starts of them is found otherwise."""


def _candidates(facts: PackageFacts, everything: WorkspaceFacts) -> Iterator[tuple[str | Sequence[str], Found]]:
    """Commands in the order in which they are believed."""
    package = facts.package
    file = package.file("package.json")
    for name in MAIN_SCRIPTS:
        if text := script_text(package, name):
            yield text, Found(source=f"{file}: scripts.{name}")
    if RENDERS.search("\n".join(package.scripts.values())) and "preview" in package.scripts:
        yield package.scripts["preview"], Found(source=f"{file}: scripts.preview")
    if not is_published(package) and not _OF_DEVELOPERS.match(package.path):
        yield from _binaries(package, everything)
    yield from _main_file(facts, everything)
    if may_run(package, everything):
        yield from _from_development(package, everything, f"{file}: scripts.dev, without watching")


def _main_file(facts: PackageFacts, everything: WorkspaceFacts) -> Iterator[tuple[Sequence[str], Found]]:
    package = facts.package
    # What a bundler puts into the output is often a devDependency.
    private = {*package.dev_dependencies} if package.manifest.get("private") else set()
    app = not package.path and package.manifest.get("private") is True
    if app or (HTTP & {*package.dependencies, *private} and not is_published(package)):
        main = posixpath.normpath(str(package.manifest.get("main") or ""))
        there = "/" in main or main in facts.names
        if re.search(r"\.[cm]?js$", main) and there and may_run(package, everything):
            yield ("node", main), Found(source=f"{package.file('package.json')}: main", is_guess=True)


def _from_development(
    package: Package, everything: WorkspaceFacts, source: str
) -> Iterator[tuple[str | Sequence[str], Found]]:
    """What `dev` starts, when that is plainly the process itself: many packages have no other script for it."""
    text = re.sub(r"\b(tsx|node) (?:watch|--watch)\b", r"\1", package.scripts.get("dev", ""))
    words = start_of(text, package, everything.workspace.packages, everything.paths).words
    if words[:1] in (("tsx",), ("node",)) and _ENTRY.search(words[-1]):
        yield text, Found(source=source, is_guess=True)


_ENTRY = re.compile(r"^(?:\./)?(?:src/)?(?:index|main|server|app|worker|api|start|www)\.[cm]?[jt]sx?$")


def is_there(words: Sequence[str], facts: PackageFacts) -> bool:
    """Whether a command can be the package's own: a file beside package.json has to be there.

    `server.js` of Next.js lies in a folder that images do not have: they have what `next start` needs.
    """
    if "next" in facts.package.dependencies and "server.js" in " ".join(words) and "server.js" not in facts.names:
        return False
    file = words[1] if words[0] == "node" and len(words) > 1 else words[0] if words[0].startswith("./") else "-"
    plain = file.removeprefix("./")
    return plain.startswith(("-", "/")) or "/" in plain or plain == "." or bool({plain, f"{plain}.js"} & facts.names)


def _binaries(package: Package, everything: WorkspaceFacts) -> Iterator[tuple[Sequence[str], Found]]:
    """A single command line tool that nobody else uses."""
    if len(package.bins) == 1 and not is_used(package, everything):
        file = posixpath.normpath(next(iter(package.bins.values())))
        words = (f"./{file}",) if file.endswith(".sh") else ("node", file)
        yield words, Found(source=package.file("package.json: bin"), is_tool=True, is_guess=True)
