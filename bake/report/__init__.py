"""What was built, for people: tables, summaries, the page, the timeline."""

from bake.report.advice import Advice, Names, advise
from bake.report.big import Big, weigh
from bake.report.comment import render_markdown
from bake.report.page import TEMPLATE, Page, count_images, render_page
from bake.report.slow import SlowStep, slowest
from bake.report.spent import spent
from bake.report.summary import failure, size_changes, summary
from bake.report.timeline import timeline

__all__ = [
    "Advice",
    "Big",
    "Names",
    "Page",
    "SlowStep",
    "TEMPLATE",
    "advise",
    "count_images",
    "failure",
    "render_markdown",
    "render_page",
    "size_changes",
    "slowest",
    "spent",
    "summary",
    "timeline",
    "weigh",
]
