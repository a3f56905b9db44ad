"""A build as one SVG: a row per stage, a bar per step, hollow where it came from a cache. Pure."""

from collections.abc import Iterable, Sequence
from html import escape

from bake.engine import Progress, Step, plain, union

_LEFT, _WIDTH, _ROW, _TOP, _MARGIN = 250, 760, 22, 66, 16
_STYLE = """\
  svg { font: 12px system-ui, sans-serif; background: #fff; color: #1c2733 }
  .text, text { fill: currentColor }
  .faint { fill: #5a6876 }
  .grid { stroke: #dde3e9 }
  .row { fill: #f4f6f8 }
  .run { fill: #1f6fb2; stroke: #1f6fb2 }
  .other { fill: #8fb7d8; stroke: #8fb7d8 }
  .cached { fill: none; stroke: #5a6876 }
  .failed { fill: #c0392b; stroke: #c0392b }
  @media (prefers-color-scheme: dark) {
    svg { background: #14191f; color: #e6ebf0 }
    .faint { fill: #9aa7b4 }
    .grid { stroke: #2b343e }
    .row { fill: #1b222a }
    .run { fill: #5aa9e6; stroke: #5aa9e6 }
    .other { fill: #2f6690; stroke: #2f6690 }
    .cached { stroke: #9aa7b4 }
    .failed { fill: #ff7b6b; stroke: #ff7b6b }
  }"""
_LEGEND = (("run", "RUN"), ("other", "COPY and others"), ("cached", "from a cache"), ("failed", "failed"))


def timeline(progress: Progress, *, title: str) -> str:
    """The Dockerfile's steps of a build over time. Internal steps (contexts, exports, cache imports) have no row."""
    steps = [s for s in progress.steps.values() if s.stage and s.intervals]
    rows = _stage_rows(steps)
    begin = min((_step_start(s) for s in steps), default=0.0)
    length = max((end for s in steps for _, end in _shown_times(s)), default=begin) - begin
    scale = _WIDTH / max(length, 0.1)
    height = _TOP + len(rows) * _ROW + 34
    ran = sum(not s.cached for s in steps)
    about = f"{len(steps)} steps in {len(rows)} stages, {ran} run and {len(steps) - ran} cached, in {length:.1f} s."
    width = _LEFT + _WIDTH + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' role="img" aria-labelledby="title about">',
        f'<title id="title">{_escape_xml(title)}</title>',
        f'<desc id="about">{_escape_xml(about)}</desc>',
        f"<style>\n{_STYLE}\n</style>",
        f'<text x="{_MARGIN}" y="24" font-size="15" font-weight="600">{_escape_xml(title)}</text>',
        f'<text x="{_MARGIN}" y="44" class="faint">{_escape_xml(about)}</text>',
        *_draw_legend(width),
        *_draw_grid(length, scale, height),
    ]
    for index, (name, members) in enumerate(rows):
        parts += _draw_row(index, name, members, begin, scale)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _stage_rows(steps: Iterable[Step]) -> list[tuple[str, list[Step]]]:
    """Stages in the order in which they begin to work; those that do nothing but wait or hit come as they started."""
    found: dict[str, list[Step]] = {}
    for step in sorted(steps, key=_step_start):
        found.setdefault(" ".join(filter(None, (step.stage, _target_platform(step.platform)))), []).append(step)
    return list(found.items())


def _draw_row(index: int, name: str, steps: Sequence[Step], begin: float, scale: float) -> list[str]:
    y = _TOP + index * _ROW
    seconds = union(i for s in steps if s.works and not s.cached for i in s.intervals.items())
    what = f"{name}: {seconds:.1f} s, {sum(s.cached for s in steps)} of {len(steps)} steps cached"
    back = f'<rect class="row" x="0" y="{y}" width="{_LEFT + _WIDTH + _MARGIN}" height="{_ROW}"/>' if index % 2 else ""
    stage, _, platform = name.rpartition(" ")
    label = name if len(name) <= 36 or not stage else f"{stage[: 34 - len(platform)]}… {platform}"
    return [
        f"<g><title>{_escape_xml(what)}</title>{back}",
        f'<text x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{_escape_xml(label)}</text>',
        *(bar for s in steps for bar in _draw_bars(s, y, begin, scale)),
        "</g>",
    ]


def _draw_bars(step: Step, y: int, begin: float, scale: float) -> list[str]:
    """One bar per time it ran, of at least two pixels so that a hit can be seen."""
    kind = "failed" if step.failed else "cached" if step.cached else "run" if step.runs else "other"
    note = "failed" if step.failed else "cached" if step.cached else f"{step.seconds:.1f} s"
    return [
        f'<rect class="{kind}" x="{_LEFT + (start - begin) * scale:.1f}" y="{y + 5}"'
        f' width="{max((end - start) * scale, 3):.1f}" height="{_ROW - 10}" rx="1.5">'
        f"<title>{_escape_xml(f'{plain(step.what)} ({note})')}</title></rect>"
        for start, end in _shown_times(step)
    ]


def _shown_times(step: Step) -> list[tuple[float, float]]:
    """When it ran, without overlaps; a hit takes no time, whatever it waited for."""
    if step.cached:
        return [(_step_start(step), _step_start(step))]
    merged: list[tuple[float, float]] = []
    for start, end in sorted(step.intervals.items()):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _draw_grid(length: float, scale: float, height: int) -> list[str]:
    step = next((s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600) if length / s <= 8), 1800)
    marks = [i * step for i in range(int(length / step) + 1)]
    bottom = height - 28
    return [
        line
        for mark in marks
        for x in [_LEFT + mark * scale]
        for line in (
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 4}" y2="{bottom}"/>',
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" class="faint">{mark:g} s</text>',
        )
    ]


def _draw_legend(width: int) -> list[str]:
    x = width - _MARGIN - sum(34 + 7 * len(text) for _, text in _LEGEND)
    parts: list[str] = []
    for kind, text in _LEGEND:
        parts.append(f'<rect class="{kind}" x="{x}" y="14" width="14" height="11" rx="1.5"/>')
        parts.append(f'<text x="{x + 20}" y="24">{text}</text>')
        x += 34 + 7 * len(text)
    return parts


def _step_start(step: Step) -> float:
    return min(step.intervals)


def _target_platform(platform: str) -> str:
    """The platform that a step is for: `linux/amd64->arm64` is for arm64."""
    return platform.rpartition("->")[2].removeprefix("linux/")


def _escape_xml(text: str) -> str:
    """Text for XML, which holds no control characters."""
    return escape("".join(c if c.isprintable() else " " for c in text))
