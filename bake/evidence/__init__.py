"""What a repository's files say that production runs: Dockerfiles, compose files, manifests, supervisors."""

from bake.evidence.dockerfiles import heredocs, image_node, parse_dockerfile
from bake.evidence.facts import PackageFacts, WorkspaceFacts, load_facts
from bake.evidence.names import is_beside, is_for_developers, is_setting, plain_name, slug, within
from bake.evidence.place import Evidence, entry_of, operand_at
from bake.evidence.production import find_evidence, is_dockerfile
from bake.evidence.said import BuildCall, know_production

__all__ = [
    "BuildCall",
    "Evidence",
    "PackageFacts",
    "WorkspaceFacts",
    "entry_of",
    "find_evidence",
    "heredocs",
    "image_node",
    "is_beside",
    "is_dockerfile",
    "is_for_developers",
    "is_setting",
    "know_production",
    "load_facts",
    "operand_at",
    "parse_dockerfile",
    "plain_name",
    "slug",
    "within",
]
