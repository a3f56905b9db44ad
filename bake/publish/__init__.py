"""What a push puts up and what is made of it: tags, releases, shards, manifests."""

from bake.publish.kubernetes import (
    Document,
    check_manifests,
    join_releases,
    parse_documents,
    render_manifest,
    used_images,
)
from bake.publish.matrix import make_matrix, render_matrix, render_outputs
from bake.publish.push import (
    HalfMovedError,
    Upload,
    existing,
    keeping_unfinished,
    promote,
    publish,
    push,
    push_settings,
    rollback,
    staging_tag,
    tag_all,
    uploads,
)
from bake.publish.release import FILE_NAME, UNFINISHED, Release, check_form, keep_release, load_release, write_release
from bake.publish.shards import Joint, Shard, join, plan_merge
from bake.publish.workloads import KUSTOMIZATION, Workload, make_workload, render_workloads

__all__ = [
    "Workload",
    "render_workloads",
    "KUSTOMIZATION",
    "make_workload",
    "Document",
    "FILE_NAME",
    "HalfMovedError",
    "Joint",
    "Release",
    "Shard",
    "UNFINISHED",
    "Upload",
    "check_form",
    "check_manifests",
    "existing",
    "join",
    "keep_release",
    "join_releases",
    "keeping_unfinished",
    "load_release",
    "make_matrix",
    "parse_documents",
    "plan_merge",
    "promote",
    "publish",
    "push",
    "push_settings",
    "render_manifest",
    "render_matrix",
    "render_outputs",
    "rollback",
    "staging_tag",
    "tag_all",
    "uploads",
    "used_images",
    "write_release",
]
