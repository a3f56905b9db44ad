"""Requests as registries get them: retries, certificates, proxies, and what is said when nothing answers."""

import shutil
import socket
import subprocess
from pathlib import Path
from threading import Event

import pytest

from bake.errors import RegistryError
from bake.registry import UnreachableError
from bake.registry.http import Limits, Network, Transport, network_of
from tests.scripted_server import Answer, Asked, in_turn, scripted_server


@pytest.mark.parametrize(
    ("first", "pauses"),
    [
        ((Answer(status=503),), [0.5]),
        ((Answer(status=500), Answer(status=502), Answer(status=504)), [0.5, 1.0, 2.0]),
        ((Answer(status=0),), [0.5]),
        ((Answer(status=429, headers={"Retry-After": "7"}),), [7.0]),
        ((Answer(status=429, headers={"Retry-After": "\u00b2"}),), [0.5]),
        (
            (Answer(status=429, headers={"Retry-After": "-1e9"}), Answer(status=429, headers={"Retry-After": ""})),
            [0.5, 1.0],
        ),
    ],
)
def test_what_may_pass_is_tried_again_after_a_growing_pause(first: tuple[Answer, ...], pauses: list[float]) -> None:
    slept: list[float] = []
    with scripted_server(in_turn(*first, Answer(body=b"at last"))) as server:
        response = Transport(Network(), sleep=slept.append).request("GET", server.url)
    assert (response.status, response.body, slept) == (200, b"at last", pauses)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 501])
def test_an_answer_that_will_stay_the_same_is_not_asked_for_again(status: int) -> None:
    with scripted_server(in_turn(Answer(status=status), Answer())) as server:
        assert Transport(Network(), sleep=never).request("GET", server.url).status == status


@pytest.mark.parametrize("when", ["3600", "9" * 5000, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_registry_that_asks_for_a_long_pause_is_not_waited_for(when: str) -> None:
    with scripted_server(in_turn(Answer(status=429, headers={"Retry-After": when}), Answer())) as server:
        assert Transport(Network(), sleep=never).request("GET", server.url).status == 429


def test_after_four_attempts_the_last_answer_is_given() -> None:
    slept: list[float] = []
    with scripted_server(in_turn(Answer(status=503))) as server:
        response = Transport(Network(), sleep=slept.append).request("GET", server.url)
        assert (response.status, len(server.asked)) == (503, 4)


def test_a_server_that_is_silent_is_asked_again() -> None:
    again, slept = Event(), list[float]()

    def second_time(asked: Asked) -> Answer:
        if len(server.asked) == 1:
            again.wait(30)
        else:
            again.set()
        return Answer(body=b"at last")

    with scripted_server(second_time) as server:
        response = Transport(Network(), sleep=slept.append, timeout=0.2).request("GET", server.url)
    assert (response.body, slept[:1]) == (b"at last", [0.5])


def test_a_connection_that_always_breaks_is_reported() -> None:
    with (
        scripted_server(in_turn(Answer(status=0))) as server,
        pytest.raises(UnreachableError) as caught,
    ):
        Transport(Network(), sleep=lambda _: None).request("GET", server.url)
    assert str(caught.value) == (
        f"{server.host}: cannot be reached (Remote end closed connection without response); "
        "check the name, network and proxy settings"
    )


def test_a_port_where_nothing_listens_is_reported_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnreachableError) as caught:
            Transport(Network(), sleep=never).request("GET", f"http://{host}/path?token=secret")
    assert str(caught.value) == (
        f"{host}: cannot be reached (Connection refused); check the name, network and proxy settings"
    )


@pytest.mark.parametrize("url", ["registry.example/x", "ftp://x/", "https:///x", "http://a b/"])
def test_an_address_that_is_none_is_reported(url: str) -> None:
    with pytest.raises(RegistryError) as caught:
        Transport(Network(), sleep=never).request("GET", url)
    assert str(caught.value) == f'"{url}": is no http or https address; correct the registry\'s address'


def test_a_login_is_not_sent_on_to_where_a_redirect_leads() -> None:
    with scripted_server(in_turn(Answer(body=b"blob"))) as storage:
        redirect = Answer(status=307, headers={"Location": f"{storage.url}/blob"})
        with scripted_server(in_turn(redirect)) as server:
            response = Transport(Network()).request("GET", server.url, authorization="Bearer secret")
    assert response.body == b"blob"
    assert [server.asked[0].authorization, storage.asked[0].authorization] == ["Bearer secret", ""]


def test_a_login_stays_with_a_redirect_on_the_same_host() -> None:
    with scripted_server(in_turn(Answer(status=307, headers={"Location": "/there"}), Answer(body=b"blob"))) as server:
        response = Transport(Network()).request("GET", f"{server.url}/here", authorization="Bearer secret")
    assert response.body == b"blob"
    assert [(asked.path, asked.authorization) for asked in server.asked] == [
        ("/here", "Bearer secret"),
        ("/there", "Bearer secret"),
    ]


def test_a_redirect_that_never_ends_is_reported() -> None:
    redirect = Answer(status=307, headers={"Location": "/again"})
    with scripted_server(in_turn(redirect)) as server, pytest.raises(UnreachableError) as caught:
        Transport(Network(), sleep=never).request("GET", server.url)
    assert str(caught.value) == (
        f"{server.host}: cannot be reached (too many redirects); check the name, network and proxy settings"
    )


def test_requests_to_a_host_share_a_connection() -> None:
    with scripted_server(in_turn(Answer(status=404), Answer(status=503), Answer(body=b"x"))) as server:
        transport = Transport(Network(), sleep=lambda _: None)
        for method in ("GET", "HEAD", "PUT", "GET", "GET"):
            transport.request(method, server.url)
    assert (len(server.asked), len(server.connections)) == (6, 1)


def test_an_answer_larger_than_its_limit_is_not_taken() -> None:
    with scripted_server(in_turn(Answer(body=b"x" * 1_001))) as server:
        limited = Limits(bytes=1_000)
        with pytest.raises(RegistryError) as caught:
            Transport(Network(), sleep=never).request("GET", f"{server.url}/v2/?token=secret", limits=limited)
        assert str(caught.value) == f"{server.host}/v2/: sends more than 1.0 kB; see that it is a registry"
        exact = Transport(Network(), sleep=never).request("GET", server.url, limits=Limits(bytes=1_001))
    assert len(exact.body) == 1_001


def test_an_answer_that_takes_longer_than_its_limit_is_given_up() -> None:
    with scripted_server(in_turn(Answer(body=b"x"))) as server, pytest.raises(UnreachableError) as caught:
        Transport(Network(), sleep=never).request("GET", server.url, limits=Limits(seconds=0))
    assert str(caught.value) == f"{server.host}: takes longer than 0 s; try again later"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    directory = tmp_path_factory.mktemp("certificate")
    chain, key = directory / "ca.pem", directory / "key.pem"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "3650"]
    subprocess.run([*new, *named, "-keyout", key, "-out", chain], check=True, capture_output=True)
    return chain, key


