"""What an install reads: reduced manifests, the lockfile, the manager's own files."""

import posixpath
from collections.abc import Mapping
from typing import Any

from bake.lockfile import promote
from bake.plan import Plan, Project
from bake.render.json_text import json_text
from bake.workspace import Manager, manifest_settings, staged_files

_MANIFEST_FIELDS = (
    "name",
    "version",
    "private",
    "type",
    "workspaces",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "bundleDependencies",
    "bundledDependencies",
    "overrides",
    "bin",
    "engines",
    "os",
    "cpu",
    "libc",
    "packageManager",
)
"""What `npm ci` reads of a package.json. Source: @npmcli/arborist, lib/node.js and lib/shrinkwrap.js."""


def install_files(project: Project, plan: Plan) -> Mapping[str, str]:
    """What an install reads: every package.json, reduced, the lockfile and the manager's own files."""
    workspace = project.workspace
    files, changes = _locked(project, plan)
    skeletons = {
        posixpath.join(p.path, "package.json"): json_text(
            _skeleton(p.manifest, plan.install.manager) | dict(changes.get(p.path, {}))
        )
        for p in workspace.everyone
    }
    return {f"manifests/{name}": text for name, text in (files | skeletons).items()}


def _locked(project: Project, plan: Plan) -> tuple[dict[str, str], Mapping[str, Mapping[str, Any]]]:
    """The lockfile and settings, and the fields of manifests that change with them."""
    if plan.install.manager.name == "npm":
        raw, changes = promote(project.workspace.lock, plan.layers.extra)
        return {"package-lock.json": json_text(raw)}, changes
    files = dict(staged_files(plan.install.manager, plan.platforms, plan.install.libcs))
    manifest = project.workspace.root_package.manifest
    return files, {"": manifest_settings(plan.install.manager, manifest, plan.platforms, plan.install.libcs)}


def _skeleton(manifest: Mapping[str, Any], manager: Manager) -> dict[str, Any]:
    return {field: manifest[field] for field in (*_MANIFEST_FIELDS, *manager.fields) if field in manifest}
