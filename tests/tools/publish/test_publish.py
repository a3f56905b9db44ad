"""Publishing in two phases: all tags move or none, whatever the registry does and whoever pushes at the same time."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Thread

import pytest

from bake.build.run import persist
from bake.engine import Built, Progress
from bake.errors import BakeError, BuildError, RegistryError
from bake.publish import (
    HalfMovedError,
    Release,
    Staged,
    Upload,
    attach_origin,
    prepared,
    promote,
    push_failure,
    push_outputs,
    push_pause,
    rollback,
    staging_tag,
    tag_all,
)
from bake.publish.push import clean, find
from bake.registry import DeniedError, NotFoundError, QuotaError, UnauthorizedError
from bake.registry.oci import RateLimitError
from tests.memory_registry import MemoryRegistry, memory_registry
from tests.scripted_server import Answer, Asked

SERVICES = ("api", "web", "worker")
OLD, NEW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"


@pytest.fixture
def registry() -> Iterator[MemoryRegistry]:
    with memory_registry() as running:
        yield running


def wanted(registry: MemoryRegistry, *tags: str) -> tuple[Upload, ...]:
    return tuple(Upload(image=s, repository=f"{registry.host}/acme/{s}", tags=tags or ("main", "v1")) for s in SERVICES)


def stored(registry: MemoryRegistry, revision: str, created: str) -> Mapping[str, str]:
    return {s: registry.image(f"acme/{s}", revision=revision, created=created, content=revision + s) for s in SERVICES}


def tagged(registry: MemoryRegistry, digests: Mapping[str, str], *tags: str) -> None:
    for service, digest in digests.items():
        for tag in tags:
            registry.tags[f"acme/{service}", tag] = digest


def standing(registry: MemoryRegistry, tag: str) -> dict[str, str]:
    """Service -> the digest of its tag."""
    return {name.removeprefix("acme/"): digest for (name, t), digest in registry.tags.items() if t == tag}


def built(digests: Mapping[str, str]) -> Built:
    return Built(metadata={i: {"containerimage.digest": d} for i, d in digests.items()}, progress=Progress())


def published(
    registry: MemoryRegistry,
    digests: Mapping[str, str],
    *tags: str,
    build: Callable[[], Built] | None = None,
    staging: str = "",
    wait: Callable[[float], None] = lambda _: None,
) -> Release:
    client, pushed = registry.client(), wanted(registry, *tags)
    with prepared(client, pushed, staging, warn=pytest.fail):
        made = build() if build else built(digests)
        staged = Staged(uploads=pushed, digests={u.image: made.digest(u.image) for u in pushed})
        return tag_all(client, staged, release=Release(project="acme"), wait=wait)


def push(
    build: Callable[[], str],
    pushed: Sequence[Upload],
    *,
    probe: Callable[[Upload], None],
    wait: Callable[[float], None],
) -> str:
    try:
        return persist(build, lambda error: push_pause(error, pushed, probe=probe), wait=wait)
    except BuildError as error:
        raise push_failure(error, pushed) from None


def failing(method: str, path: str, answer: Answer, *, times: int = 1000) -> Callable[[Asked], Answer | None]:
    """Answers the first requests that match in the registry's stead."""
    left = [times]

    def before(asked: Asked) -> Answer | None:
        if asked.method == method and re.search(path, asked.path) and left[0]:
            left[0] -= 1
            return answer
        return None

    return before


# Tags move together


def test_every_tag_moves_and_the_manifest_of_the_push_says_what_is_where(registry: MemoryRegistry) -> None:
    before, now = stored(registry, "a" * 40, OLD), stored(registry, "b" * 40, NEW)
    tagged(registry, before, "main")

    release = published(registry, now)

    assert standing(registry, "main") == standing(registry, "v1") == now
    api = release.image("api")
    assert api is not None
    assert (api.digest, api.tags, api.previous) == (now["api"], ("main", "v1"), {"main": before["api"], "v1": ""})
    assert [p.platform for p in api.platforms] == ["linux/amd64", "linux/arm64"]


def test_sizes_are_compressed_bytes_and_count_a_shared_blob_once(registry: MemoryRegistry) -> None:
    release = published(registry, stored(registry, "a" * 40, OLD))

    api = release.image("api")
    assert api is not None
    assert api.bytes == sum(p.bytes for p in api.platforms) - len(json.dumps({"shared": True}))


