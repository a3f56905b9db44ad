"""Container registries: references, logins, and what each refusal tells the user."""

import base64
import hashlib
import json
import os
import subprocess
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bake.config import parse_reference
from bake.errors import ConfigError, RegistryError
from bake.registry import (
    DeniedError,
    NotFoundError,
    QuotaError,
    Registry,
    UnauthorizedError,
    engine_digests,
    load_resolver,
    read_sizes,
)
from bake.registry.oci import DockerLogins, RateLimitError, load_docker_logins, resolver
from tests.memory_registry import memory_registry
from tests.scripted_server import Answer, Asked, Server, in_turn, scripted_server

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DIGEST = "sha256:" + "a" * 64


def encoded(content: object) -> bytes:
    return json.dumps(content).encode()


def digest_of(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def serving(answers: Mapping[str, Answer]) -> Callable[[Asked], Answer]:
    """Answers by path; a path that is not there gets 404."""
    return lambda asked: answers.get(asked.path, Answer(status=404))


ENTRIES = [
    {"digest": DIGEST, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
    {"digest": DIGEST, "platform": {"os": "linux", "architecture": "amd64"}},
    {"digest": DIGEST, "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
    {"digest": DIGEST, "platform": {"os": "unknown", "architecture": "unknown"}},
]
INDEX_BODY = encoded({"schemaVersion": 2, "mediaType": INDEX, "manifests": ENTRIES})
INDEX_ANSWER = Answer(body=INDEX_BODY, headers={"Docker-Content-Digest": digest_of(INDEX_BODY)})


# References


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("node", "docker.io/library/node:latest"),
        ("node:24-slim", "docker.io/library/node:24-slim"),
        ("acme/node:24", "docker.io/acme/node:24"),
        ("index.docker.io/library/node:24", "docker.io/library/node:24"),
        ("docker.io/node:24", "docker.io/library/node:24"),
        ("localhost/node", "localhost/node:latest"),
        ("127.0.0.1:5000/a/b/c:1.0", "127.0.0.1:5000/a/b/c:1.0"),
        ("ghcr.io/acme/node@" + DIGEST, "ghcr.io/acme/node@" + DIGEST),
        ("node:24@" + DIGEST, "docker.io/library/node:24@" + DIGEST),
        ("[::1]:5000/node", "[::1]:5000/node:latest"),
    ],
)
def test_a_reference_is_normalised_as_docker_does(text: str, canonical: str) -> None:
    assert str(parse_reference(text)) == canonical
    assert parse_reference(canonical) == parse_reference(text)


@pytest.mark.parametrize("text", ["", "Node:24", "node:", "a//b", "node@sha256:12", "node:2 4", "-x", "a.b/"])
def test_what_docker_would_not_take_is_no_reference(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_reference(text)
    assert str(caught.value) == (
        f'"{text}": is no image reference; write [host[:port]/]name[:tag][@sha256:…] in lower case'
    )


# Manifests


def test_an_image_is_locked_to_the_digest_of_its_index() -> None:
    with scripted_server(serving({"/v2/base/node/manifests/24": INDEX_ANSWER})) as server:
        assert Registry().image(f"{server.host}/base/node:24") == LOCKED


def test_the_platform_of_a_single_manifest_comes_from_its_config() -> None:
    config = encoded({"os": "linux", "architecture": "amd64"})
    body = encoded({"mediaType": MANIFEST, "config": {"digest": digest_of(config)}})
    answers = {
        "/v2/node/manifests/24": Answer(body=body),
        f"/v2/node/blobs/{digest_of(config)}": Answer(body=config),
    }
    with scripted_server(serving(answers)) as server:
        assert Registry().platforms(f"{server.host}/node:24") == ("linux/amd64",)


def test_a_base_is_weighed_by_what_a_registry_keeps_of_the_platforms_that_are_built() -> None:
    config, *layers = ({"digest": digest_of(str(size).encode()), "size": size} for size in (5, 70, 25))
    body = encoded({"mediaType": MANIFEST, "config": config, "layers": [*layers, layers[0]]})
    entries = [{**entry, "digest": digest_of(body)} for entry in ENTRIES]
    index = encoded({"mediaType": INDEX, "manifests": entries})
    answers = {
        "/v2/node/manifests/24": Answer(body=index),
        f"/v2/node/manifests/{digest_of(body)}": Answer(body=body),
    }
    with scripted_server(serving(answers)) as server:
        reference = parse_reference(f"{server.host}/node:24")
        assert read_sizes(Registry(), reference, ("linux/amd64", "linux/arm64", "linux/s390x")) == {
            "linux/amd64": 100,
            "linux/arm64": 100,
        }


def test_a_digest_is_asked_for_without_fetching_the_manifest() -> None:
    with scripted_server(serving({"/v2/node/manifests/24": INDEX_ANSWER})) as server:
        assert Registry().digest(f"{server.host}/node:24") == digest_of(INDEX_BODY)
        assert [asked.method for asked in server.asked] == ["HEAD"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            Answer(body=INDEX_BODY, headers={"Docker-Content-Digest": DIGEST}),
            "HOST/node:24: the registry sent other content than its digest says; try again",
        ),
        (
            Answer(body=b'{"mediaType": "text/html"}'),
            "HOST/node:24: has media type 'text/html', which is no image; name an image",
        ),
        (
            Answer(body=b"<html>"),
            "HOST: answered with something other than JSON; check that it is a registry",
        ),
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_refused(answer: Answer, message: str) -> None:
    with scripted_server(in_turn(answer)) as server:
        with pytest.raises(RegistryError) as caught:
            Registry().manifest(f"{server.host}/node:24")
        assert str(caught.value) == message.replace("HOST", server.host)


def test_another_manifest_than_the_one_whose_digest_is_named_is_refused() -> None:
    with scripted_server(in_turn(Answer(body=INDEX_BODY))) as server:
        with pytest.raises(RegistryError) as caught:
            Registry().manifest(f"{server.host}/node@{DIGEST}")
        assert str(caught.value) == (
            f"{server.host}/node@{DIGEST}: the registry sent other content than its digest says; try again"
        )


def test_a_blob_with_other_content_is_refused() -> None:
    with scripted_server(in_turn(Answer(body=b"other"))) as server:
        with pytest.raises(RegistryError) as caught:
            Registry().blob(f"{server.host}/node", DIGEST)
        assert str(caught.value) == f"{server.host}/node@{DIGEST}: the registry sent other content; try again"


@pytest.mark.parametrize(("status", "there"), [(200, True), (404, False)])
def test_presence_is_asked_for_without_content(status: int, *, there: bool) -> None:
    with scripted_server(in_turn(Answer(status=status))) as server:
        registry = Registry()
        assert registry.has_manifest(f"{server.host}/node:24") is there
        assert [(asked.method, asked.path) for asked in server.asked] == [
            ("HEAD", "/v2/node/manifests/24"),
        ]


def test_a_tag_is_moved_by_writing_the_manifest_under_it() -> None:
    with scripted_server(in_turn(Answer(status=201))) as server:
        digest = Registry().put_manifest(f"{server.host}/node:main", INDEX_BODY, INDEX)
        (asked,) = server.asked
    assert digest == digest_of(INDEX_BODY)
    assert (asked.method, asked.path, asked.body) == ("PUT", "/v2/node/manifests/main", INDEX_BODY)
    assert asked.headers["content-type"] == INDEX


def test_tags_are_collected_over_all_pages() -> None:
    more = {"Link": '</v2/node/tags/list?last=b&n=1000>; rel="next"'}
    answers = {
        "/v2/node/tags/list?n=1000": Answer(body=encoded({"tags": ["b", "a"]}), headers=more),
        "/v2/node/tags/list?last=b&n=1000": Answer(body=encoded({"tags": ["c"]})),
    }
    with scripted_server(serving(answers)) as server:
        assert Registry().tags(f"{server.host}/node") == ("a", "b", "c")


@pytest.mark.parametrize("answer", [Answer(status=404), Answer(body=b'{"tags": null}')])
def test_a_repository_without_tags_has_none(answer: Answer) -> None:
    with scripted_server(in_turn(answer)) as server:
        assert Registry().tags(f"{server.host}/node") == ()


def test_a_tag_is_deleted_by_its_digest() -> None:
    with scripted_server(in_turn(INDEX_ANSWER)) as server:
        Registry().delete(f"{server.host}/node:old")
        assert [(asked.method, asked.path) for asked in server.asked] == [
            ("HEAD", "/v2/node/manifests/old"),
            ("DELETE", f"/v2/node/manifests/{digest_of(INDEX_BODY)}"),
        ]


def test_deleting_what_is_not_there_is_no_error() -> None:
    with scripted_server(in_turn(Answer(status=404))) as server:
        Registry().delete(f"{server.host}/node:old")
        assert len(server.asked) == 1


def test_a_tag_goes_though_the_registry_failed_when_its_manifest_was_gone_already() -> None:
    """As distribution 2.8 does when it reads another tag that is being written at that moment."""
    with memory_registry() as registry:

        def fail_once(asked: Asked) -> Answer | None:
            if asked.method != "DELETE" or registry.before is quiet:
                return None
            registry.before = quiet
            registry.manifests.pop(("acme/api", asked.path.rpartition("/")[2]))
            return Answer(status=500)

        def quiet(_: Asked) -> None:
            return None

        image = registry.image("acme/api", revision="", created="")
        registry.tags.update({("acme/api", "main"): image, ("acme/api", "new"): image})
        registry.before = fail_once

        registry.client().untag(f"{registry.host}/acme/api:new")

        assert registry.before is quiet
        assert registry.tags == {("acme/api", "main"): image}


# Refusals


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (
            Answer(status=401),
            UnauthorizedError,
            "HOST/x:1: HOST wants a login; run `docker login HOST`",
        ),
        (
            Answer(status=403, body=encoded({"errors": [{"code": "DENIED", "message": "not yours"}]})),
            DeniedError,
            "HOST/x:1: HOST denies access (not yours); ask for push access, or run `docker login HOST` as another user",
        ),
        (
            Answer(status=404, body=encoded({"errors": [{"code": "NAME_UNKNOWN"}]})),
            NotFoundError,
            "HOST/x:1: HOST does not have it (NAME_UNKNOWN); check the name, or run `docker login HOST`",
        ),
        (
            Answer(status=429, body=encoded({"errors": [{"message": "pull rate limit"}]})),
            RateLimitError,
            "HOST/x:1: HOST limits the rate of requests (pull rate limit); "
            "wait, run `docker login HOST` or use a mirror",
        ),
        (
            Answer(status=403, body=encoded({"errors": [{"code": "DENIED", "message": "quota exceeded"}]})),
            QuotaError,
            "HOST/x:1: HOST has no room left (quota exceeded); delete old tags or raise the quota",
        ),
        (
            Answer(status=413),
            QuotaError,
            "HOST/x:1: HOST has no room left; delete old tags or raise the quota",
        ),
        (
            Answer(status=500, body=b"<html>"),
            RegistryError,
            "HOST/x:1: HOST failed with status 500; try again later",
        ),
    ],
)
def test_a_refusal_says_what_to_do(answer: Answer, kind: type[RegistryError], message: str) -> None:
    with scripted_server(in_turn(answer)) as server:
        with pytest.raises(RegistryError) as caught:
            Registry(sleep=lambda _: None).put_manifest(f"{server.host}/x:1", b"{}", MANIFEST)
        assert (type(caught.value), str(caught.value)) == (kind, message.replace("HOST", server.host))


