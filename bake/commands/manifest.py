"""Hand a push over to Kubernetes: `bake manifest --format kustomize`; or `bake manifest --check deploy/`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from bake.errors import BakeError, CheckError, UsageError
from bake.publish import (
    FILE_NAME,
    KUSTOMIZATION,
    Document,
    Release,
    check_manifests,
    join_releases,
    load_release,
    make_workload,
    parse_documents,
    render_manifest,
    render_workloads,
    used_images,
)
from bake.session import Selection, Session

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which push, and what to do with it."""
    parser.add_argument(
        "--release",
        action="append",
        metavar="FILE",
        type=Path,
        help="the push's manifest (default: the last push's); several: the last that has an image counts",
    )
    parser.add_argument(
        "--format",
        choices=("kustomize", "helm", "env", "json", "kubernetes"),
        default="kustomize",
        help="a kustomize component, values for Helm, variables for a shell, JSON, or all that runs the images",
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="with --format kubernetes: write a file per service there"
    )
    parser.add_argument(
        "--check", metavar="DIR", help="a folder, a file, or - for stdin: fail when it uses what was not built"
    )


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the images by digest, or check manifests."""
    release = join_releases([load_release(f) for f in arguments.release or [session.project.folder / FILE_NAME]])
    if arguments.check:
        return _check(session, arguments.check, release)
    if arguments.output and arguments.format != "kubernetes":
        raise UsageError("--output", "goes with --format kubernetes", "send the output to a file")
    if arguments.format == "kubernetes":
        return _workloads(session, release, arguments.output)
    print(render_manifest(release, arguments.format), end="")
    return 0


def _workloads(session: Session, release: Release, folder: Path | None) -> int:
    """Files in the folder; without one, everything that `kubectl apply -f -` takes."""
    plan = session.plan(Selection())
    wanted = [make_workload(session.project.config, image) for image in plan.images if release.image(image.target)]
    files = render_workloads(wanted, release)
    if folder is None:
        print("---\n".join(text for name, text in files.items() if name != KUSTOMIZATION), end="")
        return 0
    place = session.directory / folder
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    session.console.say(f"wrote {', '.join(files)} to {folder}; try `kubectl apply --dry-run=client -k {folder}`")
    return 0


def _check(session: Session, place: str, release: Release) -> int:
    """Status 1 when something does not fit."""
    documents = tuple(_documents(session, place))
    found = check_manifests(documents, release)
    for mismatch in found:
        print(mismatch)
    if found:
        raise CheckError("manifests", f"{len(found)} do{'es' * (len(found) == 1)} not fit the push", "see above")
    used = used_images(documents, release)
    if not used:
        session.console.warn(f"{place}: no container uses an image of {release.project}")
    of = f"{len(documents)} document{'s' * (len(documents) != 1)}"
    session.console.say(f"{used} container{'s' * (used != 1)} of {of} fit{'s' * (used == 1)} the push")
    return 0


def _documents(session: Session, place: str) -> Iterator[Document]:
    if place == "-":
        yield from parse_documents(sys.stdin.read(), "stdin")
        return
    path = session.directory / place
    if not path.exists():
        raise UsageError("--check", f"there is no {place}", "name a folder with manifests")
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.suffix in _SUFFIXES and f.is_file())
    for file in files:
        name = file.relative_to(path).as_posix() if path.is_dir() else place
        try:
            yield from parse_documents(_read(file, name), name)
        except BakeError as error:
            # Other tools' files lie among manifests, Helm's templates for one.
            session.console.warn(f"{error}; left out")


def _read(file: Path, name: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BakeError(name, f"cannot be read ({getattr(error, 'strerror', None) or 'it is not UTF-8'})") from None
