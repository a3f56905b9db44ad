"""Everything that will be built, as one value: images, stages, closures, layers, cache."""

from bake.plan.cache import WORKSPACE, Cache
from bake.plan.check import Finding, check, errors
from bake.plan.closure import Closure, closure
from bake.plan.images import EXPORTER, TREE, Image, home
from bake.plan.layers import LayerClass
from bake.plan.monolith import MonolithTarget
from bake.plan.names import content_patterns, content_references, names_commit
from bake.plan.outputs import Output
from bake.plan.plan import Plan, make_plan, retagged, select
from bake.plan.project import EJECTED, FOLDER, TEMPLATES, Project, base_images, load_project
from bake.plan.request import Request
from bake.plan.services import ServiceStage, named_libc, service_libcs
from bake.plan.stages import Stage

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
    "names_commit",
    "retagged",
    "select",
    "service_libcs",
]
