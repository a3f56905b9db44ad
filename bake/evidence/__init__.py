"""What a repository's files say that production runs: Dockerfiles, compose files, manifests, supervisors."""

from bake.evidence.compose import ComposeService
from bake.evidence.contents import absent_in, likely_contexts
from bake.evidence.distribution import SystemPackage
from bake.evidence.dockerfiles import Stage, asked_path, heredocs, image_node, parse_dockerfile
from bake.evidence.facts import PackageFacts, WorkspaceFacts, load_facts
from bake.evidence.names import is_beside, is_for_developers, is_setting, plain_name, slug, within
from bake.evidence.place import RUNS_FILES, Evidence, choices_of, entry_of, operand_at
from bake.evidence.production import find_composed, find_evidence, is_dockerfile, stated_builds
from bake.evidence.said import BuildCall, know_production

__all__ = [
    "RUNS_FILES",
    "BuildCall",
    "ComposeService",
    "Evidence",
    "PackageFacts",
    "Stage",
    "SystemPackage",
    "WorkspaceFacts",
    "absent_in",
    "asked_path",
    "choices_of",
    "entry_of",
    "find_composed",
    "find_evidence",
    "heredocs",
    "image_node",
    "is_beside",
    "is_dockerfile",
    "is_for_developers",
    "is_setting",
    "know_production",
    "likely_contexts",
    "load_facts",
    "operand_at",
    "parse_dockerfile",
    "plain_name",
    "slug",
    "stated_builds",
    "within",
]
