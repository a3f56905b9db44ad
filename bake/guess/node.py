"""Which Node production runs: Dockerfiles first, then what developers' tools and package.json say. Pure."""

import re

from bake.evidence import WorkspaceFacts
from bake.semver import satisfies

DEFAULT_NODE = 24
_LTS = (24, 22, 20, 18, 16, 14)
_LTS_NAMES = {"krypton": 24, "jod": 22, "iron": 20, "hydrogen": 18, "gallium": 16, "*": DEFAULT_NODE}


def find_node(facts: WorkspaceFacts) -> tuple[int, str]:
    """The major version of Node and the file that says it; (default, "") when none does."""
    majors = [
        (_major(version), f"{file}: Node {version}" if "." in version else file) for file, version in _stated(facts)
    ]
    if majors := [m for m in majors if m[0]]:
        return majors[0] if len({m[0] for m in majors}) == 1 else max(majors, key=lambda one: one[0])
    manifest = facts.workspace.root_package.manifest
    volta = manifest.get("volta")
    tools = re.search(r"^nodejs\s+(\S+)", facts.texts.get(".tool-versions", ""), re.M)
    stated = (
        (facts.texts.get(".nvmrc", ""), ".nvmrc"),
        (facts.texts.get(".node-version", ""), ".node-version"),
        (str(volta.get("node", "")) if isinstance(volta, dict) else "", "package.json: volta"),
        (tools[1] if tools else "", ".tool-versions"),
    )
    engines = manifest.get("engines")
    wanted = str(engines.get("node", "")) if isinstance(engines, dict) else ""
    for text, source in stated:
        # A file that engines contradict is a forgotten one.
        if (major := _major(text.strip())) and (not wanted or satisfies(f"{major}.99.0", wanted)):
            return major, source
    return (_fitting(wanted), f"package.json: engines.node {wanted}") if wanted else (DEFAULT_NODE, "")


def _stated(facts: WorkspaceFacts) -> list[tuple[str, str]]:
    return [(file, version) for version, file in facts.nodes]


def _major(text: str) -> int:
    named = text.lower().removeprefix("lts/")
    if named in _LTS_NAMES:
        return _LTS_NAMES[named]
    found = re.match(r"v?(\d+)", text)
    return int(found[1]) if found else 0


def _fitting(wanted: str) -> int:
    """The newest long-term version that a range allows, else the first number in it."""
    fits = (major for major in _LTS if satisfies(f"{major}.99.0", wanted))
    number = re.search(r"\d+", wanted)
    return next(fits, int(number[0]) if number else DEFAULT_NODE)