def test_an_image_that_is_not_there_leaves_every_tag(registry: MemoryRegistry) -> None:
    before = stored(registry, "a" * 40, OLD)
    tagged(registry, before, "main")
    now = {**stored(registry, "b" * 40, NEW), "web": "sha256:" + "f" * 64}

    with pytest.raises(NotFoundError):
        published(registry, now)

    assert standing(registry, "main") == before
    assert standing(registry, "v1") == {}


def test_an_image_without_a_digest_leaves_every_tag(registry: MemoryRegistry) -> None:
    now = {**stored(registry, "b" * 40, NEW), "web": ""}
    message = f"{registry.host}/acme/web: BuildKit gave no digest for it; no tag was moved; push again"

    with pytest.raises(RegistryError, match=re.escape(message)):
        published(registry, now)

    assert registry.tags == {}


@pytest.mark.parametrize("status", [500, 401, 403, 507])
def test_a_tag_that_cannot_move_puts_the_moved_ones_back(registry: MemoryRegistry, status: int) -> None:
    before, now = stored(registry, "a" * 40, OLD), stored(registry, "b" * 40, NEW)
    tagged(registry, before, "main")
    registry.before = failing("PUT", "/worker/manifests/v1", Answer(status=status))

    with pytest.raises(RegistryError):
        published(registry, now)

    assert standing(registry, "main") == before
    assert standing(registry, "v1") == {}


def test_a_failure_that_passes_is_not_noticed(registry: MemoryRegistry) -> None:
    now = stored(registry, "b" * 40, NEW)
    registry.before = failing("PUT", "/worker/manifests/v1", Answer(status=503), times=2)

    published(registry, now)

    assert standing(registry, "v1") == now


def test_tags_that_cannot_be_put_back_are_named_and_can_be_later(registry: MemoryRegistry) -> None:
    before, now = stored(registry, "a" * 40, OLD), stored(registry, "b" * 40, NEW)
    tagged(registry, before, "main", "v1")
    puts: list[str] = []

    def breaking(asked: Asked) -> Answer | None:
        if asked.method != "PUT":
            return None
        puts.append(asked.path)
        return (
            None if asked.path == "/v2/acme/api/manifests/main" and puts.count(asked.path) == 1 else Answer(status=500)
        )

    registry.before = breaking
    with pytest.raises(HalfMovedError) as raised:
        published(registry, now)

    assert "could not be put back: " + f"{registry.host}/acme/api:main" in str(raised.value)
    registry.before = lambda _: None
    rollback(registry.client(), raised.value.release, wait=lambda _: None)
    assert standing(registry, "main") == standing(registry, "v1") == before


def test_an_interrupt_while_tags_move_puts_them_back(registry: MemoryRegistry) -> None:
    before, now = stored(registry, "a" * 40, OLD), stored(registry, "b" * 40, NEW)
    tagged(registry, before, "main", "v1")
    other = stored(registry, "c" * 40, OLD)
    moved: list[str] = []

    def other_push(asked: Asked) -> None:
        if asked.method == "PUT" and not moved:
            moved.append(asked.path)
        elif moved and asked.method == "HEAD":
            registry.tags["acme/web", "main"] = other["web"]

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    registry.before = other_push
    with pytest.raises(KeyboardInterrupt):
        published(registry, now, wait=interrupted)

    assert standing(registry, "v1") == before
    assert standing(registry, "main") == {**before, "web": other["web"]}


def test_a_login_that_cannot_push_stops_before_anything_is_built(registry: MemoryRegistry) -> None:
    registry.before = failing("POST", "/web/blobs/uploads/", Answer(status=403))

    with pytest.raises(DeniedError):
        published(registry, {}, build=lambda: pytest.fail("it was built"))


# Two pushes at once


@pytest.mark.parametrize("turn", range(6))
def test_two_pushes_that_take_turns_at_any_point_end_on_images_of_one_revision(
    registry: MemoryRegistry, turn: int
) -> None:
    older, newer = stored(registry, "a" * 40, OLD), stored(registry, "b" * 40, NEW)
    writes = [0]

    def interleave(asked: Asked) -> None:
        """At one write of the older push, the newer one does all its writes and is content."""
        if asked.method == "PUT":
            writes[0] += 1
            if writes[0] == turn + 1:
                tagged(registry, newer, "main", "v1")

    registry.before = interleave
    published(registry, older)

    assert standing(registry, "main") == standing(registry, "v1")
    assert standing(registry, "main") in (older, newer)


