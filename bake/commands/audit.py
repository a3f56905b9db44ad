"""Tell which known weaknesses reach which process, who brings them, and which stay out of every image."""

import argparse
import json
from collections.abc import Mapping, Sequence

from bake.commands.arguments import selected
from bake.components import LEVELS, Audit, AuditFinding, at_least, audit_fleet, image_contents, to_vex
from bake.errors import CheckError, UsageError
from bake.lockfile import Lockfile
from bake.session import Session
from bake.table import markdown, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which images, what fails, how it is told."""
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="images or services (default: all)")
    parser.add_argument("--level", choices=LEVELS, help="fail from this severity on (default: bake.toml's audit.level)")
    parser.add_argument("--registry", metavar="URL", help="ask this npm registry instead of .npmrc's")
    parser.add_argument("--format", choices=("table", "markdown", "json", "vex"), default="table")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Ask, match, print; status 1 for what bake.toml does not let pass."""
    settings = session.project.config.audit
    audit = _without(_audit(session, arguments.targets, arguments.registry), settings.accept)
    bad = at_least(audit, arguments.level or settings.level)
    print(_text(audit, arguments.format, session.project.config.project.name), end="")
    session.console.say(_sentence(audit))
    if bad:
        names = ", ".join(dict.fromkeys(f.package for f in bad))
        raise CheckError("audit", f"{names}: {arguments.level or settings.level} or worse", "update, or audit.accept")
    return 0


def _audit(session: Session, targets: Sequence[str], registry: str | None) -> Audit:
    from bake.registry import NpmRegistry, load_npm_settings

    plan = session.plan(selected(targets, None))
    if not plan.selected():
        raise UsageError("targets", "name no image that is made of a package", "see `bake list`")
    lock = session.project.workspace.lock
    fleet = [image_contents(plan, lock, image, p) for image in plan.selected() for p in plan.platforms]
    environment = {**session.environment, **({"NPM_CONFIG_REGISTRY": registry} if registry else {})}
    advisories = NpmRegistry(load_npm_settings(session.project.root, environment)).advisories(_versions(lock))
    return audit_fleet(lock, fleet, advisories)


def _versions(lock: Lockfile) -> Mapping[str, Sequence[str]]:
    """What the registry is asked about: what came from a registry, not from git or a folder."""
    found: dict[str, set[str]] = {}
    for entry in lock.entries.values():
        if not entry.link and entry.version and not entry.resolved.startswith(("git", "file:")):
            found.setdefault(entry.name, set()).add(entry.version)
    return {name: sorted(versions) for name, versions in found.items()}


def _without(audit: Audit, accept: Sequence[str]) -> Audit:
    def counts(finding: AuditFinding) -> bool:
        return finding.advisory.url.rstrip("/").rpartition("/")[2] not in accept

    return Audit(inside=tuple(filter(counts, audit.inside)), outside=tuple(filter(counts, audit.outside)))


def _sentence(audit: Audit) -> str:
    every = len(audit.inside) + len(audit.outside)
    where = ", ".join(sorted({t for f in audit.inside for t in f.images}))
    known = f"{every} known weakness{'es' * (every != 1)} in the lockfile, {len(audit.inside)} in images"
    return f"{known}: {where}" if where else known


def _text(audit: Audit, form: str, project: str) -> str:
    if form == "vex":
        return to_vex(audit, project)
    if form == "json":
        rows = [_json(f) for f in (*audit.inside, *audit.outside)]
        return json.dumps({"format": 1, "findings": rows}, indent=2) + "\n"
    rows = [_row(f) for f in audit.inside]
    text = markdown(rows) if form == "markdown" else table(rows)
    return f"{text}\n" if text else ""


def _row(finding: AuditFinding) -> dict[str, object]:
    target, chain = next(iter(finding.images.items()))
    more = f" and {len(finding.images) - 1} more" if len(finding.images) > 1 else ""
    return {
        "severity": finding.advisory.severity,
        "package": finding.package,
        "fixed": finding.fixed or "-",
        "image": f"{target}{more}",
        "because": " > ".join(chain),
        "advisory": finding.advisory.url,
    }


def _json(finding: AuditFinding) -> Mapping[str, object]:
    return {
        "id": finding.advisory.id,
        "url": finding.advisory.url,
        "title": finding.advisory.title,
        "severity": finding.advisory.severity,
        "package": finding.advisory.name,
        "version": finding.version,
        "vulnerable": finding.advisory.vulnerable,
        "fixed": finding.fixed,
        "images": {target: list(chain) for target, chain in finding.images.items()},
    }
