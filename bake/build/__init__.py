"""The use case: a plan becomes images; what they are made of and what was built before."""

from bake.build.account import Account, BuiltImage, built_images, load_account, ran_steps, warnings_of, write_account
from bake.build.current import Standing, learn, load_standing
from bake.build.findings import show_findings
from bake.build.lines import StepLines, explained
from bake.build.phases import joined, overgrown, run_phases, settle, write_plan

__all__ = [
    "Account",
    "BuiltImage",
    "Standing",
    "StepLines",
    "built_images",
    "explained",
    "joined",
    "learn",
    "load_account",
    "load_standing",
    "overgrown",
    "ran_steps",
    "run_phases",
    "settle",
    "show_findings",
    "warnings_of",
    "write_account",
    "write_plan",
]