def test_a_push_that_meets_another_one_lets_it_end_and_then_has_every_tag(registry: MemoryRegistry) -> None:
    first, second = stored(registry, "a" * 40, OLD), stored(registry, "b" * 40, NEW)
    pauses: list[float] = []

    def other_ends(seconds: float) -> None:
        pauses.append(seconds)
        tagged(registry, second, "main", "v1")

    def first_tag(asked: Asked) -> None:
        if asked.method == "HEAD" and not pauses:
            registry.tags["acme/api", "main"] = second["api"]

    registry.before = first_tag
    release = published(registry, first, wait=other_ends)

    assert standing(registry, "main") == standing(registry, "v1") == first
    assert [i.tags for i in release.images] == [("main", "v1")] * 3
    assert len(pauses) == 1


def test_real_pushes_at_the_same_time_end_on_images_of_one_revision(registry: MemoryRegistry) -> None:
    pushes = [stored(registry, letter * 40, f"2026-01-0{n}T00:00:00Z") for n, letter in enumerate("abcd", 1)]
    pause = {"wait": lambda seconds: time.sleep(seconds / 5)}
    threads = [Thread(target=published, args=(registry, digests), kwargs=pause) for digests in pushes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert standing(registry, "main") == standing(registry, "v1")
    assert standing(registry, "main") in pushes


def test_a_push_that_another_one_never_lets_win_fails(registry: MemoryRegistry) -> None:
    older, newer = stored(registry, "a" * 40, OLD), stored(registry, "b" * 40, NEW)

    def stubborn(asked: Asked) -> None:
        if asked.method == "HEAD":
            registry.tags["acme/api", "main"] = older["api"]

    registry.before = stubborn
    message = f"{registry.host}/acme/api:main: another push keeps moving it; push again when that one has ended"
    with pytest.raises(RegistryError, match=re.escape(message)):
        published(registry, newer)


# What BuildKit is told


IMAGE = Upload(image="api", repository="127.0.0.1:5000/acme/api", tags=("main",))


def test_a_builder_pushes_by_digest_and_writes_no_tag() -> None:
    assert push_outputs([IMAGE], staging="") == {
        "api": "type=image,name=127.0.0.1:5000/acme/api,push-by-digest=true,name-canonical=true,push=true,"
        "oci-mediatypes=true,source-date-epoch=0",
    }


def test_dockers_own_driver_pushes_to_a_staging_tag_and_keeps_no_image() -> None:
    staging = staging_tag("c0ffee" * 6)
    packed = push_outputs([IMAGE], staging="", compression="zstd")["api"]
    assert packed == f"{push_outputs([IMAGE], staging='')['api']},compression=zstd,force-compression=true"
    assert push_outputs([IMAGE], staging=staging) == {
        "api": "type=image,name=127.0.0.1:5000/acme/api:bake-staging-c0ffeec0ffee,store=false,push=true,"
        "oci-mediatypes=true,source-date-epoch=0",
    }


def test_staging_tags_are_gone_after_a_push_and_after_a_failed_one(registry: MemoryRegistry) -> None:
    now = stored(registry, "b" * 40, NEW)
    tagged(registry, now, "staging")
    published(registry, now, staging="staging")
    assert standing(registry, "staging") == {}
    assert standing(registry, "main") == now

    tagged(registry, now, "staging")

    def broken() -> Built:
        raise BuildError("api", "`npm run build` failed with exit code 1")

    with pytest.raises(BuildError):
        published(registry, now, build=broken, staging="staging")
    assert standing(registry, "staging") == {}
    assert standing(registry, "main") == now


def test_a_staging_tag_that_cannot_be_deleted_is_named_and_empty(registry: MemoryRegistry) -> None:
    registry.deletes = False
    tagged(registry, stored(registry, "b" * 40, NEW), "staging")

    kept = clean(registry.client(), wanted(registry), "staging")

    assert [str(tag) for tag in kept] == [f"{registry.host}/acme/{s}:staging" for s in SERVICES]
    _, body = registry.manifests["acme/api", standing(registry, "staging")["api"]]
    assert json.loads(body)["manifests"] == []


# Failures of BuildKit's own push

PUSH = "target api: failed to solve: failed to push 127.0.0.1:5000/acme/api:staging: "
REQUEST = "unexpected status from PUT request to http://127.0.0.1:5000/v2/acme/api/blobs/uploads/x: "


def well(_: Upload) -> None:
    """What a registry says that answers again."""


def test_a_refusal_without_a_reason_is_told_in_the_registrys_own_words() -> None:
    calls: list[str] = []

    def build() -> str:
        raise BuildError("docker buildx bake", PUSH + "unknown: unknown error")

    def full(upload: Upload) -> None:
        calls.append(upload.image)
        raise QuotaError("acme/api", "no room left")

    with pytest.raises(QuotaError, match="acme/api: no room left"):
        push(build, [IMAGE], probe=full, wait=lambda _: pytest.fail("it waited"))
    assert calls == ["api"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            'failed to do request: Head "https://registry:5000/v2/": http: server gave HTTP response to HTTPS client',
            '127.0.0.1:5000: speaks plain HTTP, and the builder expects HTTPS; add "127.0.0.1:5000" to '
            "insecure-registries in /etc/docker/daemon.json (or to buildkitd.toml with http = true)",
        ),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "127.0.0.1:5000: its certificate is not trusted by the builder; put the CA into "
            "/etc/docker/certs.d/127.0.0.1:5000/ca.crt (or into buildkitd.toml)",
        ),
    ],
)
def test_a_builder_that_is_set_up_for_another_registry_is_told_how(words: str, message: str) -> None:
    def build() -> str:
        raise BuildError("docker buildx bake", PUSH + words)

    with pytest.raises(RegistryError) as raised:
        push(build, [IMAGE], probe=well, wait=lambda _: pytest.fail("it waited"))
    assert str(raised.value) == message


