"""The lockfile as one graph, whichever package manager wrote it, and bake.lock."""

from bake.lockfile.bake_lock import FILE_NAME, BakeLock, LockedImage, complete, load_lock, make_lock, stale, write_lock
from bake.lockfile.hoist import hoisted
from bake.lockfile.lifecycle import LIFECYCLE, ScriptAdvice, advise, has_script, steps, unheeded
from bake.lockfile.lockfile import RELOCK, Entry, Lock, extra_target, is_counted
from bake.lockfile.npm import parse_bins, parse_lock, promote
from bake.lockfile.platforms import MissingPlatformPackage, foreign_entries, missing_platform_packages, node_platform

__all__ = [
    "BakeLock",
    "Entry",
    "FILE_NAME",
    "LIFECYCLE",
    "Lock",
    "LockedImage",
    "MissingPlatformPackage",
    "RELOCK",
    "ScriptAdvice",
    "advise",
    "complete",
    "extra_target",
    "foreign_entries",
    "has_script",
    "hoisted",
    "is_counted",
    "load_lock",
    "make_lock",
    "missing_platform_packages",
    "node_platform",
    "parse_bins",
    "parse_lock",
    "promote",
    "stale",
    "steps",
    "unheeded",
    "write_lock",
]
