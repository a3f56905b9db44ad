"""How packages are built where their `build` script does not tell, guessed for `bake init`. Pure."""

import posixpath
import re
from collections.abc import Iterator, Sequence

from bake.evidence import PackageFacts, WorkspaceFacts
from bake.files import normal
from bake.guess.usage import ORCHESTRATES
from bake.lockfile import preparing, unheeded
from bake.shell import called_scripts
from bake.workspace import Package, Workspace, own_steps


def build_script(facts: PackageFacts, everything: WorkspaceFacts, runs: Sequence[str]) -> tuple[str | bool, str]:
    """Return the script that builds a package (True for `build`, False for none), and why it is that one.

    runs: words of the commands that its processes start with.
    """
    if (said := _said(facts, everything)) and said[0] != "build":
        return said
    return _build(facts, runs, alone=not everything.workspace.packages)


_MAKES = re.compile(r"(?:^|[:_-])(?:build|bundle|compile|dist|production)(?:$|[:_-])")


def _said(facts: PackageFacts, everything: WorkspaceFacts) -> tuple[str, str] | None:
    """The script that production's build runs in the package; `build` where it is among several."""
    scripts = facts.package.scripts
    files = {e.file for e in everything.said.get(facts.package.path, ()) if e.file}
    calls = [c for c in everything.builds if c.package == facts.package.path and c.script in scripts]
    calls = [c for c in calls if c.source in files] or calls
    makes = [c for c in calls if _MAKES.search(c.script) and (facts.package.path or not _hands_on(scripts[c.script]))]
    best = next((c for c in makes if c.script == "build"), makes[0] if makes else None)
    return (best.script, f"{best.source} runs it") if best else None


def _hands_on(text: str) -> bool:
    """Whether a script of the root builds other packages."""
    calls = [*called_scripts(text)]
    return any(c.every or (c.packages and c.tool != "nx") for c in calls)


def _build(facts: PackageFacts, runs: Sequence[str], *, alone: bool) -> tuple[str | bool, str]:
    """The script that builds a package without a `build`, when something has to be built.

    alone: whether the root is the only package.
    """
    scripts = facts.package.scripts
    if "build" in scripts and (facts.package.path or alone or not ORCHESTRATES.search(scripts["build"])):
        return True, ""
    if "build" in scripts:
        name = next((n for n in ("build:app", "build:root", "build:server", "build:web", "tsc") if n in scripts), "")
        own = not name and own_steps(facts.package, "build")
        return (True, "") if own else (name or False, f"its script `build` builds every package: {scripts['build']}")
    if _prisma(facts) and (generate := next((n for n, text in scripts.items() if _GENERATE in text), "")):
        return generate, "it has no script `build`, and Prisma's client has to be generated"
    main = str(facts.package.manifest.get("main") or "")
    if not any(re.match(r"\.?/?(dist|build|lib|out)/", w) for w in (*runs, main)):
        return True, ""
    name = next((n for n in ("build:prod", "build:ts", "compile", "bundle", "tsc", "prepare") if n in scripts), "")
    return (name, f"it has no script `build`, but `{name}`") if name else (True, "")


_GENERATE = "prisma generate"


def _prisma(facts: PackageFacts) -> bool:
    """Whether Prisma generates a client from the package into node_modules, where no package's own files are."""
    generators = (m[0] for t in _schemas(facts) for m in re.finditer(r"^generator\s+\w+\s*\{[^}]*\}", t, re.M))
    return any('"prisma-client-js"' in g and not re.search(r"^\s*output\s*=", g, re.M) for g in generators)


def _schemas(facts: PackageFacts) -> Iterator[str]:
    return (text for name, text in facts.texts.items() if name.endswith(".prisma"))


def generated_files(facts: PackageFacts, workspace: Workspace) -> tuple[str, ...]:
    """Files in node_modules that the package's build makes.

    Source: prisma.io/docs/orm/prisma-client/setup-and-configuration/generating-prisma-client.
    """
    client = workspace.lock.resolve(facts.package.path, "@prisma/client") if _prisma(facts) else None
    return (f"{client.removesuffix('@prisma/client')}.prisma",) if client else ()


def started_elsewhere(package: Package, everything: WorkspaceFacts, runs: Sequence[str]) -> tuple[str, ...]:
    """Folders outside a package that a process starts a file of and no clone has: its build writes there.

    runs: words of the commands that its processes start with, from the package's folder.
    """
    files = (normal(word, folder=package.path) for word in runs if word.startswith("../"))
    folders = dict.fromkeys(posixpath.dirname(file) for file in files if file and file not in everything.paths)
    unknown = (f for f in folders if f not in {"", *everything.folders} and "node_modules" not in f.split("/"))
    return tuple(folder for folder in unknown if not everything.owner(folder).path)


def _runs(package: Package, name: str, wanted: str, depth: int = 0) -> bool:
    """Whether a script, what npm runs around it, or a script that it calls has some words in it."""
    texts = [package.scripts.get(f"{around}{name}", "") for around in ("pre", "", "post")]
    called = {n for t in texts for n in re.findall(r"(?:npm|pnpm|yarn|bun)(?: run)? ([\w:.-]+)", t)} - {name}
    return any(wanted in t for t in texts) or (depth < 4 and any(_runs(package, n, wanted, depth + 1) for n in called))


def install_notes(facts: PackageFacts) -> Iterator[str]:
    """Scripts of a package that npm runs at an install, and images' builds do not."""
    package = facts.package
    ran = preparing(package.scripts, "build")
    told = any(_runs(package, script, _GENERATE) for script in ("build", *ran))
    generates = _prisma(facts) and "build" in package.scripts and not told
    if generates:
        yield f"{package.path}: its build has to run `{_GENERATE}` first; write it into its scripts.build"
    for name, text in unheeded(package.scripts, "build"):
        if name not in ran and not (generates and _GENERATE in text):
            yield f"{package.path}: its `{name}` script does not run in builds: {text}"