def test_a_registry_that_forbids_deletes_is_named_with_its_setting() -> None:
    with scripted_server(in_turn(Answer(status=405))) as server:
        with pytest.raises(RegistryError) as caught:
            Registry().delete(f"{server.host}/x@{DIGEST}")
        assert str(caught.value) == (
            f"{server.host}/x@{DIGEST}: {server.host} does not allow deletes; "
            "for registry:2 set REGISTRY_STORAGE_DELETE_ENABLED=true"
        )


# Logins


def token_registry(**tokens: str) -> Callable[[Asked], Answer]:
    """A registry that hands out a token to who logs in as `tokens` say (Authorization or refresh token)."""

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            given = asked.authorization or parse_qs(asked.body.decode()).get("refresh_token", [""])[0]
            return Answer(body=encoded({"token": "t0"})) if given in tokens.values() else Answer(status=401)
        if asked.authorization == "Bearer t0":
            return INDEX_ANSWER
        realm = f'Bearer realm="http://{asked.headers["host"]}/token",service="the, registry"'
        return Answer(status=401, headers={"WWW-Authenticate": realm})

    return answer


def logins_of(server: Server, auth: Mapping[str, Any]) -> DockerLogins:
    return DockerLogins({"auths": {server.host: auth}})


def test_a_token_is_fetched_with_the_login_and_used_again() -> None:
    auth = {"auth": base64.b64encode(b"me:p:w").decode()}
    with scripted_server(token_registry(user=basic("me", "p:w"))) as server:
        registry = Registry(logins=logins_of(server, auth))
        registry.digest(f"{server.host}/node:24")
        registry.digest(f"{server.host}/node:24")
        paths = [urlsplit(asked.path).path for asked in server.asked]
        query = parse_qs(urlsplit(server.asked[1].path).query)
    assert paths == ["/v2/node/manifests/24", "/token", "/v2/node/manifests/24", "/v2/node/manifests/24"]
    assert query == {"service": ["the, registry"], "scope": ["repository:node:pull"]}


