"""Container registries: digests, manifests and tags, by the OCI distribution protocol.

Sources: opencontainers/distribution-spec (endpoints, error codes), distribution's spec/auth/token.md (login),
docs.docker.com/reference/cli/docker/login (credential stores).
"""

import base64
import contextlib
import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias, TypeVar

from bake.config import DOCKER_HUB, Reference, parse_reference
from bake.errors import RegistryError
from bake.registry.http import DOCUMENT, ENDLESS, Limits, Network, Response, Transport, UnreachableError, network_of

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ANY_IMAGE: Mapping[str, str] = {"Accept": ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))}
_HUB_ENDPOINT = "https://registry-1.docker.io"
_HUB_LOGIN = "https://index.docker.io/v1/"  # Docker's key for Docker Hub in config.json and credential stores
_CHALLENGE = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_UNTAGS = 4  # how often a tag is taken away at most
_HELPER_TIMEOUT = 30  # seconds; a keychain may ask the user to unlock it


class UnauthorizedError(RegistryError):
    """401: no credentials, or the registry does not take them."""


class DeniedError(RegistryError):
    """403: the credentials are known and do not allow this."""


class NotFoundError(RegistryError):
    """404: no such repository, tag or digest, or none that these credentials may see."""


class RateLimitError(RegistryError):
    """429, also after waiting."""


class QuotaError(RegistryError):
    """The registry has no room left for this project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user and password, or an identity token (then user is empty)."""

    user: str = ""
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest or index as the registry has it. body: its exact bytes; content: those parsed."""

    digest: str
    media_type: str
    body: bytes = field(repr=False)
    content: Mapping[str, Any] = field(repr=False)

    @property
    def is_index(self) -> bool:
        """Whether it lists a manifest for each platform."""
        return self.media_type in INDEX_TYPES

    @property
    def listed(self) -> tuple[tuple[str, str], ...]:
        """Platform and digest of every image that an index lists; attestations are none."""
        named = ((platform_name(m.get("platform") or {}), m) for m in self.content.get("manifests") or ())
        return tuple((platform, str(m["digest"])) for platform, m in named if platform)

    @property
    def blobs(self) -> tuple[Mapping[str, Any], ...]:
        """Settings and layers of one image, each blob once."""
        config = self.content.get("config")
        found = (*([config] if config else ()), *(self.content.get("layers") or ()))
        return tuple({str(blob["digest"]): blob for blob in found}.values())

    @property
    def stored_bytes(self) -> int:
        """What a registry keeps for one image."""
        return sum(int(blob["size"]) for blob in self.blobs)


Pinned: TypeAlias = tuple[str, tuple[str, ...]]
"""An image's digest and its platforms."""


