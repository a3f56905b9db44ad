"""The plan as the texts of .bake/."""

from bake.render.files import (
    render,
    render_bake_file,
    render_dockerfile,
    render_ignore,
    template_text,
)
from bake.render.kept import keeper
from bake.render.templates import behind, changes, make_ejected, strip_header

__all__ = [
    "behind",
    "changes",
    "keeper",
    "make_ejected",
    "render",
    "render_bake_file",
    "render_dockerfile",
    "render_ignore",
    "strip_header",
    "template_text",
]
