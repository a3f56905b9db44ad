"""What an image holds, package by package: its bill of materials, and the advisories about it."""

from bake.components.attach import attach_sboms
from bake.components.audit import LEVELS, Audit, AuditFinding, at_least, audit_fleet, rank, to_vex
from bake.components.components import Component, ImageContents, image_contents
from bake.components.sbom import to_cyclonedx, to_spdx

__all__ = [
    "attach_sboms",
    "LEVELS",
    "Audit",
    "Component",
    "AuditFinding",
    "ImageContents",
    "at_least",
    "audit_fleet",
    "image_contents",
    "to_cyclonedx",
    "rank",
    "to_spdx",
    "to_vex",
]