def test_a_push_that_breaks_off_is_started_again_with_growing_pauses() -> None:
    failures = [PUSH + REQUEST + "503 Service Unavailable", PUSH + "read: connection reset by peer"]
    pauses: list[float] = []

    def build() -> str:
        if failures:
            raise BuildError("docker buildx bake", failures.pop())
        return "built"

    assert push(build, [IMAGE], probe=well, wait=pauses.append) == "built"
    assert pauses == [1.0, 2.0]


def test_a_push_that_keeps_breaking_off_says_so_in_the_end() -> None:
    def build() -> str:
        raise BuildError("docker buildx bake", PUSH + "write: broken pipe")

    with pytest.raises(RegistryError) as raised:
        push(build, [IMAGE], probe=well, wait=lambda _: None)
    assert str(raised.value) == ("127.0.0.1:5000: the push broke off (broken pipe); try again; what was sent is kept")


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (
            REQUEST + "401 Unauthorized",
            UnauthorizedError,
            "127.0.0.1:5000/acme/api: 127.0.0.1:5000 wants a login (401 Unauthorized); "
            "run `docker login 127.0.0.1:5000`",
        ),
        (
            "push access denied, repository does not exist or may require authorization: server message: "
            "insufficient_scope: authorization failed",
            DeniedError,
            "127.0.0.1:5000/acme/api: 127.0.0.1:5000 denies access (authorization failed); ask for push access, "
            "or run `docker login 127.0.0.1:5000` as another user",
        ),
        (
            REQUEST + "404 Not Found",
            NotFoundError,
            "127.0.0.1:5000/acme/api: 127.0.0.1:5000 does not have it (404 Not Found); check the name, "
            "or run `docker login 127.0.0.1:5000`",
        ),
        (
            REQUEST + "507 Insufficient Storage",
            QuotaError,
            "127.0.0.1:5000/acme/api: 127.0.0.1:5000 has no room left (507 Insufficient Storage); delete old tags "
            "or raise the quota",
        ),
    ],
)
def test_a_permanent_failure_is_not_repeated_and_says_what_to_do(
    words: str, kind: type[RegistryError], message: str
) -> None:
    calls: list[int] = []

    def build() -> str:
        calls.append(1)
        raise BuildError("docker buildx bake", PUSH + words)

    with pytest.raises(kind) as raised:
        push(build, [IMAGE], probe=well, wait=lambda _: None)
    assert str(raised.value) == message
    assert len(calls) == 1


def test_a_registry_that_limits_the_rate_to_the_end_says_so() -> None:
    def build() -> str:
        raise BuildError("docker buildx bake", PUSH + REQUEST + "429 Too Many Requests")

    with pytest.raises(RateLimitError):
        push(build, [IMAGE], probe=well, wait=lambda _: None)


def test_a_build_that_fails_is_neither_repeated_nor_renamed() -> None:
    error = BuildError("services/api", "`npm run build` failed with exit code 2 (connection reset)")

    def build() -> str:
        raise error

    with pytest.raises(BakeError) as raised:
        push(build, [IMAGE], probe=well, wait=lambda _: pytest.fail("it waited"))
    assert raised.value is error


# Promote and roll back


