"""What an install reads: reduced manifests, the lockfile, the manager's own files."""

import posixpath
from collections.abc import Mapping
from typing import Any

from bake.lockfile import make_production
from bake.plan import Plan
from bake.project import Project
from bake.render.json_text import json_text
from bake.workspace import manifest_settings, staged_files

_NOT_READ = frozenset(
    {
        *("scripts", "description", "keywords", "author", "contributors", "maintainers", "homepage", "bugs"),
        *("repository", "license", "licenses", "funding", "man", "config"),
        *("main", "module", "browser", "types", "typings", "typesVersions", "exports", "imports", "sideEffects"),
        *(
            "browserslist",
            "babel",
            "jest",
            "vitest",
            "ava",
            "mocha",
            "nyc",
            "c8",
            "tap",
            "eslintConfig",
            "eslintIgnore",
        ),
        *("prettier", "stylelint", "postcss", "lint-staged", "husky", "commitlint", "simple-git-hooks", "size-limit"),
        *("release", "nx", "turbo", "wireit", "prisma", "nodemonConfig", "tsup", "unbuild", "exports-dev"),
    }
)
"""Fields of a package.json that no package manager reads in an install without scripts: an edit reruns none."""


def install_files(project: Project, plan: Plan) -> Mapping[str, str]:
    """What an install reads: every package.json, reduced, the lockfile and the manager's own files."""
    workspace = project.workspace
    files, changes = _locked(project, plan)
    skeletons = {
        posixpath.join(p.path, "package.json"): json_text(_skeleton(p.manifest) | dict(changes.get(p.path, {})))
        for p in workspace.everyone
    }
    return {f"manifests/{name}": text for name, text in (dict(_commands(project)) | files | skeletons).items()}


def _locked(project: Project, plan: Plan) -> tuple[dict[str, str], Mapping[str, Mapping[str, Any]]]:
    """The lockfile and settings, and the fields of manifests that change with them."""
    if plan.install.manager.name == "npm":
        raw, changes = make_production(project.workspace.lock, plan.layers.extra)
        return {"package-lock.json": json_text(raw)}, changes
    # All of bake.toml's, whatever this build is for: a build for one more platform installs and compiles nothing again.
    platforms = tuple(dict.fromkeys((*project.config.project.platforms, *plan.platforms)))
    files = dict(staged_files(plan.install.manager, platforms, plan.install.libcs))
    manifest = project.workspace.root_package.manifest
    return files, {"": manifest_settings(plan.install.manager, manifest, platforms, plan.install.libcs)}


def _skeleton(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in manifest.items() if field not in _NOT_READ}


def _commands(project: Project) -> Mapping[str, str]:
    """A stand-in for each command of a workspace package: npm and yarn 1 link only what is there."""
    there = (file for package in project.workspace.packages for file in project.commands(package))
    return dict.fromkeys(there, "#!/usr/bin/env node\n")
