"""The measurements behind scripts/bench."""

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bake.plan import Request, make_plan
from bake.project import load_project
from bake.render import render
from bake.table import table
from scripts.race.peers import PEERS, RUNTIME
from scripts.race.race import ROWS, FailedError, Result, entries, native, race, say, warm
from scripts.race.tables import race_text, size_text, write_into
from scripts.race.weigh import Weighed, weigh_entry
from tests.generate import generate

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "comparison.md"
WORKSPACES = ("example", "generated")
RACERS = ("bake", "classic", "builder", "turbo", "pnpm", "nx")
WEIGHED = ("bake", "traced", "builder", "turbo", "pnpm", "nx", "nft")
PLANNED = ((75, 25, 1250), (150, 50, 2500), (300, 100, 5000), (1000, 300, 20000))


def main() -> None:
    parser = _parser()
    options = parser.parse_args()
    try:
        options.run(options)
    except FailedError as error:
        sys.exit(f"bench: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parts = parser.add_subparsers(required=True, metavar="PART")
    timed = _part(parts, "race", run_race, "seconds of bake and its peers, in situations that people wait for")
    timed.add_argument("--rows", type=_several(ROWS), default=tuple(ROWS), metavar="R[,R]", help=", ".join(ROWS))
    timed.add_argument("--runs", type=int, default=3, help="how often each is measured; the median counts (3)")
    _race_options(timed, RACERS)
    _race_options(_part(parts, "size", run_size, "bytes of each service's images and of all"), WEIGHED)
    many = _part(parts, "many", run_many, "many images in one bake: none lost, and what it costs")
    many.add_argument("--services", type=_numbers, default=(10, 20, 40), metavar="N[,N]", help="10,20,40")
    _part(parts, "plan", run_plan, "load, plan and render workspaces of growing size; CPU seconds")
    return parser


def _part(parts: Any, name: str, run: Callable[..., None], words: str) -> argparse.ArgumentParser:
    part: argparse.ArgumentParser = parts.add_parser(name, help=words, description=words)
    part.set_defaults(run=run)
    part.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    return part


def _race_options(part: argparse.ArgumentParser, peers: Sequence[str]) -> None:
    part.add_argument("--workspace", choices=WORKSPACES, default="generated", help="generated")
    part.add_argument("--peers", type=_several(PEERS), default=peers, metavar="P[,P]", help=", ".join(PEERS))
    part.add_argument("--write", action="store_true", help="write the table into docs/comparison.md")
    part.epilog = "What --json FILE holds already is kept beside this run's results: peers and rows may run one by one."


def _several(known: Mapping[str, object]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {name}; there are {', '.join(known)}")
        return names

    return parse


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def run_race(options: argparse.Namespace) -> None:
    """Print, and write where asked, how long each peer takes."""
    now = race(options.workspace, options.rows, options.peers, options.runs)
    again = {(r.row, r.peer) for r in now}
    earlier = (Result(**value) for value in _earlier(options))
    results = (*(r for r in earlier if (r.row, r.peer) not in again), *now)
    _tell(options, "race", race_text(results), results)


def run_size(options: argparse.Namespace) -> None:
    """Print, and write where asked, what each peer's images weigh."""
    now = []
    with entries(options.workspace, options.peers, fresh=False) as made:
        for entry in made:
            say(f"{options.workspace}: {entry.peer.name}")
            warm(entry, native())
            now.append(weigh_entry(entry, RUNTIME))
    earlier = (Weighed(**value) for value in _earlier(options))
    weights = (*(w for w in earlier if w.peer not in options.peers), *now)
    _tell(options, "size", size_text(weights), weights)


def _earlier(options: argparse.Namespace) -> Sequence[Mapping[str, Any]]:
    """The results of earlier runs, which those of this one are put beside."""
    there = options.json is not None and options.json.is_file()
    found: Sequence[Mapping[str, Any]] = json.loads(options.json.read_text(encoding="utf-8")) if there else ()
    return found


def _tell(options: argparse.Namespace, what: str, text: str, values: "Sequence[Result | Weighed]") -> None:
    print(text)
    if options.write:
        write_into(PAGE, f"{what} {options.workspace}", text)
    _write_json(options, [dataclasses.asdict(value) for value in values])


def _write_json(options: argparse.Namespace, values: object) -> None:
    if options.json:
        options.json.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def run_many(options: argparse.Namespace) -> None:
    """Print what many images in one bake cost."""
    from scripts.race.many import measure_many  # needs root and a dockerd of its own

    spent = measure_many(options.services)
    rows = [
        {
            "services": str(s.services),
            "images": str(s.images),
            "lost": str(s.lost),
            "s": f"{s.seconds:.1f}",
            "s per image": f"{s.seconds / s.images:.2f}",
            "bake CPU s": f"{s.driver:.1f}",
            "engine CPU s": f"{s.engine:.1f}",
            "bake's share": f"{s.share:.0%}",
            "bake MB": f"{s.memory / 1e6:.0f}",
            "engine MB": f"{s.engine_memory / 1e6:.0f}",
        }
        for s in spent
    ]
    print(table(rows))
    _write_json(options, [dataclasses.asdict(s) for s in spent])


def run_plan(options: argparse.Namespace) -> None:
    """Print how load, plan and render grow with the size of the workspace."""
    rows = [_planned(*size) for size in PLANNED]
    print(f"CPU seconds, least of 5\n{table(rows)}")
    _write_json(options, rows)


def _planned(packages: int, services: int, entries: int) -> Mapping[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        file = _generated(Path(folder), packages, services, entries)
        load_project(file, {})  # scans the imports once, as every later run finds them
        project = load_project(file, {})
        made = make_plan(project, Request())
        return {
            "workspace": f"{packages} packages, {services} services, {entries} entries",
            "load": f"{_least(lambda: load_project(file, {})):.2f}",
            "plan": f"{_least(lambda: make_plan(project, Request())):.2f}",
            "render": f"{_least(lambda: render(project, made)):.2f}",
        }


def _least(measure: Callable[[], object]) -> float:
    """CPU seconds of the quickest of five runs: what else the machine does only makes the others slower."""
    taken = []
    for _ in range(5):
        start = time.process_time()
        measure()
        taken.append(time.process_time() - start)
    return min(taken)


def _generated(root: Path, packages: int, services: int, entries: int) -> Path:
    generate(root, packages=packages, services=services, entries=entries)
    names = sorted(p.name for p in (root / "services").iterdir())
    text = '[project]\nname = "gen"\n' + "".join(f'[services.{n}]\npackage = "services/{n}"\n' for n in names)
    (root / "bake.toml").write_text(text, encoding="utf-8")
    return root / "bake.toml"


if __name__ == "__main__":
    main()
