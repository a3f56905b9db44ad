"""What the monorepo is: its packages, package managers, compiler settings and ignored files."""

from bake.workspace.contexts import DockerContext, load_docker_context, pattern_below, read_dockerignore
from bake.workspace.dockerfile import (
    HEREDOC,
    Dockerfile,
    parse_own_dockerfile,
    parse_stages,
    read_instructions,
    used_images,
)
from bake.workspace.ignored import (
    BESIDE,
    NEVER_SENT,
    RESULTS,
    UNTRACKED,
    Part,
    anywhere,
    literal,
    load_git_ignored,
    load_parts,
    parse_dockerignore,
    untracked,
)
from bake.workspace.managers import BUILD_ROOT, Manager, manifest_settings, parse_package_manager, staged_files
from bake.workspace.order import find_circle, find_way, in_order
from bake.workspace.packages import ROOT, Package, Workspace, load_workspace, shown, tsconfigs_of
from bake.workspace.patches import TOOL, Patches, load_patches
from bake.workspace.tasks import ORCHESTRATORS, Tasks, load_tasks, own_steps, unplaced_makers
from bake.workspace.tsconfig import Aliases, TsConfig, TsConfigs, TsProgram, parse_jsonc
from bake.workspace.vendored import load_vendored

__all__ = [
    "Aliases",
    "BESIDE",
    "BUILD_ROOT",
    "DockerContext",
    "Dockerfile",
    "HEREDOC",
    "Manager",
    "NEVER_SENT",
    "ORCHESTRATORS",
    "Package",
    "Part",
    "Patches",
    "RESULTS",
    "ROOT",
    "TOOL",
    "Tasks",
    "TsConfig",
    "TsConfigs",
    "TsProgram",
    "UNTRACKED",
    "Workspace",
    "anywhere",
    "find_circle",
    "find_way",
    "in_order",
    "literal",
    "load_docker_context",
    "load_git_ignored",
    "load_parts",
    "load_patches",
    "load_tasks",
    "load_vendored",
    "load_workspace",
    "manifest_settings",
    "own_steps",
    "parse_dockerignore",
    "parse_jsonc",
    "parse_own_dockerfile",
    "parse_package_manager",
    "parse_stages",
    "pattern_below",
    "read_dockerignore",
    "read_instructions",
    "shown",
    "staged_files",
    "tsconfigs_of",
    "untracked",
    "unplaced_makers",
    "used_images",
]
