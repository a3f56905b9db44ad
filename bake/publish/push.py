"""Publishing in two phases: every image reaches the registry first, then all tags move together.

A registry can neither move several tags at once nor lock one. So a push writes its tags, looks at all of them again
and repeats that until they are all its own (`_settle_tags`): whichever push writes last also looks last, and sees
only its own, as if the two had come one after the other. Images tell no commit, so neither knows which is the newer.
"""

import contextlib
import dataclasses
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bake.config import Reference, parse_reference
from bake.errors import BakeError, BuildError, RegistryError
from bake.plan import EXPORTER
from bake.publish.release import Release, ReleasedImage, ReleasedPlatform, write_release
from bake.registry import (
    Copier,
    DeniedError,
    Manifest,
    NotFoundError,
    QuotaError,
    Registry,
    Response,
    UnauthorizedError,
    UnreachableError,
    refusal,
)

if TYPE_CHECKING:
    from bake.plan import Names, Plan

T = TypeVar("T")
Wait = Callable[[float], None]
"""Sleeps for so many seconds."""

_THREADS = 8
_ROUNDS = 8
"""How often a push writes tags that another push keeps taking."""
_PAUSE = 2.0
"""Seconds at most before a push takes tags back: longer than a round of writing and reading, and by chance, so that
two pushes do not keep step."""
_STATUS = re.compile(r"unexpected status(?: from \w+ request to \S+)?(?: code)?:? (?:\[?\S+\]?: )?(\d{3})\b")
_BROKEN = re.compile(
    r"\bEOF\b|connection reset|broken pipe|timeout|timed out|connection refused|server misbehaving|GOAWAY|"
    r"use of closed network connection|transport connection broken",
    re.I,
)
_SETTINGS = (
    (
        "HTTP response to HTTPS client",
        "speaks plain HTTP, and the builder expects HTTPS",
        'add "{host}" to insecure-registries in /etc/docker/daemon.json (or to buildkitd.toml with http = true)',
    ),
    (
        "x509: ",
        "its certificate is not trusted by the builder",
        "put the CA into /etc/docker/certs.d/{host}/ca.crt (or into buildkitd.toml)",
    ),
    ("no such host", "its name is not known to the builder", "check the name and the builder's DNS"),
)
"""Words of Go's net/http and crypto/x509 -> what is the matter, what to do."""
_UNKNOWN_LOGIN = re.compile(r"unauthorized|authentication required|no basic auth credentials|failed to authorize", re.I)
_DENIED = re.compile(r"denied|insufficient_scope|forbidden", re.I)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The tag that stands for all that decides an image: equal tags, equal images.

    It lies beside the others in the image's own repository: whoever may push there may write it, who cleans up there
    keeps or deletes it with the image, and an image that has it need not be copied to get its other tags.
    bases: digests of base images that no lock pins, as the tag has them.
    """

    tag: str
    bases: Mapping[str, str]

    def is_true(self, said: Mapping[str, str]) -> bool:
        """Whether BuildKit took the base images that the tag was made for. said: the digests that it took of tags."""
        return all(said.get(str(parse_reference(name))) == digest for name, digest in self.bases.items())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One image to be pushed. repository: with its host. tags: those that move to it in the end.

    there: its digest when the registry has it already; it is not built, and gets its tags like the others.
    mark: the tag that it keeps whatever becomes of those; None where nobody can tell what decides it. mirror: whether
    it is a copy in another registry than the one that is built to.
    """

    image: str
    repository: str
    tags: tuple[str, ...]
    there: str = ""
    mark: Mark | None = None
    mirror: bool = False

    def at(self, tag: str) -> Reference:
        """The repository's tag."""
        return parse_reference(f"{self.repository}:{tag}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Images in the registry that wait for their tags.

    digests: image -> its index or manifest. marks: image -> the tag that it gets for what it is made of.
    """

    uploads: tuple[Upload, ...]
    digests: Mapping[str, str]
    marks: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A tag and the manifest that it is to have."""

    tag: Reference
    manifest: Manifest


class HalfMovedError(RegistryError):
    """Tags could neither all be moved nor all be put back.

    left: the tags that stand on the new image -> the digest they had, "" for none. release: a manifest of just
    these, which `rollback` takes.
    """

    def __init__(self, cause: BaseException, left: Mapping[Reference, str]) -> None:
        where, what = (cause.where, cause.what) if isinstance(cause, BakeError) else ("tags", "interrupted")
        super().__init__(where, f"{what}; tags that had moved could not be put back: {', '.join(map(str, left))}")
        self.left = left
        self.release = Release(project="")


class BuilderSettingsError(RegistryError):
    """The builder cannot talk to the registry the way it is set up."""


_PERMANENT = (UnauthorizedError, DeniedError, NotFoundError, QuotaError, BuilderSettingsError)


def uploads(plan: "Plan", names: "Names") -> tuple[Upload, ...]:
    """The images that the plan pushes, each with its repository and tags."""
    named = ((t.target, names[t.target]) for t in plan.asked())
    return tuple(Upload(image=image, repository=name.repository, tags=name.tags) for image, name in named)


def mirrored(plan: "Plan", wanted: Sequence[Upload]) -> tuple[Upload, ...]:
    """The same images in the plan's further registries."""
    return tuple(
        dataclasses.replace(u, repository=f"{place}/{_path_in(plan.registry, u.repository)}", mirror=True)
        for place in plan.mirrors
        for u in wanted
    )


def _path_in(registry: str | None, repository: str) -> str:
    """A repository below its registry; of one that lies elsewhere, its name."""
    inside = registry and repository.startswith(f"{registry}/")
    return repository[len(registry or "") + 1 :] if inside else repository.rpartition("/")[2]


def spread(registry: Registry, wanted: Iterable[Upload], sources: Mapping[str, str]) -> None:
    """Copy what repositories lack; no tag moves. sources: image -> where it is, by digest. Raises RegistryError."""
    copier = Copier(registry)
    _run_each(wanted, lambda u: copier.copy(parse_reference(sources[u.image]), parse_reference(u.repository)))


def staging_tag(revision: str) -> str:
    """The tag that stands for "by digest" with a builder that cannot push without one."""
    return f"bake-staging-{revision[:12] or 'dev'}"


def push_outputs(
    wanted: Iterable[Upload], *, staging: str, containerd: bool = True, compression: str = "gzip"
) -> Mapping[str, str]:
    """Target -> where its image goes, without a tag of the plan.

    staging: "" to push by digest. Docker's own driver cannot do that (source: docker/buildx build/opt.go), so a
    tag of the push's own stands in. containerd: whether the engine can push without keeping the image. compression:
    another one than gzip packs every layer anew: what a cache has may be gzip, and equal inputs give equal digests.
    """
    kinds = f"{'store=false,' if containerd else ''}" if staging else "push-by-digest=true,name-canonical=true,"
    outputs, packed = {}, "" if compression == "gzip" else f",compression={compression},force-compression=true"
    for each in wanted:
        name = f"{each.repository}:{staging}" if staging else each.repository
        outputs[each.image] = f"type=image,name={name},{kinds}push=true,{EXPORTER}{packed}"
    return outputs


@contextlib.contextmanager
def prepared(
    registry: Registry, wanted: Sequence[Upload], staging: str, *, warn: Callable[[str], None]
) -> Iterator[None]:
    """A registry that takes the push, and that has no staging tags any more when it is over.

    staging: see push_outputs. Raises RegistryError before anything is built where the registry does not take it.
    """
    _run_each(wanted, lambda u: registry.check_push(u.at("latest")))
    try:
        yield
    finally:
        for tag in clean(registry, [u for u in wanted if not u.mirror], staging) if staging else ():
            warn(f"{tag}: the registry does not let it be deleted; nothing needs it any more")


def probe_push(registry: Registry, tag: Reference) -> None:
    """Push the smallest blob and manifest that there are; raises what the registry says to that."""
    registry.put_blob(tag, b"{}")
    try:
        registry.untag(tag)
    except RegistryError as error:
        if isinstance(error, _PERMANENT) or not registry.has_manifest(tag):
            raise


def tag_all(registry: Registry, staged: Staged, *, release: Release, wait: Wait) -> Release:
    """Move every tag to its image once all images are found in the registry.

    release: what is known of the push already. Gives its manifest. Raises RegistryError when nothing moved (or all was
    put back), HalfMovedError when not.
    """
    wanted = staged.uploads
    there = {u.image: f"{u.repository}@{staged.digests[u.image]}" for u in wanted if not u.mirror}
    spread(registry, [u for u in wanted if u.mirror and staged.digests[u.image]], there)
    images, manifests = find(registry, wanted, staged.digests)
    _mark(registry, [(u.at(staged.marks[u.image]), manifests[u.image]) for u in wanted if u.image in staged.marks])
    moves = [Move(tag=u.at(t), manifest=manifests[u.image]) for u in wanted for t in u.tags]
    try:
        previous = move_tags(registry, moves, wait=wait)
    except HalfMovedError as error:
        error.release = dataclasses.replace(release, images=_left_images(images, error.left), mirrors=())
        raise
    return _released(release, wanted, _with_tags(images, wanted, previous))


def _released(release: Release, wanted: Sequence[Upload], images: Sequence[ReleasedImage]) -> Release:
    """The manifest of what was pushed, the copies apart."""
    pairs = tuple(zip(wanted, images, strict=True))
    return dataclasses.replace(
        release,
        images=tuple(image for upload, image in pairs if not upload.mirror),
        mirrors=tuple(image for upload, image in pairs if upload.mirror),
    )


@contextlib.contextmanager
def keeping_unfinished(file: Path, warn: Callable[[str], None]) -> Iterator[None]:
    """When tags are left half moved, leave the manifest that `bake rollback` needs to put them back."""
    try:
        yield
    except HalfMovedError as error:
        write_release(file, error.release)
        warn(f"`bake rollback {file}` puts these tags back once the registry answers")
        raise


def _mark(registry: Registry, marks: Sequence[tuple[Reference, Manifest]]) -> None:
    """Write the tags that stand for contents. They are true of each image alone, so they stay when a push fails."""
    _run_each(marks, lambda m: registry.put_manifest(m[0], m[1].body, m[1].media_type))


def _left_images(images: Iterable[ReleasedImage], left: Mapping[Reference, str]) -> tuple[ReleasedImage, ...]:
    """The images that tags were left on, with these tags only."""
    previous = {i.image: {t.tag: d for t, d in left.items() if t.name == i.repository} for i in images}
    return tuple(
        dataclasses.replace(i, tags=tuple(previous[i.image]), previous=previous[i.image])
        for i in images
        if previous[i.image]
    )


def promote(registry: Registry, release: Release, tags: Sequence[str], *, wait: Wait) -> Release:
    """Give more tags to the images of a push. Gives the promotion's own manifest. Raises as `tag_all` does."""
    there = [(image, False) for image in release.images] + [(image, True) for image in release.mirrors]
    wanted = tuple(Upload(image=i.image, repository=i.repository, tags=tuple(tags), mirror=m) for i, m in there)
    staged = Staged(uploads=wanted, digests={i.image: i.digest for i in release.images})
    return tag_all(registry, staged, release=release, wait=wait)


def copy_release(registry: Registry, release: Release, place: str, tags: Sequence[str], *, wait: Wait) -> Release:
    """Copy the images of a push to another registry, then move their tags there. Gives the copy's own manifest.

    tags: () for those of the push. Raises as `tag_all` does.
    """
    wanted = tuple(
        Upload(image=i.image, repository=f"{place}/{i.repository.rpartition('/')[2]}", tags=tuple(tags) or i.tags)
        for i in release.images
    )
    _run_each(wanted, lambda u: registry.check_push(u.at("latest")))
    spread(registry, wanted, {i.image: i.reference for i in release.images})
    staged = Staged(uploads=wanted, digests={i.image: i.digest for i in release.images})
    return tag_all(registry, staged, release=release, wait=wait)


def rollback(
    registry: Registry, release: Release, *, tags: Sequence[str] = (), force: bool = False, wait: Wait
) -> tuple[tuple[Move, ...], tuple[Reference, ...], tuple[Reference, ...]]:
    """Put the tags of a push back to what they were. tags: only these; () for all.

    Gives the moves, the tags taken away because there were none before, and of these the ones that the registry
    does not let go, which are empty now. Raises RegistryError before anything is done when a tag has moved on since.
    """
    chosen = [
        (parse_reference(f"{i.repository}:{t}"), i.digest, i.previous.get(t, ""))
        for i in release.everywhere
        for t in i.tags
        if not tags or t in tags
    ]
    now = _run_each(chosen, lambda c: _digest_of(registry, c[0]))
    there = [(c, digest) for c, digest in zip(chosen, now, strict=True) if digest != c[2]]
    for (tag, digest, _), found in there:
        if found != digest and not force:
            what = f"has moved on since ({found[:19]})" if found else "has been deleted since"
            raise RegistryError(str(tag), what, "name the manifest of the last push, or use --force")
    old = [(tag, previous) for (tag, _, previous), _ in there if previous]
    moves = _run_each(old, lambda o: Move(tag=o[0], manifest=_manifest_of(registry, *o)))
    if moves:
        move_tags(registry, moves, wait=wait)
    gone = tuple(tag for (tag, _, previous), _ in there if not previous)
    results = _try_each(gone, registry.untag)
    kept = tuple(t for t, r in zip(gone, results, strict=True) if isinstance(r, BaseException))
    return tuple(moves), gone, kept


def _manifest_of(registry: Registry, tag: Reference, digest: str) -> Manifest:
    """A manifest by digest, of the repository of a tag."""
    return registry.manifest(dataclasses.replace(tag, tag="", digest=digest))


def push_pause(error: BuildError, wanted: Sequence[Upload], *, probe: Callable[[Upload], None]) -> float:
    """Seconds before a failed push is tried again. Raises the failure in clear where that is no use.

    probe: pushes something tiny to the repository of the image that failed, and raises what the registry says.
    BuildKit repeats requests by itself, and shows of a refusal neither status nor code: only the registry can tell.
    """
    if not _is_push(error.what):
        raise error
    failure = push_failure(error, wanted)
    if isinstance(failure, _PERMANENT):
        raise failure from None
    probe(_failed_upload(error.what, wanted))
    return 1.0


def _is_push(message: str) -> bool:
    return "failed to push" in message


def _failed_upload(message: str, wanted: Sequence[Upload]) -> Upload:
    """The image whose push failed."""
    return next((u for u in wanted if f"failed to push {u.repository}:" in message), wanted[0])


def push_failure(error: BuildError, wanted: Sequence[Upload]) -> BakeError:
    """BuildKit's failed push in the words of bake's own registry errors; another failure as it is."""
    message = error.what
    if not _is_push(message):
        return error
    ref = dataclasses.replace(parse_reference(_failed_upload(message, wanted).repository), tag="")
    said = message[message.index("failed to push") :]
    for sign, what, remedy in _SETTINGS:
        if sign in said:
            return BuilderSettingsError(ref.host, what, remedy.format(host=ref.host))
    if status := _status_of(said):
        body = json.dumps({"errors": [{"message": _last_words(said)}]}).encode()
        return refusal(ref, "PUT", Response(status=status, headers={}, body=body))
    if _BROKEN.search(said):
        return UnreachableError(
            ref.host, f"the push broke off ({_last_words(said)})", "try again; what was sent is kept"
        )
    return RegistryError(str(ref), f"the push failed ({_last_words(said)})", "try again; what was sent is kept")


def _status_of(message: str) -> int:
    """The HTTP status that the words tell of, 0 when none."""
    if "toomanyrequests" in message:
        return 429
    if found := _STATUS.search(message):
        return int(found[1])
    if _UNKNOWN_LOGIN.search(message):
        return 401
    return 403 if _DENIED.search(message) else 0


def _last_words(message: str) -> str:
    """The end of a chain of causes: what the registry itself said."""
    return message.strip().rpartition(": ")[2]


def existing(
    registry: Registry, references: Mapping[str, str], platforms: Callable[[str], Sequence[str]]
) -> Mapping[str, str]:
    """Image -> digest of those references that the registry has for all platforms of the image."""
    found = _run_each(references.items(), lambda r: _existing_digest(registry, r[1], platforms(r[0])))
    return {image: digest for image, digest in zip(references, found, strict=True) if digest}


def _existing_digest(registry: Registry, reference: str, platforms: Sequence[str]) -> str:
    """A registry that denies to look at what is not there has not got it; whether one may push is asked elsewhere."""
    try:
        manifest = current(registry, parse_reference(reference))
    except (DeniedError, UnauthorizedError):
        return ""
    if manifest is None or not set(platforms) <= set(registry.platforms(reference)):
        return ""
    return manifest.digest


def find(
    registry: Registry, wanted: Iterable[Upload], digests: Mapping[str, str]
) -> tuple[tuple[ReleasedImage, ...], Mapping[str, Manifest]]:
    """Look every pushed image up by its digest, down to its platforms. Raises RegistryError for one that is absent."""
    pushed = tuple(wanted)
    found = _run_each(pushed, lambda u: _find_upload(registry, u, digests[u.image]))
    return tuple(image for image, _ in found), {image.image: manifest for image, manifest in found}


def _find_upload(registry: Registry, upload: Upload, digest: str) -> tuple[ReleasedImage, Manifest]:
    if not digest:
        raise RegistryError(upload.repository, "BuildKit gave no digest for it", "no tag was moved; push again")
    ref = dataclasses.replace(parse_reference(upload.repository), tag="", digest=digest)
    manifest = registry.manifest(ref)
    listed = manifest.listed if manifest.is_index else ((registry.platforms(ref)[0], digest),)
    parts = [(p, registry.manifest(dataclasses.replace(ref, digest=d))) for p, d in listed]
    blobs = {b["digest"]: int(b["size"]) for _, part in parts for b in part.blobs}
    image = ReleasedImage(
        image=upload.image,
        repository=upload.repository,
        digest=digest,
        platforms=tuple(
            ReleasedPlatform(platform=p, digest=m.digest, bytes=m.stored_bytes)
            for p, m in sorted(parts, key=lambda pair: pair[0])
        ),
        bytes=sum(blobs.values()),
    )
    return image, manifest


def _with_tags(
    images: Iterable[ReleasedImage], wanted: Iterable[Upload], previous: Mapping[str, str]
) -> tuple[ReleasedImage, ...]:
    """The images with the tags that stand on them now."""
    tags = {u.image: u.tags for u in wanted}
    return tuple(
        dataclasses.replace(
            image,
            tags=tags[image.image],
            previous={t: previous[f"{image.repository}:{t}"] for t in tags[image.image]},
        )
        for image in images
    )


def move_tags(registry: Registry, moves: Sequence[Move], *, wait: Wait) -> Mapping[str, str]:
    """Move all tags, or none. Gives what they were by `host/repository:tag`, "" where there was none.

    Raises RegistryError when they are where they were, HalfMovedError when they are not."""
    before = _run_each(moves, lambda m: current(registry, m.tag))
    old = dict(zip((m.tag for m in moves), before, strict=True))
    try:
        _settle_tags(registry, moves, wait=wait)
    except BaseException as error:
        if left := _put_back(registry, moves, old):
            raise HalfMovedError(error, {t: m.digest if (m := old[t]) else "" for t in left}) from error
        raise
    return {str(tag): manifest.digest if manifest else "" for tag, manifest in old.items()}


def current(registry: Registry, tag: Reference) -> Manifest | None:
    """What a tag points to, None when it does not exist."""
    try:
        return registry.manifest(tag)
    except NotFoundError:
        return None


def _settle_tags(registry: Registry, moves: Sequence[Move], *, wait: Wait) -> None:
    """Write the tags and look again until all are this push's."""
    foreign: Sequence[Move] = moves
    for _ in range(_ROUNDS):
        _run_each(foreign, lambda m: registry.put_manifest(m.tag, m.manifest.body, m.manifest.media_type))
        foreign = _foreign_moves(registry, moves)
        if not foreign:
            return
        wait(random.uniform(_PAUSE / 10, _PAUSE))  # noqa: S311 - nobody has to be kept from guessing it
        foreign = _foreign_moves(registry, moves)
    tag = foreign[0].tag if foreign else moves[0].tag
    raise RegistryError(str(tag), "another push keeps moving it", "push again when that one has ended")


def _foreign_moves(registry: Registry, moves: Sequence[Move]) -> list[Move]:
    """The moves whose tags are on something else."""
    digests = _run_each(moves, lambda m: _digest_of(registry, m.tag))
    return [m for m, digest in zip(moves, digests, strict=True) if digest != m.manifest.digest]


def _digest_of(registry: Registry, tag: Reference) -> str:
    try:
        return registry.digest(tag)
    except NotFoundError:
        return ""


def _put_back(registry: Registry, moves: Sequence[Move], old: Mapping[Reference, Manifest | None]) -> list[Reference]:
    """Give the tags that stand on the new images their old ones; gives those that it could not."""
    results = _try_each(moves, lambda m: _restore_tag(registry, m, old[m.tag]))
    return [m.tag for m, result in zip(moves, results, strict=True) if isinstance(result, BaseException)]


def _restore_tag(registry: Registry, move: Move, old: Manifest | None) -> None:
    """A tag that is on something else by now belongs to another push."""
    if _digest_of(registry, move.tag) != move.manifest.digest or (old and old.digest == move.manifest.digest):
        return
    if old is None:
        registry.untag(move.tag)
    else:
        registry.put_manifest(move.tag, old.body, old.media_type)


def clean(registry: Registry, wanted: Iterable[Upload], staging: str) -> tuple[Reference, ...]:
    """Take the staging tags away; gives those that the registry keeps."""
    tags = [u.at(staging) for u in wanted]
    results = _try_each(tags, lambda tag: registry.untag(tag) if registry.has_manifest(tag) else None)
    return tuple(t for t, result in zip(tags, results, strict=True) if isinstance(result, BaseException))


def _run_each(items: Iterable[Any], job: Callable[[Any], T]) -> list[T]:
    """The job for all items, several at a time. Raises the first failure, once all have ended."""
    results = _try_each(items, job)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return list(_without_failures(results))


def _without_failures(results: Iterable[T | BaseException]) -> Iterator[T]:
    for result in results:
        if not isinstance(result, BaseException):
            yield result


def _try_each(items: Iterable[Any], job: Callable[[Any], T]) -> list[T | BaseException]:
    """The job's result or failure for each item, several at a time, in the items' order."""
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        futures = [pool.submit(job, item) for item in items]
    return [future.exception() or future.result() for future in futures]
