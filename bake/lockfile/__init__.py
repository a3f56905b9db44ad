"""The lockfile as one graph, whichever package manager wrote it, and bake.lock."""

from bake.lockfile.bake_lock import (
    FILE_NAME,
    BakeLock,
    LockedImage,
    complete,
    load_bake_lock,
    make_bake_lock,
    stale,
    write_bake_lock,
)
from bake.lockfile.graph import with_members
from bake.lockfile.hoist import hoisted
from bake.lockfile.lifecycle import LIFECYCLE, ScriptAdvice, advise, has_script, preparing, steps, unheeded
from bake.lockfile.lockfile import RELOCK, Entry, Lockfile, extra_target, is_counted
from bake.lockfile.npm import make_lockfile, make_production, parse_bins, parse_lockfile
from bake.lockfile.platforms import (
    MissingPlatformPackage,
    foreign_entries,
    missing_platform_packages,
    node_platform,
    runs_on,
)
from bake.lockfile.tarballs import record_integrities

__all__ = [
    "runs_on",
    "BakeLock",
    "Entry",
    "FILE_NAME",
    "LIFECYCLE",
    "Lockfile",
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
    "load_bake_lock",
    "make_bake_lock",
    "make_lockfile",
    "missing_platform_packages",
    "node_platform",
    "parse_bins",
    "parse_lockfile",
    "make_production",
    "record_integrities",
    "stale",
    "preparing",
    "steps",
    "unheeded",
    "with_members",
    "write_bake_lock",
]
