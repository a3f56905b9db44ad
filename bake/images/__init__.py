"""Built images: what is in them, what they weigh, whether they are the same, whether they start."""

from bake.images.blobs import Layer, Stored
from bake.images.files import (
    keepers,
    open_image,
    open_monolith,
    packages_of,
    read_files,
    read_fleet,
    require_images,
)
from bake.images.fleet import load_images, load_previous_images
from bake.images.held import Held, held_packages
from bake.images.layer_map import Block, layer_map
from bake.images.parity import Inventory, Item, Parity, compare_inventories, join_inventories, variables
from bake.images.read import Images, load_engine_images, load_registry_images
from bake.images.repro import Comparison, load_comparison
from bake.images.sizes import (
    Excess,
    FleetSize,
    Growth,
    ImageSize,
    Parts,
    Size,
    changed,
    grown,
    measure,
    measure_fleet,
    over_budget,
)
from bake.images.traces import TracedPackage, trace_images
from bake.images.trial import Known, Result, Trial, add_lost, attempt, make_trial, start_dependencies
from bake.images.verify import Content, Tally, compare_trees, part

__all__ = [
    "Known",
    "Block",
    "Comparison",
    "Content",
    "Excess",
    "FleetSize",
    "Growth",
    "Held",
    "ImageSize",
    "Images",
    "Inventory",
    "Item",
    "Layer",
    "Parity",
    "Parts",
    "Result",
    "Size",
    "Stored",
    "Tally",
    "TracedPackage",
    "Trial",
    "add_lost",
    "attempt",
    "changed",
    "compare_inventories",
    "compare_trees",
    "grown",
    "held_packages",
    "join_inventories",
    "keepers",
    "layer_map",
    "load_comparison",
    "load_engine_images",
    "load_images",
    "load_previous_images",
    "load_registry_images",
    "make_trial",
    "measure",
    "measure_fleet",
    "open_image",
    "open_monolith",
    "over_budget",
    "packages_of",
    "part",
    "read_files",
    "read_fleet",
    "require_images",
    "start_dependencies",
    "trace_images",
    "variables",
]