def test_a_certificate_of_an_unknown_authority_is_reported(certificate: tuple[Path, Path]) -> None:
    with (
        scripted_server(in_turn(Answer()), certificate=certificate) as server,
        pytest.raises(UnreachableError) as caught,
    ):
        Transport(Network(), sleep=never).request("GET", server.url)
    assert str(caught.value) == (
        f"{server.host}: its certificate is not trusted (self-signed certificate); "
        "name the CA bundle in SSL_CERT_FILE, or for npm in `cafile` of .npmrc"
    )


@pytest.mark.parametrize(
    "how", ["file", "text", "unverified", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]
)
def test_a_private_authority_is_trusted_when_it_is_named(certificate: tuple[Path, Path], how: str) -> None:
    network = {
        "file": Network(ca_files=(certificate[0],)),
        "text": Network(ca_text=certificate[0].read_text()),
        "unverified": Network(verify=False),
    }.get(how) or network_of({how: str(certificate[0])})
    with scripted_server(in_turn(Answer(body=b"trusted")), certificate=certificate) as server:
        assert Transport(network, sleep=never).request("GET", server.url).body == b"trusted"


def test_a_ca_bundle_that_is_not_there_is_reported() -> None:
    with pytest.raises(RegistryError) as caught:
        Transport(Network(ca_files=(Path("/absent.pem"),))).request("GET", "https://127.0.0.1:9/")
    assert str(caught.value) == ("/absent.pem: is no readable CA bundle (No such file or directory); correct `cafile`")


def test_a_proxy_is_asked_for_hosts_that_are_not_excepted() -> None:
    with scripted_server(in_turn(Answer(body=b"by proxy"))) as proxy:
        network = network_of({"HTTP_PROXY": proxy.url, "NO_PROXY": "internal.example"})
        response = Transport(network, sleep=never).request("GET", "http://registry.example/x")
        assert response.body == b"by proxy"
        assert [asked.path for asked in proxy.asked] == ["http://registry.example/x"]


def test_a_proxys_login_goes_to_the_proxy_alone() -> None:
    with scripted_server(in_turn(Answer(body=b"by proxy"))) as proxy:
        network = network_of({"HTTP_PROXY": f"bob:s%40cret@{proxy.host}"})
        Transport(network, sleep=never).request("GET", "http://registry.example/x")
        headers = proxy.asked[0].headers
    assert (headers["proxy-authorization"], headers["host"]) == ("Basic Ym9iOnNAY3JldA==", "registry.example")


def test_a_proxy_of_another_kind_is_refused_without_its_login() -> None:
    with pytest.raises(RegistryError) as caught:
        Transport(network_of({"ALL_PROXY": "socks5://bob:secret@127.0.0.1:9"})).request("GET", "http://a.example")
    assert str(caught.value) == "127.0.0.1:9: is no http or https proxy; correct HTTPS_PROXY, or for npm .npmrc"


@pytest.mark.parametrize("no_proxy", ["other.example, 127.0.0.1", ""])
def test_the_loopback_is_reached_without_proxy(no_proxy: str) -> None:
    network = Network(proxies={"http": "http://127.0.0.1:9"}, no_proxy=no_proxy)
    with scripted_server(in_turn(Answer(body=b"direct"))) as server:
        assert Transport(network, sleep=never).request("GET", server.url).body == b"direct"


@pytest.mark.parametrize(
    ("no_proxy", "host", "past"),
    [
        ("example.com", "npm.example.com", True),
        (".example.com", "npm.example.com", True),
        ("*.example.com", "npm.example.com", True),
        ("example.com", "example.com:8443", True),
        ("example.com:8443", "example.com:8443", True),
        ("example.com:8443", "example.com", False),
        ("example.com", "badexample.com", False),
        ("*", "anything", True),
        ("", "anything", False),
    ],
)
def test_no_proxy_names_hosts_and_what_is_below_them(no_proxy: str, host: str, *, past: bool) -> None:
    assert Network(no_proxy=no_proxy).is_direct(host) is past


def never(seconds: float) -> None:
    raise AssertionError(f"slept {seconds} s")
