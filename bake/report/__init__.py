"""What was built, for people: tables, summaries, the page, the timeline."""

from bake.report.page import TEMPLATE, Page, render_page
from bake.report.spent import spent
from bake.report.summary import failure, size_changes, summary
from bake.report.timeline import timeline

__all__ = [
    "Page",
    "TEMPLATE",
    "failure",
    "render_page",
    "size_changes",
    "spent",
    "summary",
    "timeline",
]
