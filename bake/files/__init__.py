"""What a repository's files say, read and written safely: YAML, and the folder of generated files."""

from bake.files.folder import ignore_in_git, replace_file, write_files
from bake.files.yaml import parse_yaml, table, words

__all__ = [
    "ignore_in_git",
    "parse_yaml",
    "replace_file",
    "table",
    "words",
    "write_files",
]
