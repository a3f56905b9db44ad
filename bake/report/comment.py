"""The last build as Markdown for the comment of a pull request: why slow, why big, what next. Pure."""

import re
from collections.abc import Iterator, Mapping

from bake.config import size
from bake.report.big import Big, package_name
from bake.report.page import Page, count_images
from bake.report.slow import SlowStep, longest_legs
from bake.report.summary import escape_markdown
from bake.table import markdown

_LARGEST = 3


def render_markdown(page: Page) -> str:
    """The answers of the page. The first line, which nobody sees, is how a later run finds the comment again."""
    account = page.account
    parts = [
        f"<!-- bake: {escape_markdown(account.project)} -->",
        f"### {escape_markdown(account.project)}: {count_images(account)} in {account.seconds:.1f} s",
        *_slow_parts(page),
        *_big_parts(page),
        *_next_parts(page),
    ]
    return "\n\n".join(parts) + "\n"


def _slow_parts(page: Page) -> Iterator[str]:
    if not page.slow:
        yield "Nothing made it slow: no step took a tenth of a second."
        return
    before = page.account.before
    yield "#### What made it slow" + (f" (the build before: {before.seconds:.1f} s)" if before else "")
    legs, rest = longest_legs(page.account)
    told = ", then ".join(f"{escape_markdown(leg.title)} ({leg.seconds:.1f} s)" for leg in legs)
    yield f"It waited for {told}; all else on the way took {rest:.1f} s."
    yield markdown([_slow_row(step, before=before is not None) for step in page.slow])


def _slow_row(step: SlowStep, *, before: bool) -> Mapping[str, object]:
    row: dict[str, object] = {"step": escape_markdown(step.title), "seconds": f"{step.seconds:.1f}"}
    if before:
        row["before"] = "did not run" if step.before is None else f"{step.before:.1f}"
    return {**row, "ran because of": escape_markdown(step.reason)}


def _big_parts(page: Page) -> Iterator[str]:
    if page.big:
        yield "#### Why images are big"
        yield markdown([_big_row(big) for big in page.big])


def _big_row(big: Big) -> Mapping[str, object]:
    largest = [f"{package_name(h.path)} {size(h.bytes)}" for h in big.held[:_LARGEST]]
    return {
        "images": escape_markdown(", ".join(big.images)),
        "size": size(big.size.total.stored),
        "above base": size(big.size.above.stored),
        "largest packages, unpacked": escape_markdown(", ".join(largest)),
    }


def _next_parts(page: Page) -> Iterator[str]:
    if page.advice:
        yield "#### What next"
        yield "\n".join(f"- {_told(a.what)}: {_told(a.remedy)}." for a in page.advice)


def _told(text: str) -> str:
    """A text whose words between backticks are code, and nothing else is Markdown."""
    words = re.split(r"(`[^`]*`)", text)
    return "".join(w if w.startswith("`") else _spaced(w) for w in words)


def _spaced(text: str) -> str:
    escaped = escape_markdown(text)
    return f"{' ' * text.startswith(' ')}{escaped}{' ' * (text.endswith(' ') and bool(escaped))}"
