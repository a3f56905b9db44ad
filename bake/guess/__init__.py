"""`bake init`: what a repository says about its processes, as a bake.toml."""

from bake.guess.draft import amend, render_config
from bake.guess.guess import Guess, guess
from bake.guess.judge import Service

__all__ = [
    "Guess",
    "Service",
    "amend",
    "guess",
    "render_config",
]
