"""npm's settings as npm reads them, and what a registry is asked with them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.errors import RegistryError
from bake.registry import NpmRegistry, load_npm_settings
from bake.registry.npm import NpmSettings
from tests.scripted_server import Answer, Asked, in_turn, scripted_server

PRIVATE = "https://npm.example/private/"


def settings_of(tmp_path: Path, env: Mapping[str, str] | None = None, **files: str) -> NpmSettings:
    """Settings from the files project, user and global_ with npm's own places for them."""
    places = {"project": "work/.npmrc", "user": "home/.npmrc", "global_": "prefix/etc/npmrc"}
    (tmp_path / "work").mkdir()
    for name, text in files.items():
        file = tmp_path / places[name]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    base = {"HOME": str(tmp_path / "home"), "NPM_CONFIG_PREFIX": str(tmp_path / "prefix"), "PATH": ""}
    return load_npm_settings(tmp_path / "work", {**base, **(env or {})})


# The settings


def test_without_settings_the_public_registry_is_asked(tmp_path: Path) -> None:
    assert settings_of(tmp_path) == NpmSettings(registry="https://registry.npmjs.org/")


@pytest.mark.parametrize(
    ("env", "files", "registry"),
    [
        ({}, {"global_": "global", "user": "user", "project": "project"}, "project"),
        ({}, {"global_": "global", "user": "user"}, "user"),
        ({}, {"global_": "global"}, "global"),
        ({"NPM_CONFIG_REGISTRY": "https://env.example"}, {"project": "project"}, "env"),
        ({"npm_config_registry": "https://env.example"}, {"user": "user"}, "env"),
    ],
)
def test_the_nearest_setting_wins(
    tmp_path: Path, env: Mapping[str, str], files: Mapping[str, str], registry: str
) -> None:
    texts = {place: f"registry=https://{name}.example" for place, name in files.items()}
    assert settings_of(tmp_path, env, **texts).registry == f"https://{registry}.example/"


def test_another_user_file_is_read_where_the_environment_names_it(tmp_path: Path) -> None:
    (tmp_path / "ci.npmrc").write_text("registry=https://ci.example/npm")
    env = {"NPM_CONFIG_USERCONFIG": str(tmp_path / "ci.npmrc")}
    assert settings_of(tmp_path, env, user="registry=https://user.example").registry == "https://ci.example/npm/"


def test_a_scope_has_a_registry_of_its_own(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, user="@acme:registry=https://acme.example/npm")
    asked = [settings.registry_of(name) for name in ("@acme/x", "@other/x", "acme")]
    assert asked == ["https://acme.example/npm/", settings.registry, settings.registry]


def test_certificates_and_proxies_come_from_npm_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    text = "https-proxy=http://proxy.example:3128\nnoproxy=a.example,b.example\ncafile=../ca.pem\nstrict-ssl=false"
    env = {"HTTPS_PROXY": "http://other.example", "HTTP_PROXY": "http://plain.example"}
    network = settings_of(tmp_path, env, project=text).network
    assert dict(network.proxies) == {"http": "http://plain.example", "https": "http://proxy.example:3128"}
    assert (network.no_proxy, network.verify) == ("a.example,b.example", False)
    assert [file.resolve() for file in network.ca_files] == [tmp_path / "ca.pem"]


@pytest.mark.parametrize(
    ("text", "url", "header"),
    [
        ("//npm.example/private/:_authToken=t0", f"{PRIVATE}x", "Bearer t0"),
        ("//npm.example/:_authToken=t1", f"{PRIVATE}x", "Bearer t1"),
        ("//npm.example/private/:_auth=bWU6cHc=", f"{PRIVATE}x", "Basic bWU6cHc="),
        ("//npm.example/:username=me\n//npm.example/:_password=cHc=", f"{PRIVATE}x", "Basic bWU6cHc="),
        ("//npm.example/:_authToken=${NPM_TOKEN}", f"{PRIVATE}x", "Bearer from-env"),
        ("//npm.example/private/:_authToken=t0", "https://npm.example/other/x", ""),
        ("//npm.example/:_authToken=t0", "https://npm.example.evil/x", ""),
        ("//npm.example:8443/:_authToken=t0", "https://npm.example:8443/x", "Bearer t0"),
        ("//npm.example/:_authToken=t0", "https://npm.example:8443/x", ""),
    ],
)
def test_credentials_are_sent_to_the_address_they_are_for(tmp_path: Path, text: str, url: str, header: str) -> None:
    assert settings_of(tmp_path, {"NPM_TOKEN": "from-env"}, user=text).authorization(url) == header


def test_credentials_may_come_from_the_environment(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"npm_config_//npm.example/:_authToken": "t0"})
    assert settings.authorization(f"{PRIVATE}x") == "Bearer t0"


def test_credentials_are_not_shown_with_the_settings(tmp_path: Path) -> None:
    assert "secret" not in repr(settings_of(tmp_path, user="//npm.example/:_authToken=secret"))


def test_a_password_that_is_not_base64_is_reported_without_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, user="//npm.example/:username=me\n//npm.example/:_password=é")
    with pytest.raises(RegistryError) as caught:
        settings.authorization(PRIVATE)
    assert str(caught.value) == "//npm.example/:_password: is not base64; run `npm login` again"


