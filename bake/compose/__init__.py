"""The fleet on one machine, as a compose file: started together, and rebuilt as sources change."""

from bake.compose.compose import DEV_TAG, FILE_NAME, host_ports, needed_images, needs_of, render_compose
from bake.compose.known import KNOWN
from bake.compose.watched import Watched, render_skaffold, render_tilt, watched

__all__ = [
    "DEV_TAG",
    "FILE_NAME",
    "KNOWN",
    "Watched",
    "host_ports",
    "needed_images",
    "needs_of",
    "render_compose",
    "render_skaffold",
    "render_tilt",
    "watched",
]
