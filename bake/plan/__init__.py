"""Everything that will be built, as one value: images, stages, closures, layers, cache."""

from bake.plan.cache import WORKSPACE, Cache
from bake.plan.check import Finding, check, errors
from bake.plan.closure import Closure, closure
from bake.plan.layers import LayerClass
from bake.plan.plan import (
    EXPORTER,
    TREE,
    Image,
    MonolithTarget,
    Output,
    Plan,
    Request,
    ServiceStage,
    Stage,
    content_patterns,
    content_references,
    home,
    make_plan,
    named_libc,
    retagged,
    select,
    service_libcs,
)
from bake.plan.project import EJECTED, FOLDER, TEMPLATES, Project, base_images, load_project

__all__ = [
    "Cache",
    "Closure",
    "EJECTED",
    "EXPORTER",
    "FOLDER",
    "Finding",
    "Image",
    "LayerClass",
    "MonolithTarget",
    "Output",
    "Plan",
    "Project",
    "Request",
    "ServiceStage",
    "Stage",
    "TEMPLATES",
    "TREE",
    "WORKSPACE",
    "base_images",
    "check",
    "closure",
    "content_patterns",
    "content_references",
    "errors",
    "home",
    "load_project",
    "make_plan",
    "named_libc",
    "retagged",
    "select",
    "service_libcs",
]
