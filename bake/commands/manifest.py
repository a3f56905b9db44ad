"""Hand a push over to Kubernetes: its digests, what they restart, and whether manifests fit them."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bake.errors import BakeError, CheckError, UsageError, WorkspaceError
from bake.publish import (
    FILE_NAME,
    KUSTOMIZATION,
    Document,
    Release,
    check_manifests,
    compare_digests,
    compare_inputs,
    deployed_digests,
    find_digests,
    join_releases,
    load_release,
    make_workload,
    parse_documents,
    render_manifest,
    render_rolls,
    render_workloads,
    replace_digests,
    summarise_rolls,
    used_images,
)
from bake.session import Selection, Session

if TYPE_CHECKING:
    from bake.publish import RollForm

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
        choices=("kustomize", "helm", "env", "json", "kubernetes", "text", "markdown"),
        help="a kustomize component (default), values for Helm, variables for a shell, JSON, or all that runs the "
        "images; with --against: text (default), markdown or json",
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="with --format kubernetes: write a file per service there"
    )
    parser.add_argument(
        "--check", metavar="DIR", help="a folder, a file, or - for stdin: fail when it uses what was not built"
    )
    parser.add_argument(
        "--against",
        metavar="RELEASE|REV|DIR",
        help="tell which images roll against a push, a commit or what is deployed",
    )
    parser.add_argument(
        "--write", metavar="DIR", help="put the push's digests into the files there that have older ones"
    )


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the images by digest, or check manifests."""
    form: Any = arguments.format or ("text" if arguments.against else "kustomize")
    if (form in {"text", "markdown"}) != bool(arguments.against) and form != "json":
        raise UsageError("--format", f"{form} {'goes with' if not arguments.against else 'is not for'} --against")
    if arguments.output and form != "kubernetes":
        raise UsageError("--output", "goes with --format kubernetes", "send the output to a file")
    if arguments.against:
        return _rolls(session, arguments, form)
    release = _release(session, arguments)
    if arguments.check:
        return _check(session, arguments.check, release)
    if arguments.write:
        return _write(session, arguments.write, release)
    if form == "kubernetes":
        return _workloads(session, release, arguments.output)
    print(render_manifest(release, form), end="")
    return 0


def _release(session: Session, arguments: argparse.Namespace) -> Release:
    return join_releases([load_release(f) for f in arguments.release or [session.project.folder / FILE_NAME]])


def _rolls(session: Session, arguments: argparse.Namespace, form: "RollForm") -> int:
    """Print which images roll: by digests against a push or a folder, by what they are made of against a commit."""
    place = session.directory / arguments.against
    if place.is_file():
        old = load_release(place)
        release = _release(session, arguments)
        before = {i.image: i.digest for i in old.images}
        rolls = compare_digests(before, release, _changed(session, old.revision, release))
    elif place.is_dir():
        release = _release(session, arguments)
        texts = dict(_texts(session, arguments.against, "--against"))
        deployed, wrong = deployed_digests(texts, release)
        for error in wrong:
            session.console.warn(f"{error}; left out")
        rolls = compare_digests(deployed, release, {})
    else:
        rolls = compare_inputs(_inputs(session, arguments.against))
    print(render_rolls(rolls, form), end="")
    session.console.say(summarise_rolls(rolls))
    return 0


def _changed(session: Session, revision: str, release: Release) -> Mapping[str, tuple[str, ...]]:
    """What changed since a push; nothing where another commit than the newer push's is checked out."""
    if not revision or release.revision != session.head.revision:
        session.console.warn("inputs are not told: the push's commit is not the one that is checked out")
        return {}
    try:
        return _inputs(session, revision)
    except (UsageError, WorkspaceError) as error:
        session.console.warn(f"inputs are not told: {error}")
        return {}


def _inputs(session: Session, revision: str) -> Mapping[str, tuple[str, ...]]:
    """Image -> the inputs that differ from a commit's."""
    from bake.inputs import since_revision

    plan = session.plan(Selection())
    found = since_revision(session.project, plan, session.tree, revision)
    return {target: tuple(reason.what for reason in found.get(target, ())) for target in plan.targets}


def _write(session: Session, place: str, release: Release) -> int:
    """Put the push's digests where older ones stand; says each."""
    folder, count, spots = session.directory / place, 0, 0
    for name, text in _texts(session, place, "--write"):
        try:
            found = find_digests(text, name, release)
        except BakeError as error:
            session.console.warn(f"{error}; left out")
            continue
        spots += len(found)
        if (new := replace_digests(text, found, release)) != text:
            (folder / name if folder.is_dir() else folder).write_bytes(new.encode())
            for spot in (s for s in found if (image := release.image(s.image)) and image.digest != s.digest):
                print(f"{name}:{spot.line}: {spot.image}")
                count += 1
    if not spots:
        session.console.warn(f"{place}: no digest of an image of {release.project} stands there")
    session.console.say(f"{count} digest{'s' * (count != 1)} changed, {spots - count} stayed")
    return 0


def _workloads(session: Session, release: Release, folder: Path | None) -> int:
    """Files in the folder; without one, everything that `kubectl apply -f -` takes."""
    plan = session.plan(Selection())
    wanted = [make_workload(session.project.config, image) for image in plan.processes if release.image(image.target)]
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
    for name, text in _texts(session, place, "--check"):
        try:
            yield from parse_documents(text, name)
        except BakeError as error:
            # Other tools' files lie among manifests, Helm's templates for one.
            session.console.warn(f"{error}; left out")


def _texts(session: Session, place: str, option: str) -> Iterator[tuple[str, str]]:
    """Name and text of a file, or of every manifest in a folder; those that cannot be read are said and left out."""
    path = session.directory / place
    if not path.exists():
        raise UsageError(option, f"there is no {place}", "name a folder with manifests")
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.suffix in _SUFFIXES and f.is_file())
    for file in files:
        name = file.relative_to(path).as_posix() if path.is_dir() else place
        try:
            yield name, file.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or "it is not UTF-8"
            session.console.warn(f"{name}: cannot be read ({said}); left out")
