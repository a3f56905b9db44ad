"""`bake init`: what a repository says about its processes, as a bake.toml."""

from bake.guess.dockerfiles import image_node
from bake.guess.draft import amend, render_config
from bake.guess.facts import load_facts
from bake.guess.guess import Guess, Service, guess

__all__ = [
    "Guess",
    "Service",
    "amend",
    "guess",
    "image_node",
    "load_facts",
    "render_config",
]
