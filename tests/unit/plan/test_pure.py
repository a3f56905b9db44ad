"""What plans, renders and checks gets values: the interpreter itself says that nothing is opened or started."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bake.plan import Cache, Request, check, make_plan, name_images
from bake.project import load_project
from bake.render import render, render_bake_file

ROOT = Path(__file__).parents[3]
TOUCHES = {"open", "os.scandir", "os.listdir", "os.mkdir", "os.rename", "os.remove", "glob.glob", "subprocess.Popen"}
_heard: list[list[str]] = []


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if _heard and event in TOUCHES:
        _heard[-1].append(f"{event} {arguments[0]}")


sys.addaudithook(_listen)


@contextmanager
def listening() -> Iterator[list[str]]:
    """What the block does to the disk, and what it starts."""
    _heard.append([])
    try:
        yield _heard[-1]
    finally:
        _heard.pop()


def test_planning_rendering_and_checking_open_templates_at_most_and_start_nothing() -> None:
    for _ in ("with what Python imports late", "without"):
        project = load_project(ROOT / "examples" / "apphub" / "bake.toml", {})
        with listening() as planned:
            plan = make_plan(project, Request())
            names = name_images(project, plan)
            check(project, plan)
        with listening() as rendered:
            render(project, plan)
            render_bake_file(project, plan, names, Cache())
    assert planned == []
    shipped = (f"open {ROOT}/docker", f"os.scandir {ROOT}/docker", f"os.listdir {ROOT}/docker")
    templates = (*shipped, f"open {ROOT}/docker-bake.hcl.j2")
    assert [event for event in rendered if not event.startswith(templates)] == []
    assert rendered


def test_the_ear_hears(tmp_path: Path) -> None:
    with listening() as heard:
        (tmp_path / "x").write_text("x")
    assert heard == [f"open {tmp_path / 'x'}"]
