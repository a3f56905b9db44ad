"""Image references as Docker reads and normalises them.

Source: github.com/distribution/reference, whose grammar and Docker Hub defaults these are.
"""

import re
from dataclasses import dataclass

from bake.errors import ConfigError

DOCKER_HUB = "docker.io"
_HUB_ALIASES = frozenset({"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
_WORD = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<path>{_WORD}(?:/{_WORD})*)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """`docker.io/library/node:24`. tag: "" when only a digest was given. digest: "" when none was."""

    host: str
    repository: str
    tag: str = "latest"
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")

    @property
    def name(self) -> str:
        """Host and repository, without tag and digest."""
        return f"{self.host}/{self.repository}"

    @property
    def target(self) -> str:
        """What the registry is asked for: the digest, else the tag."""
        return self.digest or self.tag

    @property
    def is_local(self) -> bool:
        """Whether the registry is on this machine, where Docker speaks plain HTTP."""
        name = self.host.rpartition(":")[0] or self.host
        return name == "localhost" or name.startswith("127.") or self.host.startswith("[::1]")


def is_tag(text: str) -> bool:
    """Whether it is a legal tag."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", text) is not None


def parse_reference(text: str) -> Reference:
    """`node:24` -> docker.io/library/node:24. Raises ConfigError for what Docker would not take."""
    head, slash, rest = text.partition("/")
    has_host = bool(slash) and (not {".", ":"}.isdisjoint(head) or head == "localhost" or head != head.lower())
    host, remainder = (head, rest) if has_host else (DOCKER_HUB, text)
    host = DOCKER_HUB if host in _HUB_ALIASES else host
    found = _REFERENCE.fullmatch(remainder)
    if found is None or not _HOST.fullmatch(host):
        what = "is no image reference"
        raise ConfigError(f'"{text}"', what, "write [host[:port]/]name[:tag][@sha256:…] in lower case")
    path, tag, digest = found["path"], found["tag"] or "", found["digest"] or ""
    official = host == DOCKER_HUB and "/" not in path
    return Reference(
        host=host,
        repository=f"library/{path}" if official else path,
        tag=tag or ("" if digest else "latest"),
        digest=digest,
    )
