"""A running build as people see it: on a terminal, and as lines of a log."""

from bake.display.lines import StepLines
from bake.display.screen import Screen
from bake.display.titles import plain, stage_title, step_title

__all__ = ["Screen", "StepLines", "plain", "stage_title", "step_title"]
