"""What an image is made of: its content as a hash, what it was made of before, what a change affects and why."""

from bake.inputs.affected import Reason, changed_packages, first, way
from bake.inputs.content import digest, load_contents, load_inputs
from bake.inputs.past import load_past, wanted
from bake.inputs.record import FirstStep, LastBuild, State, add, first_step, load_record, load_state, write_record
from bake.inputs.seen import seen_by_builds
from bake.inputs.since import Reasons, load_build_reasons, load_reasons, since_revision, since_state

__all__ = [
    "FirstStep",
    "LastBuild",
    "Reason",
    "Reasons",
    "State",
    "add",
    "changed_packages",
    "digest",
    "first",
    "first_step",
    "load_build_reasons",
    "load_contents",
    "load_inputs",
    "load_past",
    "load_reasons",
    "load_record",
    "load_state",
    "seen_by_builds",
    "since_revision",
    "since_state",
    "wanted",
    "way",
    "write_record",
]
