"""What code imports and names, and what a start command needs."""

from bake.sources.bundled import load_bundles
from bake.sources.git_calls import load_git_call
from bake.sources.imports import Import, Undeclared, imported_packages, load_imports, undeclared
from bake.sources.kept import LOADERS, NEVER, SETTINGS_READERS, keeper, left_out, path_matcher, unneeded
from bake.sources.mentions import Named, load_mentions, load_named, script_words
from bake.sources.needs import Needs, command_binaries, command_needs, outer_paths
from bake.sources.programs import TOGETHER, Program, commands_beside, identity, parse_programs
from bake.sources.start import Start, is_usual_mode, platform_of, run_before, script_text, start_of, with_defaults
from bake.sources.writes import KEEPERS, Written, kept_empty, load_written

__all__ = [
    "Import",
    "KEEPERS",
    "LOADERS",
    "NEVER",
    "Named",
    "Needs",
    "Program",
    "SETTINGS_READERS",
    "Start",
    "TOGETHER",
    "Undeclared",
    "Written",
    "command_binaries",
    "command_needs",
    "commands_beside",
    "path_matcher",
    "identity",
    "imported_packages",
    "is_usual_mode",
    "keeper",
    "kept_empty",
    "left_out",
    "load_bundles",
    "load_git_call",
    "load_imports",
    "load_mentions",
    "load_named",
    "load_written",
    "outer_paths",
    "parse_programs",
    "platform_of",
    "run_before",
    "script_text",
    "script_words",
    "start_of",
    "undeclared",
    "unneeded",
    "with_defaults",
]
