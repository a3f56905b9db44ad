"""Everything that will be built, as one value: images, stages, closures, layers, cache."""

from bake.plan.cache import WORKSPACE, Cache, plan_cache
from bake.plan.check import Finding, check, errors
from bake.plan.closure import Closure, closure
from bake.plan.dockerfiles import MONOLITH, Dockered, Monolith, Recipe
from bake.plan.images import EXPORTER, TREE, Image, ServiceImage, Target, home, image_needs
from bake.plan.layers import LayerClass
from bake.plan.names import Name, Names, content_patterns, name_images, names_commit
from bake.plan.outputs import Output
from bake.plan.plan import Plan, make_plan, select
from bake.plan.request import Request
from bake.plan.services import BuiltBase, ServiceStage, emulated_work, named_libc, service_libcs
from bake.plan.stages import Loads, Stage
from bake.plan.turns import TURNS, Turns

__all__ = [
    "BuiltBase",
    "Cache",
    "Closure",
    "Dockered",
    "EXPORTER",
    "Finding",
    "Image",
    "LayerClass",
    "MONOLITH",
    "Monolith",
    "Name",
    "Names",
    "Output",
    "Plan",
    "ServiceImage",
    "Recipe",
    "Request",
    "Loads",
    "ServiceStage",
    "Stage",
    "TREE",
    "Target",
    "TURNS",
    "Turns",
    "WORKSPACE",
    "check",
    "closure",
    "content_patterns",
    "emulated_work",
    "errors",
    "home",
    "image_needs",
    "make_plan",
    "name_images",
    "names_commit",
    "named_libc",
    "plan_cache",
    "select",
    "service_libcs",
]
