"""Print the JSON Schema of bake.toml, for editors."""

import argparse
import json

from bake.config import config_schema
from bake.session import Session


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(_session: Session, _arguments: argparse.Namespace) -> int:
    """Print it."""
    print(json.dumps(config_schema(), indent=2))
    return 0
