"""What packages are to each other: libraries, tools for others, or something that runs. Pure."""

import re

from bake.evidence import WorkspaceFacts
from bake.workspace import ORCHESTRATORS, Package

ORCHESTRATES = re.compile(
    rf"\b(?:{'|'.join(ORCHESTRATORS)})\b"
    r"|\b(?:npm|pnpm|yarn|bun)\b[^&|;]*\s(?:-ws?|--workspaces?|--filter|-F|--prefix|-C|--cwd|-r|--recursive)\b"
    r"|\byarn workspaces?\b"
)
"""Commands that start or build other packages than their own."""

APPS = ("apps/", "services/", "servers/")
"""Folders whose packages run."""


def is_library(package: Package, everything: WorkspaceFacts) -> bool:
    """Whether other packages import it, here or elsewhere, whatever builds it."""
    has_entry = bool({"main", "module", "exports"} & package.manifest.keys())
    return is_published(package) or (has_entry and is_used(package, everything))


def is_published(package: Package) -> bool:
    """Whether others install the package from a registry: a library or a tool, no service."""
    return not package.manifest.get("private") and bool({"publishConfig", "files"} & package.manifest.keys())


def is_used(package: Package, everything: WorkspaceFacts) -> bool:
    """Whether another package depends on it."""
    return any(package.name in {*p.dependencies, *p.dev_dependencies} for p in everything.workspace.packages)


def may_run(package: Package, everything: WorkspaceFacts) -> bool:
    """Whether nobody uses a package, or its place says that it runs: frontends use the types of servers."""
    return not is_used(package, everything) or package.path.startswith(APPS)