def test_a_promotion_moves_a_tag_on_every_image_and_can_be_undone(registry: MemoryRegistry) -> None:
    before, now = stored(registry, "a" * 40, OLD), stored(registry, "b" * 40, NEW)
    tagged(registry, before, "stable")
    release = published(registry, now)

    promoted = promote(registry.client(), release, ["stable"], wait=lambda _: None)
    assert standing(registry, "stable") == now

    moves, gone, kept = rollback(registry.client(), promoted, wait=lambda _: None)
    assert standing(registry, "stable") == before
    assert standing(registry, "main") == now
    assert (len(moves), gone, kept) == (3, (), ())


def test_a_promotion_of_an_image_that_is_gone_moves_nothing(registry: MemoryRegistry) -> None:
    now = stored(registry, "b" * 40, NEW)
    release = published(registry, now)
    web = release.images[1].platforms[0].digest
    del registry.manifests["acme/web", web]

    with pytest.raises(NotFoundError, match=re.escape(f"{registry.host}/acme/web@{web}: ")):
        promote(registry.client(), release, ["stable"], wait=lambda _: None)
    assert standing(registry, "stable") == {}


def test_a_rollback_takes_away_the_tags_that_the_push_made(registry: MemoryRegistry) -> None:
    release = published(registry, stored(registry, "b" * 40, NEW))

    _, gone, _ = rollback(registry.client(), release, tags=["v1"], wait=lambda _: None)

    assert [str(tag) for tag in gone] == [f"{registry.host}/acme/{s}:v1" for s in SERVICES]
    assert standing(registry, "v1") == {}
    assert len(standing(registry, "main")) == 3


def test_a_rollback_refuses_when_a_tag_has_moved_on(registry: MemoryRegistry) -> None:
    before, now, later = (stored(registry, c * 40, OLD) for c in "abc")
    tagged(registry, before, "main", "v1")
    release = published(registry, now)
    registry.tags["acme/web", "main"] = later["web"]

    message = (
        f"{registry.host}/acme/web:main: has moved on since ({later['web'][:19]}); "
        "name the manifest of the last push, or use --force"
    )
    with pytest.raises(RegistryError, match=re.escape(message)):
        rollback(registry.client(), release, wait=lambda _: None)
    assert standing(registry, "v1") == now

    rollback(registry.client(), release, force=True, wait=lambda _: None)
    assert standing(registry, "main") == standing(registry, "v1") == before


def test_a_rollback_to_an_image_that_is_gone_moves_nothing(registry: MemoryRegistry) -> None:
    before, now = stored(registry, "a" * 40, OLD), stored(registry, "b" * 40, NEW)
    tagged(registry, before, "main", "v1")
    release = published(registry, now)
    del registry.manifests["acme/web", before["web"]]

    with pytest.raises(NotFoundError):
        rollback(registry.client(), release, wait=lambda _: None)
    assert standing(registry, "main") == now


def test_a_second_rollback_has_nothing_to_do(registry: MemoryRegistry) -> None:
    release = published(registry, stored(registry, "b" * 40, NEW))
    rollback(registry.client(), release, wait=lambda _: None)

    assert rollback(registry.client(), release, wait=lambda _: None) == ((), (), ())


# What tells of the commit


def test_a_referrer_tells_of_the_commit_and_leaves_the_digest_alone(registry: MemoryRegistry) -> None:
    digests = stored(registry, "", "")
    release = Release(project="acme", revision="c" * 40, version="1.2.3", source="https://example.invalid/a", created=7)
    (image,) = find(registry.client(), wanted(registry)[:1], digests)[0]

    attach_origin(registry.client(), release, [image])
    attach_origin(registry.client(), release, [image])

    told = [json.loads(body) for _, body in registry.manifests.values() if b"artifactType" in body]
    assert [(t["artifactType"], t["subject"]["digest"], t["annotations"]) for t in told] == [
        (
            "application/vnd.bake.origin.v1",
            digests["api"],
            {
                "org.opencontainers.image.revision": "c" * 40,
                "org.opencontainers.image.version": "1.2.3",
                "org.opencontainers.image.source": "https://example.invalid/a",
                "org.opencontainers.image.created": "1970-01-01T00:00:07Z",
            },
        )
    ]


def test_a_registry_that_takes_no_referrers_is_left_in_peace(registry: MemoryRegistry) -> None:
    (image,) = find(registry.client(), wanted(registry)[:1], stored(registry, "", ""))[0]
    registry.before = failing("PUT", "/manifests/", Answer(status=400))
    attach_origin(registry.client(), Release(project="acme", revision="c" * 40), [image])
    registry.before = lambda _: pytest.fail("nothing is known of a commit")
    attach_origin(registry.client(), Release(project="acme"), [image])
