"""The npm registry, asked with the user's own npm settings (.npmrc files and NPM_CONFIG_* variables).

npm is not started: one `npm view` takes half a second, and a lock asks for dozens of exact versions.
Sources: docs.npmjs.com/cli/v11/configuring-npm/npmrc, npm's @npmcli/config and npm-registry-fetch.
"""

import base64
import json
import re
import shutil
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bake.errors import RegistryError
from bake.files import Npmrc, expand_variables, npmrc_option, parse_npmrc
from bake.registry.http import Network, Response, Transport, network_of
from bake.semver import is_version, newest, satisfies

DEFAULT_REGISTRY = "https://registry.npmjs.org/"
_PATIENCE = 20  # packages that a registry has not, before it counts as one that does not answer
_AT_ONCE = 8  # requests; npm itself allows 15 sockets to a registry


@dataclass(frozen=True, slots=True, kw_only=True)
class NpmSettings:
    """What npm would use.

    registry, scopes (`@scope` -> registry): URLs that end in "/". credentials: `//host/path/` -> option ->
    value.
    """

    registry: str = DEFAULT_REGISTRY
    scopes: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    network: Network = field(default_factory=Network)

    def registry_of(self, name: str) -> str:
        """The registry URL that serves the package."""
        return self.scopes.get(name.partition("/")[0], self.registry)

    def authorization(self, url: str) -> str:
        """The Authorization header for a URL, from the longest `//host/path/` that covers it; "" for none."""
        parts = urllib.parse.urlsplit(url)
        covered = f"//{parts.netloc}{parts.path}"
        while covered.count("/") > 2:
            covered = covered.rpartition("/")[0]
            if header := _authorization(f"{covered}/", self.credentials.get(f"{covered}/", {})):
                return header
        return ""


