"""What builds read outside their packages, by what kind of build it is."""

from bake.reads.beyond import load_beyond
from bake.reads.bundled import Bundled
from bake.reads.compiled import Reached
from bake.reads.outside import Outside, Read
from bake.reads.scripts import Bundling, Compilation, parse_build

__all__ = ["Bundled", "Bundling", "Compilation", "Outside", "Reached", "Read", "load_beyond", "parse_build"]