def test_a_token_is_fetched_without_login_where_there_is_none() -> None:
    with scripted_server(token_registry(anonymous="")) as server:
        assert Registry().digest(f"{server.host}/node:24") == digest_of(INDEX_BODY)


def test_an_identity_token_is_exchanged_for_an_access_token() -> None:
    with scripted_server(token_registry(identity="id-token")) as server:
        registry = Registry(logins=logins_of(server, {"identitytoken": "id-token"}))
        assert registry.digest(f"{server.host}/node:24") == digest_of(INDEX_BODY)
        assert parse_qs(server.asked[1].body.decode())["grant_type"] == ["refresh_token"]


def test_a_push_asks_for_the_right_to_push_even_after_a_pull() -> None:
    with scripted_server(token_registry(anonymous="")) as server:
        registry = Registry()
        registry.digest(f"{server.host}/node:1")
        registry.put_manifest(f"{server.host}/node:1", INDEX_BODY, INDEX)
        queries = [parse_qs(urlsplit(asked.path).query) for asked in server.asked]
    scopes = [query["scope"] for query in queries if query]
    assert scopes == [["repository:node:pull"], ["repository:node:pull,push"]]


def test_a_wrong_login_is_reported_with_the_command_that_mends_it() -> None:
    auth = {"username": "me", "password": "old-secret"}
    with scripted_server(token_registry(user=basic("me", "new"))) as server:
        with pytest.raises(UnauthorizedError) as caught:
            Registry(logins=logins_of(server, auth)).digest(f"{server.host}/node:24")
        assert str(caught.value) == (
            f"{server.host}/node:24: {server.host} wants a login; run `docker login {server.host}`"
        )


