"""The use case: a plan becomes images; what they are made of and what was built before."""

from bake.build.account import Account, BuiltImage, built_images, load_account, ran_steps, warnings_of, write_account
from bake.build.affected import Edits, Reason, Side, affected, changed_packages, everything, first, monolith, way
from bake.build.content import load_contents
from bake.build.current import Standing, learn, load_standing
from bake.build.lines import StepLines, explained
from bake.build.past import Past, changed_templates, load_past, wanted
from bake.build.phases import joined, overgrown, run_phases, settle
from bake.build.record import (
    FirstStep,
    LastBuild,
    State,
    add,
    first_step,
    load_changes,
    load_record,
    load_state,
    write_record,
)

__all__ = [
    "Account",
    "BuiltImage",
    "Edits",
    "FirstStep",
    "LastBuild",
    "Past",
    "Reason",
    "Side",
    "Standing",
    "State",
    "StepLines",
    "add",
    "affected",
    "built_images",
    "changed_packages",
    "changed_templates",
    "everything",
    "explained",
    "first",
    "first_step",
    "joined",
    "learn",
    "load_account",
    "load_changes",
    "load_contents",
    "load_past",
    "load_record",
    "load_standing",
    "load_state",
    "monolith",
    "overgrown",
    "ran_steps",
    "run_phases",
    "settle",
    "wanted",
    "warnings_of",
    "way",
    "write_account",
    "write_record",
]
