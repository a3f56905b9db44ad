"""HTTP as registries need it: the user's CAs and proxies, few retries, errors that say what to do."""

import email.utils
import re
import ssl
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO

import urllib3
from urllib3.exceptions import (
    HTTPError,
    InsecureRequestWarning,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.exceptions import TimeoutError as SilentError

from bake.config import size
from bake.errors import RegistryError

NO_HEADERS: Mapping[str, str] = {}
_RETRIED = frozenset({429, 500, 502, 503, 504})
_PASSING = (ProtocolError, ReadTimeoutError)
"""Without an answer, not without a connection: what refuses that once will again."""
_REDIRECTS = urllib3.Retry(total=None, connect=False, read=False, status=False, other=False, redirect=5)
"""Only redirects are followed: urllib3 would wait as long as a Retry-After says, and retries differ by error here."""
_FIRST_PAUSE = 0.5  # seconds; doubles with every attempt
_CONNECTIONS = 8  # kept for each host: as many as requests go out at once
_LONGEST_PAUSE = 30.0  # seconds; a registry that asks for more is reported instead of waited for


_CA_VARIABLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


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
class Limits:
    """What one answer may take at most, in bytes and in seconds until it is whole; None for no end."""

    bytes: int | None = 256 * 1024**2
    seconds: float | None = 300.0


DOCUMENT = Limits()
"""A document that is parsed; the largest ones of the npm registry have 100 MB."""
ENDLESS = Limits(bytes=None, seconds=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer. headers: lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def network_of(env: Mapping[str, str]) -> Network:
    """The proxies (curl's variables) and CA bundles (variables of OpenSSL, curl, requests and Node) that env names."""
    named = (env.get(name, "") for name in _CA_VARIABLES)
    proxies = {
        scheme: proxy
        for scheme in ("http", "https")
        if (proxy := _either_case(env, f"{scheme}_proxy") or _either_case(env, "all_proxy"))
    }
    return Network(
        ca_files=tuple(Path(name) for name in dict.fromkeys(named) if name and Path(name).is_file()),
        proxies=proxies,
        no_proxy=_either_case(env, "no_proxy"),
    )


class Transport:
    """Sends requests over kept connections; one per set of network settings, safe to use from threads."""

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
        self._managers: dict[tuple[str, str], urllib3.PoolManager] = {}
        self._opening = Lock()  # reading the CA bundle takes longer than most requests: once is enough

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        authorization: str = "",
        body: bytes | IO[bytes] | None = None,
        limits: Limits = DOCUMENT,
        into: IO[bytes] | None = None,
    ) -> Response:
        """Send and return the answer whatever its status; 5xx, 429, broken and silent connections are tried again.

        authorization is not sent on to another host that a redirect leads to. into: a file for the body of an answer
        of 200, which may be large. Raises UnreachableError, and RegistryError for an answer past its limits.
        """
        manager = self._manager(url)
        sent = {**headers, **({"Authorization": authorization} if authorization else {})}
        for attempt in range(1, self._attempts):
            try:
                response = self._send(manager, method, url, sent, body, limits, into)
            except _PASSING:
                self._sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
                continue
            asked = _retry_after(response)
            if response.status not in _RETRIED or asked > _LONGEST_PAUSE:
                return response
            self._sleep(max(asked, _FIRST_PAUSE * 2 ** (attempt - 1)))
        try:
            return self._send(manager, method, url, sent, body, limits, into)
        except _PASSING as error:
            raise self._unreachable(url, error) from error

    def _send(
        self,
        manager: urllib3.PoolManager,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | IO[bytes] | None,
        limits: Limits,
        into: IO[bytes] | None,
    ) -> Response:
        begun = time.monotonic()
        for file in (each for each in (body, into) if each is not None and not isinstance(each, bytes)):
            file.seek(0)
        try:
            answer = manager.request(
                method,
                url,
                body=body,
                headers=headers,
                retries=_REDIRECTS,
                timeout=self._timeout,
                preload_content=False,
                decode_content=False,
            )
            content = _read_body(answer, url, limits, begun, into if answer.status == 200 else None)
        except _PASSING:
            raise
        except HTTPError as error:
            raise self._unreachable(url, error) from error
        return Response(
            status=answer.status, headers={name.lower(): value for name, value in answer.headers.items()}, body=content
        )

    def _manager(self, url: str) -> urllib3.PoolManager:
        """The pool of connections for an address: those of one client certificate and one proxy are together."""
        parts = _parts_of(url)
        host = parts.netloc.rpartition("@")[2]
        certified = host if host in self._network.client_certificates else ""
        proxy = "" if self._network.is_direct(host) else self._network.proxies.get(parts.scheme, "")
        with self._opening:
            if (certified, proxy) not in self._managers:
                self._managers[certified, proxy] = _open_pool(_tls_context(self._network, certified), proxy)
            return self._managers[certified, proxy]

    def _unreachable(self, url: str, error: BaseException) -> UnreachableError:
        host = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
        reason = _root_cause(error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return UnreachableError(
                host,
                f"its certificate is not trusted ({reason.verify_message})",
                "name the CA bundle in SSL_CERT_FILE, or for npm in `cafile` of .npmrc",
            )
        if isinstance(reason, (TimeoutError, SilentError)) and not isinstance(error, NewConnectionError):
            return UnreachableError(host, f"no answer within {self._timeout:g} s", "check network and proxy settings")
        return UnreachableError(
            host, f"cannot be reached ({_said_of(reason)})", "check the name, network and proxy settings"
        )


def _parts_of(url: str) -> urllib.parse.SplitResult:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or any(sign.isspace() for sign in url):
        raise RegistryError(f'"{url}"', "is no http or https address", "correct the registry's address")
    return parts


def _read_body(
    answer: urllib3.BaseHTTPResponse, url: str, limits: Limits, begun: float, into: IO[bytes] | None = None
) -> bytes:
    """The whole body, unless it goes into a file; the connection is free again afterwards, or closed."""
    parts = bytearray()
    for part in answer.stream(1 << 16, decode_content=False):
        if into is not None:
            into.write(part)
            continue
        parts += part
        if limits.bytes is not None and len(parts) > limits.bytes:
            answer.close()
            raise RegistryError(_host_path(url), f"sends more than {size(limits.bytes)}", "see that it is a registry")
        if limits.seconds is not None and time.monotonic() - begun > limits.seconds:
            answer.close()
            raise UnreachableError(_host_path(url), f"takes longer than {limits.seconds:g} s", "try again later")
    return bytes(parts)


def _host_path(url: str) -> str:
    """Host and path of an address: the rest may hold a secret."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def _open_pool(context: ssl.SSLContext, proxy: str) -> urllib3.PoolManager:
    if context.verify_mode == ssl.CERT_NONE:
        urllib3.disable_warnings(InsecureRequestWarning)  # the user turned the checks off
    if not proxy:
        return urllib3.PoolManager(ssl_context=context, maxsize=_CONNECTIONS)
    address = proxy if "://" in proxy else f"http://{proxy}"
    login = urllib.parse.unquote(urllib.parse.urlsplit(address).netloc.rpartition("@")[0])
    try:
        return urllib3.ProxyManager(
            address,
            ssl_context=context,
            proxy_ssl_context=context,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=login) if login else None,
            maxsize=_CONNECTIONS,
        )
    except (HTTPError, ValueError) as error:
        name = _host_path(address)
        raise RegistryError(name, "is no http or https proxy", "correct HTTPS_PROXY, or for npm .npmrc") from error


def _root_cause(error: BaseException) -> BaseException:
    """The error that urllib3's one stands for: its own words hold addresses of objects."""
    inner = getattr(error, "reason", None) if isinstance(error, MaxRetryError) else None
    inside = next((each for each in (inner, *error.args, error.__cause__) if isinstance(each, Exception)), None)
    return _root_cause(inside) if inside is not None else error


def _said_of(reason: BaseException) -> str:
    return str(getattr(reason, "strerror", None) or reason)


def _either_case(env: Mapping[str, str], name: str) -> str:
    return env.get(name) or env.get(name.upper(), "")


def _retry_after(response: Response) -> float:
    """Seconds the server asks for; a date counts as too long to wait, for no clock is read here."""
    asked = response.headers.get("retry-after", "0")
    if re.fullmatch(r"[0-9]+", asked):
        return float(asked)
    return _LONGEST_PAUSE + 1 if email.utils.parsedate(asked) else 0.0


def _tls_context(network: Network, host: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for file in network.ca_files:
        try:
            context.load_verify_locations(cafile=file)
        except (OSError, ssl.SSLError) as error:
            raise RegistryError(
                str(file), f"is no readable CA bundle ({_said_of(error)})", "correct `cafile`"
            ) from error
    if network.ca_text:
        context.load_verify_locations(cadata=network.ca_text)
    if host:
        context.load_cert_chain(*network.client_certificates[host])
    if not network.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
