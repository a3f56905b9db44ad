"""bake.toml: what is accepted, and every complaint about the rest at once."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bake.config import config_schema, image_names, parse_config, words
from bake.errors import ConfigError

SMALLEST = '[project]\nname = "shop"\n\n[services.api]\npackage = "services/api"\n'


def complaints(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return caught.value.complaints


def test_five_lines_are_a_whole_configuration() -> None:
    config = parse_config(SMALLEST)
    assert config.project.platforms == ("linux/amd64", "linux/arm64")
    assert image_names(config) == {"api": ("api", "")}


def test_every_complaint_is_made_at_once_with_its_key_and_a_suggestion() -> None:
    text = """
[project]
nmae = "shop"
platforms = ["linux/amd64", "windows/amd64"]

[services.api]
package = 3
prot = 80
[services.web]
package = "web"
port = 70000
health = "healthz"
command = "node 'x"
[services.all]
package = "x"
[secrets.token]
"""
    assert complaints(text) == (
        "bake.toml: project.nmae: unknown key, did you mean `name`?",
        "bake.toml: project.name: missing",
        "bake.toml: project.platforms[1]: 'windows/amd64' is not a platform like linux/amd64 or linux/arm64",
        "bake.toml: services.api.prot: unknown key, did you mean `port`?",
        "bake.toml: services.api.package: expected text, got a whole number",
        "bake.toml: services.web.port: 70000 is not a port from 1 to 65535",
        "bake.toml: services.all: the name is bake's own; choose another",
        "bake.toml: services.web.command: cannot be split into words (No closing quotation)",
        "bake.toml: services.web.health: 'healthz' is not a path; it starts with `/`",
        "bake.toml: secrets.token: needs one of file, env",
    )


def test_rules_between_keys_are_checked_together() -> None:
    text = (
        SMALLEST
        + """
[services.all]
package = "x"
[services.web]
package = "web"
health = "healthz"
command = "node 'x"
writable = ["../tmp"]
user = "a b"
[services.shop]
package = "shop"
static = "dist"
command = "node x.js"
[services.shop.roles]
a = {}
[services.shop-a]
package = "x"
[secrets.token]
"""
    )
    assert complaints(text) == (
        "bake.toml: services.all: the name is bake's own; choose another",
        "bake.toml: services.shop-a: makes the image `shop-a`, and so does services.shop.roles.a",
        "bake.toml: services.web.command: cannot be split into words (No closing quotation)",
        "bake.toml: services.web.health: 'healthz' is not a path; it starts with `/`",
        "bake.toml: services.web.user: 'a b' is not a user or user:group",
        "bake.toml: services.web.writable: '../tmp' is neither an absolute path nor one below its folder",
        "bake.toml: services.shop.static: a static service has no roles",
        "bake.toml: services.shop.command: a static service has no command of its own",
        "bake.toml: secrets.token: needs one of file, env",
    )


def test_whatever_is_split_into_words_is_checked_for_that() -> None:
    text = """
[project]
name = "shop"
tag = "{sha} 'x"
[services.web]
package = "web"
entrypoint = "node 'x"
[services.web.roles.api]
entrypoint = "'"
[smoke.dependencies.redis]
image = "redis"
command = 'redis "'
"""
    assert complaints(text) == tuple(
        f"bake.toml: {key}: cannot be split into words (No closing quotation)"
        for key in (
            "services.web.entrypoint",
            "services.web.roles.api.entrypoint",
            "project.tag",
            "smoke.dependencies.redis.command",
        )
    )


def test_a_link_behind_another_one_is_refused() -> None:
    text = SMALLEST + '[services.web]\npackage = "web"\nlinks = { "/srv/x" = "a", "/srv/x/y" = "b", "/srv/xy" = "c" }\n'
    assert complaints(text) == (
        "bake.toml: services.web.links: `/srv/x/y` lies behind the link `/srv/x`; keep one of them",
    )


def test_beside_roles_keys_of_one_process_are_refused() -> None:
    text = """
[project]
name = "shop"
[services.api]
package = "api"
command = "node main.js"
port = 80
env = { A = "b" }
[services.api.roles.migrate]
command = "node migrate.js"
once = true
"""
    said = "is of one process, and roles are all there are; give it [services.api.roles.NAME]"
    assert complaints(text) == (
        f"bake.toml: services.api.command: {said}",
        f"bake.toml: services.api.port: {said}",
    )


def test_what_was_expected_is_said_in_plain_words() -> None:
    text = """