def load_npm_settings(root: Path, env: Mapping[str, str]) -> NpmSettings:
    """Read NPM_CONFIG_*, the project's, the user's and the global .npmrc, the first of them winning.

    root: the workspace. env: the caller's environment. Raises RegistryError for unreadable files.
    """
    from_env = _of_environment(env)
    project = _load_npmrc(root / ".npmrc", env)
    home = Path(env.get("HOME") or env.get("USERPROFILE") or root)
    user_file = Path(npmrc_option(from_env, "userconfig") or home / ".npmrc").expanduser()
    user = _load_npmrc(user_file, env) if user_file != root / ".npmrc" else {}
    above = {**user, **project, **from_env}
    global_file = npmrc_option(above, "globalconfig") or _prefix(above, env, home) / "etc" / "npmrc"
    return _settings_of({**_load_npmrc(Path(global_file), env), **above}, env, root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """A known weakness. vulnerable: the range of versions that have it. severity: info to critical, in npm's words."""

    id: int
    name: str
    url: str
    title: str
    severity: str
    vulnerable: str


class NpmRegistry:
    """Fetches manifests; answers are kept for the life of the object."""

    def __init__(self, settings: NpmSettings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._transport = Transport(settings.network, sleep=sleep)

    def manifests(self, specs: Sequence[tuple[str, str]]) -> tuple[Mapping[str, Any], ...]:
        """For each (name, version, range or tag), in order, the manifest of the newest version that fits.

        Raises RegistryError for the first that cannot be had.
        """
        unique = tuple(dict.fromkeys(specs))
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            answers = pool.map(lambda spec: self.manifest(*spec), unique)
            found = dict(zip(unique, answers, strict=True))
        return tuple(found[spec] for spec in specs)

    def exact_manifests(self, specs: Sequence[tuple[str, str]]) -> tuple[Mapping[str, Any], ...]:
        """For each (name, version), in order, its manifest; {} for what cannot be had, and for all behind some such."""
        failures: list[RegistryError] = []

        def tried(spec: tuple[str, str]) -> Mapping[str, Any]:
            try:
                return self.manifest(*spec) if len(failures) < _PATIENCE else {}
            except RegistryError as error:
                failures.append(error)
                return {}

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return tuple(pool.map(tried, specs))

    def manifest(self, name: str, spec: str) -> Mapping[str, Any]:
        """The manifest of the newest version of `name` that fits `spec`. Raises RegistryError."""
        found = self._exact(name, spec) if is_version(spec) else None
        found = found if found is not None else self._fitting(name, spec)
        if found.get("name") != name:
            what = f"the registry answered for {found.get('name')!r}"
            raise RegistryError(f"{name}@{spec}", what, "ask the registry's owner")
        return found

    def serves_as_usual(self, name: str) -> bool:
        """Whether the registry of names without a scope serves this one."""
        return self._settings.registry_of(name) == self._settings.registry

    def advisories(self, versions: Mapping[str, Sequence[str]]) -> tuple[Advisory, ...]:
        """What is known about these versions (name -> versions), from the registries that serve the names.

        Raises RegistryError where one has no bulk endpoint for advisories.
        """
        found: list[Advisory] = []
        for registry in sorted({self._settings.registry_of(name) for name in versions}):
            asked = {n: sorted(v) for n, v in sorted(versions.items()) if self._settings.registry_of(n) == registry}
            found += self._advisories(registry, asked)
        return tuple(found)

    def _advisories(self, registry: str, asked: Mapping[str, Sequence[str]]) -> Sequence[Advisory]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "bake"}
        url = f"{registry}-/npm/v1/security/advisories/bulk"
        response = self._transport.request(
            "POST",
            url,
            headers=headers,
            authorization=self._settings.authorization(url),
            body=json.dumps(asked).encode(),
        )
        if response.status in (404, 405, 501):
            raise RegistryError("advisories", f"{registry} serves none", "ask another one with `--registry URL`")
        answer = self._json("advisories", response)
        return [_advisory(name, each) for name, listed in answer.items() for each in _objects_in(listed)]

    def _exact(self, name: str, version: str) -> Mapping[str, Any] | None:
        """One version's manifest: kilobytes, the whole document has megabytes. Some registries lack this."""
        response = self._get(f"{_document(self._settings, name)}/{urllib.parse.quote(version)}")
        if response.status in (404, 405, 501):
            return None
        answer = self._json(name, response)
        return answer if answer.get("version") == version else None

    def _fitting(self, name: str, spec: str) -> Mapping[str, Any]:
        document = self._json(name, self._get(_document(self._settings, name)))
        versions: Mapping[str, Any] = document.get("versions") or {}
        version = _pick(versions, document.get("dist-tags") or {}, spec)
        if version is None:
            where = self._settings.registry_of(name)
            raise RegistryError(f"{name}@{spec}", f"{where} has no such version", _ASK_MIRROR)
        found: Mapping[str, Any] = versions[version]
        return found

    def _get(self, url: str) -> Response:
        headers = {"Accept": "application/json", "User-Agent": "bake"}
        return self._transport.request("GET", url, headers=headers, authorization=self._settings.authorization(url))

    def _json(self, name: str, response: Response) -> Mapping[str, Any]:
        registry = self._settings.registry_of(name)
        if response.status != 200:
            raise _npm_refusal(name, registry, response.status)
        try:
            answer = json.loads(response.body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            what = f"{registry} answered with something other than JSON"
            raise RegistryError(name, what, "check `registry` in .npmrc")
        return answer


def _objects_in(value: object) -> Sequence[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _advisory(name: str, said: Mapping[str, Any]) -> Advisory:
    number = said.get("id")
    return Advisory(
        id=number if isinstance(number, int) else 0,
        name=name,
        url=str(said.get("url") or ""),
        title=str(said.get("title") or ""),
        severity=str(said.get("severity") or ""),
        vulnerable=str(said.get("vulnerable_versions") or "*"),
    )


_ASK_MIRROR = "check `registry` in .npmrc; a mirror may not have it yet"


def _pick(versions: Mapping[str, Any], tags: Mapping[str, str], spec: str) -> str | None:
    """As npm picks: a tag's version, else `latest` if it fits, else the newest; deprecated ones last."""
    if spec in tags:
        return tags[spec] if tags[spec] in versions else None
    latest = tags.get("latest", "")
    if latest in versions and satisfies(latest, spec):
        return latest
    sound = [version for version, manifest in versions.items() if not manifest.get("deprecated")]
    return newest(sound, spec) or newest(versions, spec)


def _npm_refusal(name: str, registry: str, status: int) -> RegistryError:
    if status in (401, 403):
        remedy = f"log in with `npm login --registry={registry}` or set its _authToken in ~/.npmrc"
        return RegistryError(name, f"{registry} refuses access (status {status})", remedy)
    if status == 404:
        return RegistryError(name, f"{registry} does not have it", "check `registry` and its access in .npmrc")
    if status == 429:
        return RegistryError(name, f"{registry} limits the rate of requests", "wait and try again")
    return RegistryError(name, f"{registry} failed with status {status}", "try again later")


def _document(settings: NpmSettings, name: str) -> str:
    return settings.registry_of(name) + urllib.parse.quote(name, safe="@")


# Npmrc


def _of_environment(env: Mapping[str, str]) -> Npmrc:
    """NPM_CONFIG_STRICT_SSL -> strict-ssl; `//host/:_authToken` and `@scope:registry` keep their spelling."""
    options: dict[str, tuple[str, ...]] = {}
    for key, value in env.items():
        if not key.lower().startswith("npm_config_") or not value:
            continue
        name = key[len("npm_config_") :]
        options[name if name[:2] == "//" else re.sub(r"(?!^)_", "-", name.lower())] = (expand_variables(value, env),)
    return options


def _load_npmrc(file: Path, env: Mapping[str, str]) -> Npmrc:
    try:
        return parse_npmrc(file.read_text(encoding="utf-8"), env)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(str(file), "cannot be read", "correct its mode or encoding") from error


def _prefix(options: Npmrc, env: Mapping[str, str], home: Path) -> Path:
    """Where npm's global files are: above the directory of `node`."""
    if given := npmrc_option(options, "prefix"):
        return home / given.removeprefix("~/") if given.startswith("~/") else Path(given)
    node = shutil.which("node", path=env.get("PATH", ""))
    return Path(node).resolve().parent.parent if node else Path("/usr/local")


def _settings_of(options: Npmrc, env: Mapping[str, str], root: Path) -> NpmSettings:
    credentials: dict[str, dict[str, str]] = {}
    for key in options:
        place, colon, option = key.rpartition(":")
        if colon and place.startswith("//"):
            credentials.setdefault(f"{place.rstrip('/')}/", {})[option] = npmrc_option(options, key)
    scopes = {
        key.removesuffix(":registry"): _slashed(npmrc_option(options, key))
        for key in options
        if key.startswith("@") and key.endswith(":registry")
    }
    return NpmSettings(
        registry=_slashed(npmrc_option(options, "registry") or DEFAULT_REGISTRY),
        scopes=scopes,
        credentials=credentials,
        network=_network(options, credentials, env, root),
    )


def _slashed(url: str) -> str:
    return f"{url.rstrip('/')}/"


def _network(
    options: Npmrc, credentials: Mapping[str, Mapping[str, str]], env: Mapping[str, str], root: Path
) -> Network:
    base = network_of(env)
    cafile = npmrc_option(options, "cafile")
    https_proxy = npmrc_option(options, "https-proxy") or npmrc_option(options, "proxy")
    proxies = {"http": npmrc_option(options, "proxy"), "https": https_proxy}
    return Network(
        ca_files=(*base.ca_files, *((root / Path(cafile).expanduser(),) if cafile else ())),
        ca_text="\n".join(value.replace("\\n", "\n") for value in options.get("ca", ()) if value != "null"),
        verify=npmrc_option(options, "strict-ssl") != "false",
        proxies={**base.proxies, **{scheme: proxy for scheme, proxy in proxies.items() if proxy}},
        no_proxy=",".join(options.get("noproxy", ())) or base.no_proxy,
        client_certificates={
            place.strip("/"): (Path(given["certfile"]), Path(given["keyfile"]))
            for place, given in credentials.items()
            if "certfile" in given and "keyfile" in given
        },
    )


def _authorization(place: str, given: Mapping[str, str]) -> str:
    if token := given.get("_authToken"):
        return f"Bearer {token}"
    if pair := given.get("_auth"):
        return f"Basic {pair}"
    if given.get("username") and given.get("_password"):
        try:
            password = base64.b64decode(given["_password"]).decode()  # npm keeps it so
        except ValueError as error:
            raise RegistryError(f"{place}:_password", "is not base64", "run `npm login` again") from error
        return "Basic " + base64.b64encode(f"{given['username']}:{password}".encode()).decode()
    return ""