def test_a_registry_with_basic_login_gets_user_and_password() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.authorization == basic("me", "pw"):
            return INDEX_ANSWER
        return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    with scripted_server(answer) as server:
        registry = Registry(logins=logins_of(server, {"username": "me", "password": "pw"}))
        assert registry.digest(f"{server.host}/node:24") == digest_of(INDEX_BODY)


def config_file(tmp_path: Path, config: object) -> dict[str, str]:
    (tmp_path / "config.json").write_text(json.dumps(config))
    return {"DOCKER_CONFIG": str(tmp_path), "PATH": str(tmp_path)}


def credential_helper(tmp_path: Path, script: str) -> None:
    file = tmp_path / "docker-credential-test"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


HELPER = r"""read -r server; printf '{"Username": "me", "Secret": "pw of %s"}' "$server" """


@pytest.mark.parametrize("config", [{"credsStore": "test"}, {"credHelpers": {"ghcr.io": "test"}}])
def test_logins_come_from_the_credential_store_that_docker_uses(tmp_path: Path, config: Mapping[str, Any]) -> None:
    credential_helper(tmp_path, HELPER)
    found = load_docker_logins(config_file(tmp_path, config)).of("ghcr.io")
    assert found is not None
    assert (found.user, found.secret) == ("me", "pw of ghcr.io")
    assert "pw" not in repr(found)


