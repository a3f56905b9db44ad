"""Which advisories reach which process, and by whom; and which stay out of every image. Pure.

Sources: the npm registry's bulk endpoint (npm's @npmcli/metavuln-calculator), github.com/openvex/spec.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bake.components.components import ImageContents
from bake.lockfile import Lockfile
from bake.registry import Advisory
from bake.semver import satisfies

LEVELS = ("info", "low", "moderate", "high", "critical")
"""From harmless to worst, in npm's words."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One advisory about one installed version. images: target -> who brings it there; none when it stays outside."""

    advisory: Advisory
    version: str
    images: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @property
    def package(self) -> str:
        """`name@version`."""
        return f"{self.advisory.name}@{self.version}"

    @property
    def fixed(self) -> str:
        """The version from which it is mended, as far as the range of vulnerable ones ends; "" when it does not."""
        ends = re.findall(r"<\s*(\d[\w.+-]*)", self.advisory.vulnerable)
        return ends[-1] if ends else ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """inside: what images hold, worst first. outside: what the lockfile has for development only."""

    inside: tuple[AuditFinding, ...]
    outside: tuple[AuditFinding, ...]


def audit_fleet(lock: Lockfile, fleet: Sequence[ImageContents], advisories: Sequence[Advisory]) -> Audit:
    """Match advisories with what the lockfile installs, and that with what images hold."""
    versions: dict[str, set[str]] = {}
    for entry in lock.entries.values():
        if not entry.link:
            versions.setdefault(entry.name, set()).add(entry.version)
    found = tuple(
        AuditFinding(advisory=advisory, version=version, images=dict(_holders(fleet, advisory.name, version)))
        for advisory in advisories
        for version in sorted(versions.get(advisory.name, ()))
        if satisfies(version, advisory.vulnerable)
    )
    worst = sorted(found, key=lambda f: (-rank(f.advisory.severity), f.package, f.advisory.url))
    return Audit(inside=tuple(f for f in worst if f.images), outside=tuple(f for f in worst if not f.images))


def _holders(fleet: Sequence[ImageContents], name: str, version: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for contents in fleet:
        for component in contents.components:
            if not component.own and (component.name, component.version) == (name, version):
                yield contents.target, component.chain
                break


def rank(severity: str) -> int:
    """How bad it is, as a number; a word that nobody knows is worst."""
    return LEVELS.index(severity) if severity in LEVELS else len(LEVELS)


def at_least(audit: Audit, level: str) -> tuple[AuditFinding, ...]:
    """What images hold of that severity or a worse one."""
    return tuple(f for f in audit.inside if rank(f.advisory.severity) >= rank(level))


def to_vex(audit: Audit, project: str) -> str:
    """OpenVEX: every finding outside is `component_not_present`, every one inside is under investigation."""
    statements = [
        *(_statement(f, {"status": "under_investigation"}) for f in audit.inside),
        *(_statement(f, {"status": "not_affected", "justification": "component_not_present"}) for f in audit.outside),
    ]
    key = hashlib.sha256(json.dumps(statements, sort_keys=True).encode()).hexdigest()
    document: Mapping[str, Any] = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": f"https://openvex.dev/docs/public/vex-{key}",
        "author": project,
        # The same findings make the same document on any day.
        "timestamp": "1970-01-01T00:00:00Z",
        "version": 1,
        "statements": statements,
    }
    return json.dumps(document, indent=2) + "\n"


def _statement(finding: AuditFinding, said: Mapping[str, str]) -> Mapping[str, Any]:
    name = finding.advisory.url.rstrip("/").rpartition("/")[2] or str(finding.advisory.id)
    purl = f"pkg:npm/{finding.advisory.name.replace('@', '%40', 1)}@{finding.version}"
    return {"vulnerability": {"name": name}, "products": [{"@id": purl}], **said}
