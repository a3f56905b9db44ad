"""What a base image brings for processes: where its `node` is, and whether it has a shell."""

import contextlib
import io
import json
import posixpath
import tarfile
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bake.config import Reference
from bake.registry.oci import Registry
from bake.semver import is_version

_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELLS = frozenset({"sh", "bash", "ash", "dash"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseTraits:
    """node: the folder of its `node` where that is not on its PATH, else "". lacks_shell: whether it has no shell.

    node_version: Node's, as its settings say it; "" where they do not. environment: all variables that they set, PATH
    among them.
    """

    node: str = ""
    lacks_shell: bool = False
    node_version: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def read_traits(registry: Registry, reference: Reference) -> BaseTraits:
    """Look at an image: its settings, and where these do not show a shell, its layers. Raises RegistryError."""
    manifest = registry.manifest(reference)
    if listed := manifest.listed:
        manifest = registry.manifest(replace(reference, digest=listed[0][1]))
    config = json.loads(registry.blob(reference, str(manifest.content["config"]["digest"])))
    blobs = (registry.blob(reference, str(layer["digest"])) for layer in manifest.content.get("layers") or ())
    traits, given = told_traits(config) or held_traits(config, blobs), told_environment(config)
    return replace(traits, node_version=told_version(config), environment={"PATH": _USUAL_PATH, **given})


def read_sizes(registry: Registry, reference: Reference, platforms: Container[str]) -> Mapping[str, int]:
    """Platform -> what a registry keeps for it, in bytes: settings and layers. Raises RegistryError."""
    manifest = registry.manifest(reference)
    if not manifest.is_index:
        return dict.fromkeys(registry.platforms(reference), manifest.stored_bytes)
    return {
        platform: registry.manifest(replace(reference, digest=digest)).stored_bytes
        for platform, digest in sorted(dict(manifest.listed).items())
        if platform in platforms
    }


def told_version(config: Mapping[str, Any]) -> str:
    """Node's version in NODE_VERSION, which Node's own images set (nodejs/docker-node); "" without one."""
    version = told_environment(config).get("NODE_VERSION", "")
    return version if is_version(version) else ""


def told_environment(config: Mapping[str, Any]) -> Mapping[str, str]:
    """The variables that an image sets."""
    given = (config.get("config") or {}).get("Env") or ()
    return dict(str(one).split("=", 1) for one in given if "=" in str(one))


def told_traits(config: Mapping[str, Any]) -> BaseTraits | None:
    """What settings tell; None when they do not tell of a shell: commands of a build would have run in one."""
    commands = (str(step.get("created_by", "")) for step in config.get("history") or ())
    return BaseTraits(node=_node_folder(config)) if any("/bin/sh -c" in command for command in commands) else None


def held_traits(config: Mapping[str, Any], layers: Iterable[bytes]) -> BaseTraits:
    """What layers tell, each a tar, perhaps packed; of one that cannot be read nothing is said."""
    files: set[str] = set()
    for blob in layers:
        try:
            files.update(_files(blob))
        except (tarfile.TarError, EOFError, OSError):
            return BaseTraits(node=_node_folder(config))
    path = _path(config)
    on_path = any(f"{folder}/node" in files for folder in path)
    found = sorted(posixpath.dirname(file) for file in files if posixpath.basename(file) == "node")
    shell = any(posixpath.basename(file) in _SHELLS for file in files if "/bin/" in file)
    return BaseTraits(node="" if on_path or not found else _node_folder(config) or found[0], lacks_shell=not shell)


def _files(blob: bytes) -> Iterator[str]:
    """Absolute paths of a layer's files and links to files."""
    with contextlib.closing(io.BytesIO(blob)) as stream, tarfile.open(fileobj=stream, mode="r:*") as tar:
        for member in tar:
            if (member.isfile() and member.mode & 0o111) or member.issym() or member.islnk():
                yield posixpath.normpath(f"/{member.name}")


def _path(config: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(told_environment(config).get("PATH", _USUAL_PATH).split(":"))


def _node_folder(config: Mapping[str, Any]) -> str:
    """The folder of the `node` that the image starts with, where it is not on PATH."""
    settings = config.get("config") or {}
    first = next((str(word) for word in (*(settings.get("Entrypoint") or ()), *(settings.get("Cmd") or ()))), "")
    folder, name = posixpath.split(first)
    return folder if name == "node" and folder.startswith("/") and folder not in _path(config) else ""
