"""All that a plan is made of, as one value: bake.toml, the workspace, bake.lock and what the files tell."""

from bake.project.project import (
    EJECTED,
    TEMPLATES,
    Project,
    argument_value,
    base_images,
    load_project,
    load_tsconfigs,
    minimal_images,
    own_base,
    runtime_images,
)
from bake.project.reading import FOLDER, Earlier, make_listing

__all__ = [
    "EJECTED",
    "Earlier",
    "FOLDER",
    "Project",
    "TEMPLATES",
    "argument_value",
    "base_images",
    "load_project",
    "load_tsconfigs",
    "make_listing",
    "minimal_images",
    "own_base",
    "runtime_images",
]