def test_a_file_that_is_no_text_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_bytes(b"\xff\xfe")
    with pytest.raises(RegistryError) as caught:
        load_npm_settings(tmp_path, {"HOME": "/absent", "PATH": ""})
    assert str(caught.value) == f"{tmp_path}/.npmrc: cannot be read; correct its mode or encoding"


# The registry


def document(name: str, *versions: str, **tags: str) -> dict[str, Any]:
    manifests = {version: {"name": name, "version": version} for version in versions}
    return {"name": name, "versions": manifests, "dist-tags": tags}


def serving(answers: Mapping[str, Any]) -> Any:
    """Answers by path; a path that is not there gets 404."""

    def answer(asked: Asked) -> Answer:
        if asked.path not in answers:
            return Answer(status=404)
        return Answer(body=json.dumps(answers[asked.path]).encode())

    return answer


def test_an_exact_version_is_asked_for_by_itself() -> None:
    manifest = {"name": "@acme/x", "version": "1.0.0"}
    with scripted_server(serving({"/@acme%2Fx/1.0.0": manifest})) as server:
        registry = NpmRegistry(NpmSettings(registry=f"{server.url}/"))
        assert registry.manifest("@acme/x", "1.0.0") == manifest
        assert len(server.asked) == 1


def test_a_registry_without_version_addresses_is_asked_for_everything() -> None:
    with scripted_server(serving({"/x": document("x", "1.0.0", "2.0.0")})) as server:
        registry = NpmRegistry(NpmSettings(registry=f"{server.url}/"))
        assert registry.manifest("x", "1.0.0")["version"] == "1.0.0"


@pytest.mark.parametrize(
    ("spec", "version"),
    [("^1.0.0", "1.2.0"), (">=1.0.0", "2.0.0"), ("next", "3.0.0-rc.1"), ("*", "2.0.0"), ("2.x", "2.1.0")],
)
def test_a_range_gets_the_version_that_npm_would_take(spec: str, version: str) -> None:
    made = document("x", "1.0.0", "1.2.0", "1.3.0", "2.0.0", "2.1.0", "3.0.0-rc.1", latest="2.0.0", next="3.0.0-rc.1")
    made["versions"]["1.3.0"]["deprecated"] = "broken"
    made["dist-tags"]["latest"] = "2.1.0" if spec == "2.x" else "2.0.0"
    with scripted_server(serving({"/x": made})) as server:
        assert NpmRegistry(NpmSettings(registry=f"{server.url}/")).manifest("x", spec)["version"] == version


def test_many_manifests_come_in_the_order_asked_and_each_is_asked_for_once() -> None:
    answers = {f"/p{n}/1.0.0": {"name": f"p{n}", "version": "1.0.0"} for n in range(20)}
    specs = [(f"p{n}", "1.0.0") for n in (*range(20), 3)]
    with scripted_server(serving(answers)) as server:
        found = NpmRegistry(NpmSettings(registry=f"{server.url}/")).manifests(specs)
        assert [manifest["name"] for manifest in found] == [name for name, _ in specs]
        assert len(server.asked) == 20


def test_the_scopes_registry_gets_its_own_login_and_the_other_none() -> None:
    with (
        scripted_server(serving({"/@acme%2Fx/1.0.0": {"name": "@acme/x", "version": "1.0.0"}})) as private,
        scripted_server(serving({"/y/1.0.0": {"name": "y", "version": "1.0.0"}})) as public,
    ):
        registry = NpmRegistry(
            NpmSettings(
                registry=f"{public.url}/",
                scopes={"@acme": f"{private.url}/"},
                credentials={f"//{private.host}/": {"_authToken": "t0"}},
            )
        )
        registry.manifests([("@acme/x", "1.0.0"), ("y", "1.0.0")])
        assert [each.asked[0].authorization for each in (private, public)] == ["Bearer t0", ""]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            Answer(status=401),
            "x: URL refuses access (status 401); "
            "log in with `npm login --registry=URL` or set its _authToken in ~/.npmrc",
        ),
        (Answer(status=404), "x: URL does not have it; check `registry` and its access in .npmrc"),
        (
            Answer(status=429, headers={"Retry-After": "99"}),
            "x: URL limits the rate of requests; wait and try again",
        ),
        (Answer(status=418), "x: URL failed with status 418; try again later"),
        (
            Answer(body=b"<html>"),
            "x: URL answered with something other than JSON; check `registry` in .npmrc",
        ),
        (
            Answer(body=json.dumps(document("x", "2.0.0")).encode()),
            "x@1.0.0: URL has no such version; check `registry` in .npmrc; a mirror may not have it yet",
        ),
        (
            Answer(body=b'{"name": "y", "version": "1.0.0"}'),
            "x@1.0.0: the registry answered for 'y'; ask the registry's owner",
        ),
    ],
)
def test_a_refusal_says_what_to_do(answer: Answer, message: str) -> None:
    with scripted_server(in_turn(answer)) as server:
        with pytest.raises(RegistryError) as caught:
            NpmRegistry(NpmSettings(registry=f"{server.url}/")).manifest("x", "1.0.0")
        assert str(caught.value) == message.replace("URL", f"{server.url}/")
