"""The plan as the texts of .bake/."""

from bake.render.files import (
    render,
    render_bake_file,
    render_dockerfile,
    render_ignore,
    template_text,
)
from bake.render.kept import keeper, parse_rules
from bake.render.templates import behind, changes, make_ejected, strip_header

__all__ = [
    "behind",
    "changes",
    "keeper",
    "make_ejected",
    "parse_rules",
    "render",
    "render_bake_file",
    "render_dockerfile",
    "render_ignore",
    "strip_header",
    "template_text",
]