class DockerLogins:
    """What `docker login` stored: config.json's auths, credsStore and credHelpers."""

    def __init__(self, config: Mapping[str, Any], *, path: str = "") -> None:
        """config: config.json parsed. path: the PATH to find docker-credential-* in."""
        self._config = config
        self._path = path

    def of(self, host: str) -> Credentials | None:
        """The credentials for a registry host, None when there are none. Raises RegistryError."""
        key = _HUB_LOGIN if host == DOCKER_HUB else host
        helpers = self._config.get("credHelpers") or {}
        helper = helpers.get(host) or helpers.get(key) or self._config.get("credsStore")
        if helper and (found := self._from_helper(str(helper), key)):
            return found
        return _from_auths(self._config.get("auths") or {}, host, key)

    def _from_helper(self, helper: str, key: str) -> Credentials | None:
        program = f"docker-credential-{helper}"
        found = shutil.which(program, path=self._path or None)
        if found is None:
            what = f"docker's config.json names it for {key} and it is not on PATH"
            raise RegistryError(program, what, "install it, or take credsStore or credHelpers out of config.json")
        try:
            asked = subprocess.run(
                [found, "get"],
                input=key,
                capture_output=True,
                text=True,
                check=False,
                timeout=_HELPER_TIMEOUT,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RegistryError(program, f"gives no credentials for {key}", "run `docker login`") from error
        return _from_helper_answer(asked.stdout) if asked.returncode == 0 else None


def load_docker_logins(env: Mapping[str, str]) -> DockerLogins:
    """Read $DOCKER_CONFIG/config.json, else ~/.docker/config.json; an absent file has no logins."""
    home = Path(env.get("HOME") or env.get("USERPROFILE") or ".")
    file = Path(env.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        config = {}
    except (OSError, ValueError) as error:
        raise RegistryError(str(file), "is not readable JSON", "correct it or run `docker login`") from error
    return DockerLogins(config if isinstance(config, dict) else {}, path=env.get("PATH", ""))


def load_registry(env: Mapping[str, str]) -> "Registry":
    """The registries as this user reaches them: docker's logins, the environment's proxies and CAs."""
    return Registry(logins=load_docker_logins(env), network=network_of(env))


class Registry:
    """Every registry, by reference; tokens are kept for the life of the object."""

    def __init__(
        self,
        *,
        logins: DockerLogins | None = None,
        network: Network | None = None,
        endpoints: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        timeout: float = 30.0,
        attempts: int = 4,
    ) -> None:
        """endpoints: host -> base URL to use in its stead (a mirror).

        timeout: seconds without a byte. attempts: how often one request is sent at most.
        """
        self._logins = logins or DockerLogins({})
        self._transport = Transport(network or Network(), sleep=sleep, timeout=timeout, attempts=attempts)
        self._endpoints = endpoints or {}
        self._tokens: dict[tuple[str, str], str] = {}

    def manifest(self, reference: Reference | str) -> Manifest:
        """The manifest or index of a tag or digest, its digest verified. Raises RegistryError."""
        ref = _as_reference(reference)
        response = self._call("GET", ref, f"manifests/{ref.target}", headers=_ANY_IMAGE)
        return _verified_manifest(ref, response)

    def digest(self, reference: Reference | str) -> str:
        """The digest that a tag points to: the index's where there is one."""
        ref = _as_reference(reference)
        response = self._call("HEAD", ref, f"manifests/{ref.target}", headers=_ANY_IMAGE)
        return response.headers.get("docker-content-digest") or self.manifest(ref).digest

    def platforms(self, reference: Reference | str) -> tuple[str, ...]:
        """The platforms of an image, such as "linux/arm64", sorted; attestations are none."""
        ref = _as_reference(reference)
        return self._platforms(ref, self.manifest(ref))

    def image(self, reference: Reference | str) -> Pinned:
        """Digest and platforms."""
        ref = _as_reference(reference)
        manifest = self.manifest(ref)
        return manifest.digest, self._platforms(ref, manifest)

    def blob(self, reference: Reference | str, digest: str) -> bytes:
        """A blob (a config, an attestation) of the reference's repository, its digest verified."""
        ref = _as_reference(reference)
        body = self._call("GET", ref, f"blobs/{digest}", limits=ENDLESS).body
        if _sha256(body) != digest:
            raise RegistryError(f"{ref.name}@{digest}", "the registry sent other content", "try again")
        return body

    def fetch_blob(self, reference: Reference, digest: str, into: IO[bytes]) -> None:
        """Write a blob, which may be large, into an empty file, its digest verified. Raises RegistryError."""
        self._call("GET", reference, f"blobs/{digest}", limits=ENDLESS, into=into)
        into.truncate()
        into.seek(0)
        content = hashlib.sha256()
        while part := into.read(1 << 20):
            content.update(part)
        if f"sha256:{content.hexdigest()}" != digest:
            raise RegistryError(f"{reference.name}@{digest}", "the registry sent other content", "try again")

    def has_blob(self, reference: Reference, digest: str) -> bool:
        """Whether the reference's repository has the blob."""
        try:
            self._call("HEAD", reference, f"blobs/{digest}")
        except NotFoundError:
            return False
        return True

    def mount_blob(self, reference: Reference, digest: str, source: Reference) -> bool:
        """Take a blob over from another repository of the same host; whether the registry did."""
        path = (
            f"blobs/uploads/?mount={urllib.parse.quote(digest)}&from={urllib.parse.quote(source.repository, safe='')}"
        )
        try:
            return self._call("POST", reference, path, also=f"repository:{source.repository}:pull").status == 201
        except (DeniedError, UnauthorizedError):
            return False

    def blob_tail(self, reference: Reference | str, digest: str, count: int) -> bytes:
        """The last bytes of a blob, not verified; a registry that knows no ranges sends the whole."""
        headers = {"Range": f"bytes=-{count}"}
        blob = self._call("GET", _as_reference(reference), f"blobs/{digest}", headers=headers, limits=ENDLESS)
        return blob.body[-count:]

    def has_manifest(self, reference: Reference | str) -> bool:
        """Whether the tag or digest is there."""
        ref = _as_reference(reference)
        try:
            self._call("HEAD", ref, f"manifests/{ref.target}", headers=_ANY_IMAGE)
        except NotFoundError:
            return False
        return True

    def put_manifest(self, reference: Reference | str, body: bytes, media_type: str) -> str:
        """Write a manifest under the reference's tag: this is how a tag is moved. Gives its digest."""
        self._put(_as_reference(reference), body, media_type)
        return _sha256(body)

    def _put(self, ref: Reference, body: bytes, media_type: str) -> Response:
        headers = {"Content-Type": media_type}
        return self._call("PUT", ref, f"manifests/{ref.tag or ref.digest}", headers=headers, body=body)

    def put_referrer(
        self,
        subject: Reference,
        manifest: Manifest,
        kind: str,
        annotations: Mapping[str, str],
        *,
        content: bytes | None = None,
        listed: bool = False,
    ) -> None:
        """Say something of an image beside it: its own digest stays. Raises RegistryError.

        listed: where the registry lists no referrers itself, in the tag for them. Source: OCI distribution
        specification, "Pushing Manifests with Subject", "Referrers Tag Schema"; image specification, guidance for
        artifacts.
        """
        empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": self.put_blob(subject, b"{}"), "size": 2}
        about = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": len(manifest.body)}
        layer = empty
        if content is not None:
            layer = {"mediaType": kind, "digest": self.put_blob(subject, content), "size": len(content)}
        table = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPES[0],
            "artifactType": kind,
            "config": empty,
            "layers": [layer],
            "subject": about,
            "annotations": dict(annotations),
        }
        body = json.dumps(table, sort_keys=True).encode()
        place = dataclasses.replace(subject, tag="", digest=_sha256(body))
        answer = self._put(place, body, MANIFEST_TYPES[0])
        if listed and "oci-subject" not in answer.headers:
            described = {
                "mediaType": MANIFEST_TYPES[0],
                "digest": place.digest,
                "size": len(body),
                "artifactType": kind,
                "annotations": dict(annotations),
            }
            self._list_referrer(subject, described)

    def _list_referrer(self, subject: Reference, described: Mapping[str, Any]) -> None:
        """Add a descriptor to the tag that stands for an image's referrers."""
        there = self._tagged_referrers(subject).get("manifests") or ()
        if all(each["digest"] != described["digest"] for each in there):
            index = {"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": [*there, described]}
            self.put_manifest(referrers_tag(subject), json.dumps(index).encode(), INDEX_TYPES[0])

    def referrers(self, subject: Reference, kind: str = "") -> tuple[Mapping[str, Any], ...]:
        """Descriptors of what is said of an image by digest, of one artifact type. Raises RegistryError.

        Source: OCI distribution specification, "Listing Referrers"; where the registry lists none, the tag for it.
        """
        query = f"?artifactType={urllib.parse.quote(kind)}" if kind else ""
        try:
            listed = _json_answer(subject, self._call("GET", subject, f"referrers/{subject.digest}{query}"))
        except NotFoundError:
            listed = self._tagged_referrers(subject)
        found = listed.get("manifests") or ()
        return tuple(each for each in found if not kind or each.get("artifactType") == kind)

    def _tagged_referrers(self, subject: Reference) -> Mapping[str, Any]:
        """The index of the tag that stands for an image's referrers; empty where there is none."""
        try:
            return self.manifest(referrers_tag(subject)).content
        except NotFoundError:
            return {}

    def tags(self, reference: Reference | str) -> tuple[str, ...]:
        """Every tag of the reference's repository, sorted; none for a repository that is not there."""
        ref = _as_reference(reference)
        tags: list[str] = []
        rest: str | None = "tags/list?n=1000"
        while rest is not None:
            try:
                response = self._call("GET", ref, rest)
            except NotFoundError:
                return ()
            tags += _json_answer(ref, response).get("tags") or ()
            rest = _next_page(response)
        return tuple(sorted(tags))

    def delete(self, reference: Reference | str) -> None:
        """Delete the manifest behind the reference, with every tag on it; absent is as good as deleted."""
        ref = _as_reference(reference)
        try:
            digest = ref.digest or self.digest(ref)
            self._call("DELETE", ref, f"manifests/{digest}")
        except NotFoundError:
            return

    def untag(self, reference: Reference | str) -> None:
        """Take a tag away and leave the image that it stands on. Raises RegistryError where deletes are not allowed.

        Deleting a digest takes all its tags, and few registries delete a tag alone: so the tag moves to an empty
        index of its own first, which is deleted then. A registry that finds another tag half written at that moment
        fails when the index is gone and the tag still listed, and has nothing to delete when it is asked again: so the
        index is put there again. Source: distribution 2.8, registry/handlers/manifests.go, DeleteManifest.
        """
        ref = _as_reference(reference)
        empty = {"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": [], "annotations": {"bake": str(ref)}}
        for _ in range(_UNTAGS):
            digest = self.put_manifest(ref, json.dumps(empty).encode(), INDEX_TYPES[0])
            with contextlib.suppress(NotFoundError):
                self._call("DELETE", ref, f"manifests/{digest}")
                return

    def check_push(self, reference: Reference | str) -> None:
        """Raise RegistryError when these credentials cannot push there: an upload is begun and given up."""
        ref = _as_reference(reference)
        if place := self._upload(ref):
            self._transport.request("DELETE", place, authorization=self._token(ref, "POST"))

    def put_blob(self, reference: Reference | str, body: bytes) -> str:
        """Store a blob in the reference's repository. Gives its digest."""
        digest = _sha256(body)
        self.store_blob(_as_reference(reference), digest, body, len(body))
        return digest

    def store_blob(self, ref: Reference, digest: str, body: bytes | IO[bytes], size: int) -> None:
        """Store a blob of so many bytes, which may lie in a file. Raises RegistryError."""
        place = self._upload(ref)
        url = f"{place}{'&' if '?' in place else '?'}digest={urllib.parse.quote(digest)}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        authorization = self._token(ref, "POST")
        response = self._transport.request("PUT", url, headers=headers, authorization=authorization, body=body)
        if response.status >= 400:
            raise refusal(ref, "PUT", response)

    def _upload(self, ref: Reference) -> str:
        """Begin an upload; gives the URL that it goes to."""
        place = self._call("POST", ref, "blobs/uploads/").headers.get("location", "")
        return urllib.parse.urljoin(f"{self._endpoint(ref)}/", place)

    def _token(self, ref: Reference, method: str) -> str:
        """The authorization that requests of this kind have, once one was answered."""
        return self._tokens.get((ref.host, f"repository:{ref.repository}:{_ACTIONS.get(method, 'pull')}"), "")

    def _platforms(self, ref: Reference, manifest: Manifest) -> tuple[str, ...]:
        if manifest.is_index:
            listed = [each.get("platform") or {} for each in manifest.content.get("manifests") or ()]
        else:
            digest = str((manifest.content.get("config") or {}).get("digest", ""))
            listed = [json.loads(self.blob(ref, digest))]
        return tuple(sorted({name for each in listed if (name := platform_name(each))}))

    def _call(
        self,
        method: str,
        ref: Reference,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limits: Limits = DOCUMENT,
        into: IO[bytes] | None = None,
        also: str = "",
    ) -> Response:
        """One request below /v2/REPOSITORY/, with a login when the registry asks for one. also: its further scope."""
        url = f"{self._endpoint(ref)}/v2/{ref.repository}/{path}"
        scope = f"repository:{ref.repository}:{_ACTIONS.get(method, 'pull')} {also}".strip()
        key = (ref.host, scope)
        for first in (True, False):
            response = self._transport.request(
                method,
                url,
                headers=headers or {},
                authorization=self._tokens.get(key, ""),
                body=body,
                limits=limits,
                into=into,
            )
            if response.status != 401 or not first:
                break
            challenge = response.headers.get("www-authenticate", "")
            if not (authorization := self._authorization(ref, challenge, scope)):
                break
            self._tokens[key] = authorization
        if response.status >= 400:
            raise refusal(ref, method, response)
        return response

    def _endpoint(self, ref: Reference) -> str:
        if given := self._endpoints.get(ref.host):
            return given.rstrip("/")
        if ref.host == DOCKER_HUB:
            return _HUB_ENDPOINT
        return f"{'http' if ref.is_local else 'https'}://{ref.host}"

    def _authorization(self, ref: Reference, challenge: str, scope: str) -> str:
        credentials = self._logins.of(self._login_host(ref))
        scheme, _, given = challenge.partition(" ")
        if scheme.lower() == "basic":
            return _basic(credentials) if credentials else ""
        values = dict(_CHALLENGE.findall(given))
        if scheme.lower() != "bearer" or "realm" not in values:
            return ""
        return self._bearer(ref, values, credentials, scope)

    def _login_host(self, ref: Reference) -> str:
        """A mirror gets its own login, never that of the registry it stands for."""
        given = self._endpoints.get(ref.host)
        return urllib.parse.urlsplit(given).netloc if given else ref.host

    def _bearer(self, ref: Reference, challenge: Mapping[str, str], credentials: Credentials | None, scope: str) -> str:
        query = {"service": challenge.get("service", ""), "scope": scope}
        if credentials and not credentials.user:
            form = {
                "grant_type": "refresh_token",
                "client_id": "bake",
                "refresh_token": credentials.secret,
                **query,
            }
            response = self._transport.request(
                "POST",
                challenge["realm"],
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=urllib.parse.urlencode(form).encode(),
            )
        else:
            joint = "&" if "?" in challenge["realm"] else "?"
            asked = {"service": query["service"], "scope": scope.split()}
            url = challenge["realm"] + joint + urllib.parse.urlencode({k: v for k, v in asked.items() if v}, doseq=True)
            basic = _basic(credentials) if credentials else ""
            response = self._transport.request("GET", url, authorization=basic)
        if response.status >= 400:
            raise refusal(ref, "login", response)
        answer = _json_answer(ref, response)
        return f"Bearer {answer.get('token') or answer.get('access_token') or ''}"


_ACTIONS = {"PUT": "pull,push", "POST": "pull,push", "DELETE": "pull,delete"}


T = TypeVar("T")

Resolve: TypeAlias = Callable[[Reference | str], Pinned]
"""Raises RegistryError."""


def engine_digests(env: Mapping[str, str], mirrors: Iterable[str], names: Sequence[str]) -> Mapping[str, str]:
    """Image -> the digest that the engine would get for its tag now; without those that do not answer at once.

    mirrors: URLs of the engine's mirrors, which it asks before Docker Hub.
    """
    found = {}
    with contextlib.suppress(RegistryError), ThreadPoolExecutor() as pool:
        logins, network = load_docker_logins(env), network_of(env)
        registries = [
            Registry(logins=logins, network=network, endpoints=endpoints, timeout=3.0, attempts=1)
            for endpoints in (*({DOCKER_HUB: url} for url in mirrors), {})
        ]
        for name, digest in zip(names, pool.map(lambda name: _first_digest(registries, name), names), strict=True):
            if digest:
                found[name] = digest
    return found


def _first_digest(registries: Sequence[Registry], name: str) -> str:
    """The first answer; "" without any. Only Docker Hub has mirrors: the last registry is that of all others."""
    ref = parse_reference(name)
    for registry in registries if ref.host == DOCKER_HUB else registries[-1:]:
        with contextlib.suppress(RegistryError):
            return registry.digest(ref)
    return ""


def resolver(registry: Registry, mirrors: Iterable[Registry] = ()) -> Resolve:
    """Resolves at the registry itself; Docker Hub's images, when that fails, at the engine's mirrors.

    Raises the registry's own RegistryError when the mirrors do not have the image either.
    """

    return lambda reference: ask_in_turn((registry, *mirrors), _as_reference(reference), Registry.image)


def ask_in_turn(registries: Sequence[Registry], ref: Reference, ask: Callable[[Registry, Reference], T]) -> T:
    """Ask an image's registry, the first; of Docker Hub's images, when that fails, its mirrors, the others.

    Raises the registry's own RegistryError when the mirrors do not have the image either.
    """
    registry, *mirrors = registries
    try:
        return ask(registry, ref)
    except (UnreachableError, RateLimitError, UnauthorizedError) as refused:
        for mirror in mirrors if ref.host == DOCKER_HUB else ():
            try:
                return ask(mirror, ref)
            except RegistryError:
                continue
        raise refused


def load_resolver(env: Mapping[str, str], mirrors: Iterable[str] = ()) -> Resolve:
    """The resolver of this machine; the arguments are those of `load_registries`."""
    registry, *others = load_registries(env, mirrors)
    return resolver(registry, others)


def load_registries(env: Mapping[str, str], mirrors: Iterable[str] = ()) -> tuple[Registry, ...]:
    """The registries of this machine, then the engine's mirrors (`docker info`, RegistryConfig.Mirrors): URLs."""
    logins, network = load_docker_logins(env), network_of(env)

    def through(endpoints: Mapping[str, str]) -> Registry:
        return Registry(logins=logins, network=network, endpoints=endpoints, timeout=10.0)

    return (through({}), *(through({DOCKER_HUB: url}) for url in mirrors))


def referrers_tag(subject: Reference) -> Reference:
    """The tag that lists an image's referrers in a registry without an interface for them."""
    return dataclasses.replace(subject, tag=subject.digest.replace(":", "-"), digest="")


def _as_reference(reference: Reference | str) -> Reference:
    return parse_reference(reference) if isinstance(reference, str) else reference


def _verified_manifest(ref: Reference, response: Response) -> Manifest:
    content = _json_answer(ref, response)
    digest = _sha256(response.body)
    if digest != (ref.digest or response.headers.get("docker-content-digest", digest)):
        raise RegistryError(str(ref), "the registry sent other content than its digest says", "try again")
    media_type = str(content.get("mediaType") or response.headers.get("content-type", "").partition(";")[0])
    if media_type not in (*INDEX_TYPES, *MANIFEST_TYPES):
        raise RegistryError(str(ref), f"has media type {media_type!r}, which is no image", "name an image")
    return Manifest(digest=digest, media_type=media_type, body=response.body, content=content)


def _sha256(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def platform_name(given: Mapping[str, Any]) -> str:
    """Docker's name of what an index or a config says of a platform; "" for attestations, which say "unknown"."""
    system, architecture, variant = (str(given.get(key) or "") for key in ("os", "architecture", "variant"))
    if not system or "unknown" in (system, architecture):
        return ""
    # arm64's only variant goes without saying.
    shown = f"/{variant}" if variant and (architecture, variant) != ("arm64", "v8") else ""
    return f"{system}/{architecture}{shown}"


def _json_answer(ref: Reference, response: Response) -> Mapping[str, Any]:
    try:
        content = json.loads(response.body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RegistryError(ref.host, "answered with something other than JSON", "check that it is a registry")
    return content


def _next_page(response: Response) -> str | None:
    """The rest after /v2/REPOSITORY/ of the next page's address, from the Link header."""
    found = re.search(r"<([^>]*)>\s*;\s*rel=\"?next", response.headers.get("link", ""))
    query = urllib.parse.urlsplit(found[1]).query if found else ""
    return f"tags/list?{query}" if query else None


def refusal(ref: Reference, method: str, response: Response) -> RegistryError:
    """The error that an answer of 400 or more stands for, with what to do about it."""
    code, message = _error_of(response)
    said = f" ({message or code})" if message or code else ""
    login = "docker login" if ref.host == DOCKER_HUB else f"docker login {ref.host}"
    if re.search("quota|no space left", f"{code} {message}", re.I) or response.status in (413, 507):
        return QuotaError(str(ref), f"{ref.host} has no room left{said}", "delete old tags or raise the quota")
    if response.status == 401:
        return UnauthorizedError(str(ref), f"{ref.host} wants a login{said}", f"run `{login}`")
    if response.status == 403:
        remedy = f"ask for {'push' if method == 'PUT' else 'pull'} access, or run `{login}` as another user"
        return DeniedError(str(ref), f"{ref.host} denies access{said}", remedy)
    if response.status == 404:
        return NotFoundError(str(ref), f"{ref.host} does not have it{said}", f"check the name, or run `{login}`")
    if response.status == 429:
        remedy = f"wait, run `{login}` or use a mirror"
        return RateLimitError(str(ref), f"{ref.host} limits the rate of requests{said}", remedy)
    if response.status == 405 and method == "DELETE":
        remedy = "for registry:2 set REGISTRY_STORAGE_DELETE_ENABLED=true"
        return RegistryError(str(ref), f"{ref.host} does not allow deletes{said}", remedy)
    return RegistryError(str(ref), f"{ref.host} failed with status {response.status}{said}", "try again later")


def _error_of(response: Response) -> tuple[str, str]:
    """Code and message of the first error in the body, "" where there is none."""
    try:
        first = json.loads(response.body)["errors"][0]
        return str(first.get("code") or ""), str(first.get("message") or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        return "", ""


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.user}:{credentials.secret}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _from_helper_answer(text: str) -> Credentials | None:
    try:
        answer = json.loads(text)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, LookupError, TypeError):
        return None
    # Helpers mark an identity token by this user name.
    return Credentials(user="" if user == "<token>" else user, secret=secret)


def _from_auths(auths: Mapping[str, Any], host: str, key: str) -> Credentials | None:
    names = (key, host, f"https://{host}", f"http://{host}", f"https://{host}/v1/", f"https://{host}/v2/")
    entry: Mapping[str, Any] = next((auths[name] for name in names if auths.get(name)), {})
    if token := entry.get("identitytoken"):
        return Credentials(secret=str(token))
    try:
        user, _, secret = base64.b64decode(entry.get("auth") or "").decode().partition(":")
    except ValueError:
        return None
    user, secret = user or str(entry.get("username") or ""), secret or str(entry.get("password") or "")
    return Credentials(user=user, secret=secret) if user else None
