"""What builds read outside their packages, by what kind of build it is."""

from bake.reads.outside import Outside, Read
from bake.reads.scripts import Compilation, parse_build

__all__ = ["Compilation", "Outside", "Read", "parse_build"]
