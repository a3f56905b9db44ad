"""HTTP as registries need it: the user's CAs and proxies, few retries, errors that say what to do."""

import email.utils
import http.client
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from threading import Lock

from bake.errors import RegistryError

NO_HEADERS: Mapping[str, str] = {}
_RETRIED = frozenset({429, 500, 502, 503, 504})
_BROKEN = (ConnectionResetError, BrokenPipeError, http.client.HTTPException)
# Without an answer, not without a connection: that comes as URLError, and comes again.
_PASSING = (*_BROKEN, TimeoutError)
_FIRST_PAUSE = 0.5  # seconds; doubles with every attempt
_LONGEST_PAUSE = 30.0  # seconds; a registry that asks for more is reported instead of waited for


class UnreachableError(RegistryError):
    """No answer: name resolution, connection, TLS or a connection that breaks on every attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How this user's machine reaches hosts.

    ca_files: PEM bundles trusted beside the system's. ca_text: PEM text likewise. verify: False turns
    certificate checks off. proxies: scheme -> proxy URL. no_proxy: hosts past the proxy, comma-separated.
    client_certificates: host[:port] -> (certificate file, key file).
    """

    ca_files: tuple[Path, ...] = ()
    ca_text: str = ""
    verify: bool = True
    proxies: Mapping[str, str] = field(default_factory=dict)
    no_proxy: str = ""
    client_certificates: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)

    def is_direct(self, host: str) -> bool:
        """Whether host[:port] is reached past the proxy: in no_proxy, below one of these, or loopback."""
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        # A proxy cannot route to the loopback of the machine that asks.
        if name == "localhost" or name.startswith("127.") or name == "[::1]":
            return True
        words = (word.strip() for word in self.no_proxy.split(","))
        # "*" alone leaves "", which every name ends with.
        listed = [word.removeprefix("*").lstrip(".") for word in words if word]
        return any(not end or each == end or each.endswith(f".{end}") for end in listed for each in (host, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer. headers: lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def network_of(env: Mapping[str, str]) -> Network:
    """The proxies (curl's variables) and CA bundles (OpenSSL's and Node's variables) that env names."""
    named = (env.get("SSL_CERT_FILE", ""), env.get("NODE_EXTRA_CA_CERTS", ""))
    proxies = {
        scheme: proxy
        for scheme in ("http", "https")
        if (proxy := _either(env, f"{scheme}_proxy") or _either(env, "all_proxy"))
    }
    return Network(
        ca_files=tuple(Path(name) for name in dict.fromkeys(named) if name and Path(name).is_file()),
        proxies=proxies,
        no_proxy=_either(env, "no_proxy"),
    )


class Transport:
    """Sends requests; one per set of network settings, safe to use from threads."""

    def __init__(
        self,
        network: Network,
        *,
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = 4,
        timeout: float = 30.0,
    ) -> None:
        """attempts: how often one request is sent at most. timeout: seconds without a byte."""
        self._network = network
        self._sleep = sleep
        self._attempts = attempts
        self._timeout = timeout
        self._openers: dict[tuple[str, bool], urllib.request.OpenerDirector] = {}
        self._opening = Lock()  # reading the CA bundle takes longer than most requests: once is enough

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        authorization: str = "",
        body: bytes | None = None,
    ) -> Response:
        """Send and return the answer whatever its status; 5xx, 429, broken and silent connections are tried again.

        authorization is not sent on to where a redirect leads. Raises UnreachableError.
        """
        request = _request(method, url, headers, body)
        if authorization:
            request.add_unredirected_header("Authorization", authorization)
        for attempt in range(1, self._attempts):
            try:
                response = self._send(request)
            except _PASSING:
                self._sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
                continue
            asked = _retry_after(response)
            if response.status not in _RETRIED or asked > _LONGEST_PAUSE:
                return response
            self._sleep(max(asked, _FIRST_PAUSE * 2 ** (attempt - 1)))
        try:
            return self._send(request)
        except _PASSING as error:
            raise self._unreachable(url, error) from error

    def _send(self, request: urllib.request.Request) -> Response:
        try:
            with self._opener(request).open(request, timeout=self._timeout) as answer:
                return _response(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return _response(refused.code, refused.headers, refused.read())
        except urllib.error.URLError as error:
            if isinstance(error.reason, _BROKEN):
                raise error.reason from error
            raise self._unreachable(request.full_url, error.reason) from error
        except (ssl.SSLError, ConnectionRefusedError) as error:
            raise self._unreachable(request.full_url, error) from error

    def _opener(self, request: urllib.request.Request) -> urllib.request.OpenerDirector:
        bypass = self._network.is_direct(request.host)
        key = (request.host if request.host in self._network.client_certificates else "", bypass)
        with self._opening:
            if key not in self._openers:
                self._openers[key] = self._open(key[0], {} if bypass else self._network.proxies)
            return self._openers[key]

    def _open(self, host: str, proxies: Mapping[str, str]) -> urllib.request.OpenerDirector:
        return urllib.request.build_opener(
            urllib.request.ProxyHandler(dict(proxies)),
            urllib.request.HTTPSHandler(context=_context(self._network, host)),
        )

    def _unreachable(self, url: str, reason: BaseException | str) -> UnreachableError:
        host = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
        if isinstance(reason, ssl.SSLCertVerificationError):
            return UnreachableError(
                host,
                f"its certificate is not trusted ({reason.verify_message})",
                "name the CA bundle in SSL_CERT_FILE, or for npm in `cafile` of .npmrc",
            )
        if isinstance(reason, TimeoutError):
            return UnreachableError(host, f"no answer within {self._timeout:g} s", "check network and proxy settings")
        return UnreachableError(
            host, f"cannot be reached ({_said(reason)})", "check the name, network and proxy settings"
        )


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> urllib.request.Request:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or any(sign.isspace() for sign in url):
        raise RegistryError(f'"{url}"', "is no http or https address", "correct the registry's address")
    return urllib.request.Request(url, data=body, method=method, headers=dict(headers))  # noqa: S310


def _said(reason: BaseException | str) -> str:
    return str(getattr(reason, "strerror", None) or reason)


def _either(env: Mapping[str, str], name: str) -> str:
    return env.get(name) or env.get(name.upper(), "")


def _response(status: int, headers: Message, body: bytes) -> Response:
    return Response(status=status, headers={name.lower(): value for name, value in headers.items()}, body=body)


def _retry_after(response: Response) -> float:
    """Seconds the server asks for; a date counts as too long to wait, for no clock is read here."""
    asked = response.headers.get("retry-after", "0")
    if asked.isdigit():
        return float(asked)
    return _LONGEST_PAUSE + 1 if email.utils.parsedate(asked) else 0.0


def _context(network: Network, host: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for file in network.ca_files:
        try:
            context.load_verify_locations(cafile=file)
        except (OSError, ssl.SSLError) as error:
            raise RegistryError(str(file), f"is no readable CA bundle ({_said(error)})", "correct `cafile`") from error
    if network.ca_text:
        context.load_verify_locations(cadata=network.ca_text)
    if host:
        context.load_cert_chain(*network.client_certificates[host])
    if not network.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