def test_docker_hubs_login_is_kept_under_its_old_address(tmp_path: Path) -> None:
    credential_helper(tmp_path, HELPER)
    found = load_docker_logins(config_file(tmp_path, {"credsStore": "test"})).of("docker.io")
    assert found is not None
    assert found.secret == "pw of https://index.docker.io/v1/"


def test_a_store_without_this_login_leaves_the_registry_without(tmp_path: Path) -> None:
    credential_helper(tmp_path, "echo credentials not found in native keychain; exit 1")
    assert load_docker_logins(config_file(tmp_path, {"credsStore": "test"})).of("ghcr.io") is None


def test_a_credential_store_that_is_not_installed_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RegistryError) as caught:
        load_docker_logins(config_file(tmp_path, {"credsStore": "absent"})).of("ghcr.io")
    assert str(caught.value) == (
        "docker-credential-absent: docker's config.json names it for ghcr.io and it is not on PATH; "
        "install it, or take credsStore or credHelpers out of config.json"
    )


def test_without_a_docker_configuration_there_are_no_logins(tmp_path: Path) -> None:
    assert load_docker_logins({"HOME": str(tmp_path)}).of("ghcr.io") is None


def test_a_broken_docker_configuration_is_reported(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RegistryError) as caught:
        load_docker_logins({"DOCKER_CONFIG": str(tmp_path)})
    assert str(caught.value) == (f"{tmp_path}/config.json: is not readable JSON; correct it or run `docker login`")


# Base images


def hub_at(url: str, **options: Any) -> Registry:
    return Registry(endpoints={"docker.io": url}, sleep=lambda _: None, **options)


BASE = {"/v2/library/node/manifests/24": INDEX_ANSWER}
LOCKED = (digest_of(INDEX_BODY), ("linux/amd64", "linux/arm/v7", "linux/arm64"))


@pytest.mark.parametrize("hub", [Answer(status=0), Answer(status=429), Answer(status=401)])
def test_a_base_that_docker_hub_does_not_give_comes_from_the_engines_mirror(hub: Answer) -> None:
    with (
        scripted_server(in_turn(hub)) as away,
        scripted_server(in_turn(Answer(status=404))) as empty,
        scripted_server(serving(BASE)) as mirror,
    ):
        resolve = resolver(hub_at(away.url), [hub_at(f"{empty.url}/"), hub_at(f"{mirror.url}/")])
        assert resolve("node:24") == LOCKED


def test_a_mirror_never_gets_the_login_of_docker_hub() -> None:
    hub_login = {"auths": {"https://index.docker.io/v1/": {"username": "me", "password": "pw"}}}
    with scripted_server(token_registry(user=basic("me", "pw"))) as mirror:
        with pytest.raises(UnauthorizedError):
            hub_at(mirror.url, logins=DockerLogins(hub_login)).digest("node:24")
        assert [asked.authorization for asked in mirror.asked] == ["", ""]


