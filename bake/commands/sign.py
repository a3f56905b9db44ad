"""Sign every image of a push, by digest, and its manifest with cosign: by the CI job's identity, or by a key."""

import argparse
from pathlib import Path

from bake.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which push, and with what."""
    parser.add_argument("manifest", metavar="MANIFEST", type=Path, help="the push's release.json or .toml")
    parser.add_argument("--key", metavar="KEY", default="", help="a key as cosign takes it: a file, a KMS, env://NAME")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Let cosign sign; its words and its status are shown."""
    from bake.engine import call_tool
    from bake.publish import bundle_of, load_push, sign_calls

    release = load_push(arguments.manifest)
    for words in sign_calls(release, arguments.manifest, arguments.key, session.environment):
        call_tool(words, "install it: docs.sigstore.dev/cosign")
    count = len(release.everywhere)
    session.console.say(f"{count} image{'s' * (count != 1)} signed; {bundle_of(arguments.manifest)} signs the manifest")
    return 0
