"""What a repository's files say, read safely as text, JSON, TOML, YAML and .npmrc, and the folder that bake writes."""

from bake.files.alone import working_alone
from bake.files.diff import unified_diff
from bake.files.folder import ignore_in_git, read_file, write_file, write_files
from bake.files.glob import expand_glob
from bake.files.history import HISTORY, read_chapter, write_chapter
from bake.files.inside import is_below, is_inside, normal, require_inside
from bake.files.npmrc import Npmrc, expand_variables, npmrc_option, parse_npmrc, strip_credentials, wants_login
from bake.files.pointers import load_pointers
from bake.files.read import decode, parse_json, parse_object, parse_toml, read_text
from bake.files.scratch import scratch_folder
from bake.files.shape import ANY, Shape, check_shape
from bake.files.yaml import parse_documents, parse_yaml, table, to_yaml, words

__all__ = [
    "ANY",
    "HISTORY",
    "Npmrc",
    "Shape",
    "check_shape",
    "decode",
    "expand_glob",
    "expand_variables",
    "ignore_in_git",
    "is_below",
    "is_inside",
    "load_pointers",
    "normal",
    "npmrc_option",
    "parse_documents",
    "parse_json",
    "parse_npmrc",
    "parse_object",
    "parse_toml",
    "parse_yaml",
    "read_chapter",
    "read_file",
    "read_text",
    "require_inside",
    "scratch_folder",
    "strip_credentials",
    "table",
    "unified_diff",
    "to_yaml",
    "wants_login",
    "words",
    "working_alone",
    "write_chapter",
    "write_file",
    "write_files",
]
