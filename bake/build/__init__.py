"""The use case: a plan becomes images, in the engine or in a registry, and what is told of it."""

from bake.build.account import Account, BuiltImage, Leg, load_account
from bake.build.build import build, check_build
from bake.build.findings import show_findings
from bake.build.options import Options, Outcome
from bake.build.present import load_uploads
from bake.build.ready import Ready, make_ready, write_plan

__all__ = [
    "Account",
    "BuiltImage",
    "Leg",
    "Options",
    "Outcome",
    "Ready",
    "build",
    "check_build",
    "load_account",
    "load_uploads",
    "make_ready",
    "show_findings",
    "write_plan",
]
