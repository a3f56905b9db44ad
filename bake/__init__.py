"""bake: one container image per process of a JavaScript monorepo, from one BuildKit run."""

__version__ = "0.1.0"