def test_the_registrys_own_refusal_is_shown_when_the_mirrors_have_nothing() -> None:
    with (
        scripted_server(in_turn(Answer(status=404))) as mirror,
        scripted_server(in_turn(Answer(status=429))) as hub,
    ):
        with pytest.raises(RateLimitError) as caught:
            resolver(hub_at(hub.url), [hub_at(mirror.url)])("node:24")
        assert str(caught.value) == (
            "docker.io/library/node:24: docker.io limits the rate of requests; wait, run `docker login` or use a mirror"
        )


def test_mirrors_are_for_docker_hub_only() -> None:
    with (
        scripted_server(in_turn(Answer(status=401))) as own,
        scripted_server(in_turn(INDEX_ANSWER)) as mirror,
    ):
        with pytest.raises(UnauthorizedError):
            resolver(Registry(), [hub_at(mirror.url)])(f"{own.host}/node:24")
        assert (len(own.asked), mirror.asked) == (1, [])


def test_the_engines_digests_come_from_its_mirrors_first_and_those_that_fail_are_left_out(tmp_path: Path) -> None:
    with (
        scripted_server(serving({})) as empty,
        scripted_server(serving(BASE)) as mirror,
        scripted_server(in_turn(Answer(status=0))) as broken,
    ):
        names = ["node:24", f"{mirror.host}/library/node:24", f"{broken.host}/x:1"]
        found = engine_digests({"HOME": str(tmp_path)}, [empty.url, mirror.url], names)
        assert found == dict.fromkeys(names[:2], digest_of(INDEX_BODY))
        assert len(broken.asked) == 1
    (tmp_path / "config.json").write_text("{")
    assert engine_digests({"DOCKER_CONFIG": str(tmp_path)}, [], names) == {}


def test_a_base_that_names_a_digest_is_asked_for_by_it() -> None:
    digest = digest_of(INDEX_BODY)
    with scripted_server(serving({f"/v2/library/node/manifests/{digest}": INDEX_ANSWER})) as server:
        assert hub_at(server.url).image(f"node:24@{digest}") == LOCKED


# A real registry


LOCAL = "127.0.0.1:5000"


@pytest.mark.engine
def test_a_base_of_docker_hub_is_found_where_the_engine_finds_it() -> None:
    asked = subprocess.run(
        ["docker", "info", "--format", "{{json .RegistryConfig.Mirrors}}"], capture_output=True, check=True
    )
    digest, platforms = load_resolver(os.environ, json.loads(asked.stdout) or ())("node:24-slim")
    assert {"linux/amd64", "linux/arm64"} <= set(platforms)
    pinned = f"FROM docker.io/library/node:24-slim@{digest}\n"
    build = ["docker", "buildx", "build", "--output=type=cacheonly", "--progress=plain", "-"]
    built = subprocess.run(build, input=pinned, text=True, capture_output=True, check=False)
    assert built.returncode == 0, built.stderr


@pytest.mark.engine
def test_a_real_registry_moves_lists_and_deletes_tags() -> None:
    registry, repository = Registry(), f"{LOCAL}/bake-test/{uuid.uuid4().hex}"
    body = encoded({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
    assert registry.tags(repository) == ()
    digests = {registry.put_manifest(f"{repository}:{tag}", body, INDEX) for tag in ("one", "two")}
    assert digests == {digest_of(body)} == {registry.digest(f"{repository}:two")}
    assert registry.tags(repository) == ("one", "two")
    registry.delete(f"{repository}:one")
    assert registry.has_manifest(f"{repository}:two") is False  # the manifest is gone with all its tags
    with pytest.raises(NotFoundError):
        registry.manifest(f"{repository}:two")
