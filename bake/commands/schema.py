"""Print the JSON Schema of bake.toml, for editors."""

import argparse

from bake.config import config_schema
from bake.session import Session
from bake.table import to_json


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(_session: Session, _arguments: argparse.Namespace) -> int:
    """Print it."""
    print(to_json(config_schema()))
    return 0
