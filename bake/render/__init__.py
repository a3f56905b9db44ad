"""The plan as the texts of .bake/."""

from bake.render.bakefile import render_bake_file
from bake.render.context import render_ignore
from bake.render.dockerfile import render_dockerfile
from bake.render.files import render
from bake.render.seen import seen_by_builds
from bake.render.specs import staged_lock
from bake.render.templates import behind, make_ejected, strip_header, template_text

__all__ = [
    "behind",
    "make_ejected",
    "render",
    "render_bake_file",
    "render_dockerfile",
    "render_ignore",
    "seen_by_builds",
    "staged_lock",
    "strip_header",
    "template_text",
]
