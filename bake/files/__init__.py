"""What a repository's files say, read and written safely: YAML, .npmrc, and the folder of generated files."""

from bake.files.folder import ignore_in_git, replace_file, write_files
from bake.files.npmrc import Npmrc, expand_variables, npmrc_option, parse_npmrc, strip_credentials, wants_login
from bake.files.yaml import parse_yaml, table, words

__all__ = [
    "Npmrc",
    "expand_variables",
    "ignore_in_git",
    "npmrc_option",
    "parse_npmrc",
    "parse_yaml",
    "replace_file",
    "strip_credentials",
    "table",
    "wants_login",
    "words",
    "write_files",
]