[project]
name = 1.5
platforms = "linux/amd64"
[services.api]
package = true
port = "80"
env = ["A"]
command = {}
healthcheck = 2026-01-01
[layers]
trim = {}
"""
    assert sorted(line.removeprefix("bake.toml: ") for line in complaints(text)) == [
        "layers.trim: expected a list of text, got a table",
        "project.name: expected text, got a number",
        "project.platforms: expected a list of text, got text",
        "services.api.command: expected text or a list of text, got a table",
        "services.api.env: expected a table, got a list",
        "services.api.healthcheck: expected true or false, got a date",
        "services.api.package: expected text, got true or false",
        "services.api.port: expected a whole number, got text",
    ]


def test_paths_are_handed_on_by_a_static_service_only() -> None:
    text = SMALLEST + 'proxy = {"/api/" = "http://api/"}\n'
    assert complaints(text) == (
        "bake.toml: services.api.proxy: only a static service has one; its process asks other servers itself",
    )
    web = '[services.web]\npackage = "web"\nstatic = "dist"\nproxy = {api = "http://api/", "/x" = "api:4000"}\n'
    assert complaints(f"{SMALLEST}{web}") == (
        "bake.toml: services.web.proxy.api: 'api' is not a path like /api/",
        "bake.toml: services.web.proxy.\"/x\": 'api:4000' is not a URL like http://api:4000/",
    )


def test_headers_are_those_of_a_static_service_and_not_the_servers_own() -> None:
    text = (
        SMALLEST
        + """
headers = {X-Frame-Options = "DENY"}
[services.web]
package = "web"
static = "dist"
[services.web.headers]
Content-Security-Policy = "default-src 'self'"
Referrer-Policy = ""
cache-control = "no-store"
Content-Length = "3"
"X Y" = "z"
X-Lines = "a\\r\\nb"
"""
    )
    assert complaints(text) == (
        "bake.toml: services.web.headers.\"X Y\": 'X Y' is not a header's name",
        "bake.toml: services.web.headers.X-Lines: 'a\\r\\nb' is not a header's value: one line of ASCII",
        "bake.toml: services.api.headers: only a static service has headers; its process sets its own",
        "bake.toml: services.web.headers.cache-control: the server sets it itself, for each file",
        "bake.toml: services.web.headers.Content-Length: the server sets it itself, for each file",
    )


def test_brackets_without_end_are_one_complaint() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config("a = " + "[" * 100_000)
    assert str(caught.value) == "bake.toml: its TOML is nested too deeply; correct the syntax"


def test_text_that_is_no_toml_is_one_complaint() -> None:
    (line,) = complaints("[project\n")
    assert line.startswith("bake.toml: not TOML (Expected ']' at the end of a table declaration")
    assert line.endswith("; correct the syntax")


def test_a_path_that_leaves_the_workspace_is_refused() -> None:
    assert complaints(SMALLEST + 'static = "../dist"\n') == (
        "bake.toml: services.api.static: '../dist' is not a path inside the workspace",
    )


def test_roles_make_one_image_each_in_the_order_of_the_file() -> None:
    config = parse_config(SMALLEST + '[services.api.roles]\nweb = {}\nworker = { command = "node w.js" }\n')
    assert image_names(config) == {"api-web": ("api", "web"), "api-worker": ("api", "worker")}


def test_a_command_is_split_as_a_shell_splits_it() -> None:
    assert words("node -e 'a b' c\\ d") == ("node", "-e", "a b", "c d")
    assert words(("node", "a b")) == ("node", "a b")


def test_the_example_is_valid_by_schema_and_parser() -> None:
    text = (Path(__file__).parents[3] / "examples/apphub/bake.toml").read_text(encoding="utf-8")
    parse_config(text)
    jsonschema.validate(tomllib.loads(text), config_schema())


def test_the_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(config_schema())
    assert config_schema()["required"] == ["project", "services"]


_KEYS = st.sampled_from(["name", "registry", "platforms", "tag", "package", "port", "roles", "health", "static", "zz"])
_VALUES = st.one_of(
    st.text(max_size=8),
    st.integers(-1, 70000),
    st.booleans(),
    st.sampled_from(["linux/amd64", "dist", "/healthz", "ghcr.io/acme"]),
    st.lists(st.sampled_from(["linux/amd64", "x"]), max_size=2),
    st.dictionaries(st.sampled_from(["path", "log", "a"]), st.sampled_from(["/x", 3, {}]), max_size=2),
)


@settings(max_examples=100, deadline=None)
@given(
    project=st.dictionaries(_KEYS, _VALUES, max_size=4),
    service=st.dictionaries(_KEYS, _VALUES, max_size=4),
)
def test_what_the_schema_refuses_the_parser_refuses(project: dict[str, Any], service: dict[str, Any]) -> None:
    document = {"project": {"name": "shop"} | project, "services": {"api": {"package": "x"} | service}}
    by_schema = jsonschema.Draft202012Validator(config_schema()).is_valid(document)
    try:
        parse_config(_toml(document))
        by_parser = True
    except ConfigError as error:
        # Rules between keys are the parser's alone; every other complaint must be the schema's too.
        by_parser = all(_between_keys(c) for c in error.complaints)
    assert by_parser == by_schema, json.dumps(document)


def _between_keys(complaint: str) -> bool:
    ends = ("it starts with `/`", "is empty", "has no roles", "has no command of its own", "no platform")
    ends_with_rule = complaint.endswith((*ends, "or has a `dockerfile`"))
    rules = ("cannot be split", "makes the image", "roles are all there are")
    return ends_with_rule or any(rule in complaint for rule in rules)


def _toml(document: dict[str, Any]) -> str:
    import tomli_w

    return tomli_w.dumps(document)
