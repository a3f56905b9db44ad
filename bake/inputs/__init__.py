"""What an image is made of, as {what: digest}: its content tag, what a change affects, and why."""

from bake.inputs.content import Inputs, digest, load_contents, load_inputs
from bake.inputs.handed import Handed, handed, keep_undeclared, load_undeclared
from bake.inputs.past import earlier_project
from bake.inputs.places import absence, in_clone, kept_from_builds
from bake.inputs.presence import Presence, presence
from bake.inputs.reasons import Reason, changed_packages, first, way
from bake.inputs.record import FirstStep, LastBuild, add, first_step, load_record, write_record
from bake.inputs.since import Reasons, before_last, load_build_reasons, load_reasons, since_revision
from bake.inputs.tree import Present

__all__ = [
    "FirstStep",
    "Handed",
    "Inputs",
    "LastBuild",
    "Presence",
    "Present",
    "Reason",
    "Reasons",
    "absence",
    "add",
    "before_last",
    "changed_packages",
    "digest",
    "earlier_project",
    "first",
    "first_step",
    "handed",
    "in_clone",
    "keep_undeclared",
    "kept_from_builds",
    "load_build_reasons",
    "load_contents",
    "load_inputs",
    "load_reasons",
    "load_record",
    "load_undeclared",
    "presence",
    "since_revision",
    "way",
    "write_record",
]
