import pytest

from bake.files import parse_npmrc, strip_credentials, wants_login


def test_lines_that_are_or_lead_to_credentials_are_left_out() -> None:
    text = """\
registry=https://npm.acme.example/
@acme:registry=https://npm.acme.example/
//npm.acme.example/:_authToken=secret1
//npm.acme.example/:_password=secret2
//npm.acme.example/:username=bob
"//npm.acme.example/:_auth" = "secret8"
'_authToken' = secret9
_auth=secret3
_authToken = secret4
; a comment may hold secret10
email=bob@acme.example
key="-----BEGIN secret5"
cert=secret6
legacy-peer-deps=true
https-proxy=http://bob:secret7@proxy:3128
[section]
_password=secret11
"""
    assert strip_credentials(text) == (
        "registry=https://npm.acme.example/\n@acme:registry=https://npm.acme.example/\nlegacy-peer-deps=true\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("//npm.acme.example/:_authToken=${NPM_TOKEN}\n", True),
        ('  "//npm.acme.example/:_auth" = x\n', True),
        ("//npm.acme.example/:_password=x\n", True),
        ("//npm.acme.example/:cafile=ca.pem\n", False),
        ("; //npm.acme.example/:_authToken=x\n", False),
        ("registry=https://npm.acme.example/\n", False),
    ],
)
def test_a_registry_with_credentials_wants_a_login(text: str, *, expected: bool) -> None:
    assert wants_login(parse_npmrc(text)) is expected
