"""Results as Markdown, for a terminal and for docs/comparison.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scripts.race.peers import PEERS
from scripts.race.race import ROWS, Result
from scripts.race.weigh import Weighed


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """A table of rows with equal keys."""
    lines = (" | ".join(row.values()) for row in rows)
    return "\n".join((f"| {' | '.join(rows[0])} |", f"|{'---|' * len(rows[0])}", *(f"| {line} |" for line in lines)))


def race_text(results: Sequence[Result]) -> str:
    """Seconds of peers side by side, and below them what each is and where it fails."""
    peers = list(dict.fromkeys(r.peer for r in results))
    found = {(r.row, r.peer): r for r in results}
    rows = [
        {"seconds": label, **{p: _cell(found.get((row, p)), found.get((row, "bake"))) for p in peers}}
        for row, (label, _) in ROWS.items()
        if any((row, p) in found for p in peers)
    ]
    runs = {len(r.seconds) for r in results if not r.failed}
    told = "one run each" if runs == {1} else f"medians of {min(runs, default=0)} or more runs"
    machines = "; ".join(sorted({r.machine for r in results}))
    failures = (_failure(f"{r.peer}, {ROWS[r.row][0]}", r.failed) for r in results if r.failed)
    lost = {(r.peer, service): why for r in results for service, why in r.lost.items()}
    losses = (_failure(f"{peer} without {service}", why) for (peer, service), why in lost.items())
    return "\n".join((markdown(rows), "", f"{machines}; {told}.", "", *_legend(peers), *losses, *failures))


def _cell(result: Result | None, ours: Result | None) -> str:
    if result is None:
        return ""
    if result.failed:
        return "fails"
    text = f"{result.median:.1f}"
    return text if not ours or ours.failed or ours is result else f"{text} ({result.median / ours.median:.1f}x)"


def size_text(weights: Sequence[Weighed]) -> str:
    """Megabytes per service and of all, each blob once, side by side."""
    services = list(dict.fromkeys(s for w in weights for s in (*w.services, *w.lost)))
    rows = [{"MB": s, **{w.peer: _mega(w.services.get(s)) for w in weights}} for s in services]
    rows.append({"MB": "all, each blob once", **{w.peer: _mega(w.total) for w in weights}})
    lost = (_failure(f"{w.peer} without {service}", why) for w in weights for service, why in w.lost.items())
    return "\n".join((markdown(rows), "", *_legend([w.peer for w in weights]), *lost))


def _mega(size: int | None) -> str:
    return "fails" if size is None else f"{size / 1e6:.2f}"


def _legend(peers: Sequence[str]) -> Iterator[str]:
    return (f"- {name}: {PEERS[name].says}" for name in peers)


def _failure(what: str, why: str) -> str:
    return f"- {what}: `{why.replace('`', '')}`"


def write_into(file: Path, part: str, text: str) -> None:
    """Put the text between the marks of that part of a page."""
    page = file.read_text(encoding="utf-8")
    begin, end = f"<!-- {part}, written by scripts/bench -->", f"<!-- /{part} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    file.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page), encoding="utf-8")
