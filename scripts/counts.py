"""Counts of the code, by its syntax trees; nothing of it is imported."""

import ast
import runpy
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
LONG = 50
QUICK = (["--help"], ["list"], ["print"])


def main(words: list[str]) -> None:
    """Print them, one a line."""
    root = next((Path(word).resolve() for word in words if not word.startswith("-")), HERE)
    for name, value in counts(root):
        print(f"{name:<44} {value}")
    for command in QUICK if "--times" in words else ():
        print(f"{'seconds of bake ' + ' '.join(command):<44} {seconds(root, command):.2f}")


def counts(root: Path) -> Iterator[tuple[str, object]]:
    """(what is counted, how much) of a checkout."""
    bake, scripts = python_files(root / "bake"), python_files(root / "scripts")
    yield "lines of Python in bake/ and scripts/", sum(map(lines_of, (*bake, *scripts)))
    yield "lines of Python in tests/", sum(map(lines_of, python_files(root / "tests")))
    yield "lines of JavaScript in docker/", sum(map(lines_of, (root / "docker").rglob("*.mjs")))
    folders = Counter(file.parent.relative_to(root).as_posix() for file in bake if file.name != "__init__.py")
    yield "modules in bake/", sum(folders.values())
    for folder, count in sorted(folders.items()):
        yield f"  {folder}", count
    yield "imports that go up", upward(root)
    functions = [(file, node) for file in bake for node in functions_of(file)]
    sizes = [length(node) for _, node in functions]
    yield "functions", len(functions)
    yield "  median lines", statistics.median(sizes)
    yield f"  over {LONG} lines", sum(size > LONG for size in sizes)
    for file, node in functions:
        if length(node) > LONG:
            yield f"    {file.relative_to(root)}:{node.lineno} {node.name}", length(node)
    outer = [node.name for file in bake for node in tree_of(file).body if isinstance(node, ast.FunctionDef)]
    shared = Counter(outer)
    yield "module-level functions", len(outer)
    yield "  with a name of one word", percent(sum("_" not in name.strip("_") for name in outer), len(outer))
    yield "  with a name that another one has", percent(sum(shared[name] > 1 for name in outer), len(outer))


def python_files(folder: Path) -> tuple[Path, ...]:
    """Its modules, below it too."""
    return tuple(sorted(folder.rglob("*.py")))


def lines_of(file: Path) -> int:
    """Lines, blank ones too."""
    return len(file.read_text("utf-8").splitlines())


def tree_of(file: Path) -> ast.Module:
    """Its syntax tree."""
    return ast.parse(file.read_text("utf-8"))


def functions_of(file: Path) -> Iterator[ast.FunctionDef]:
    """Every function and method."""
    return (node for node in ast.walk(tree_of(file)) if isinstance(node, ast.FunctionDef))


def length(node: ast.FunctionDef) -> int:
    """Lines from `def` to the end, without what its docstring takes."""
    said = node.body[0] if ast.get_docstring(node) is not None else None
    return (node.end_lineno or 0) - node.lineno + 1 - ((said.end_lineno or 0) - said.lineno + 1 if said else 0)


def upward(root: Path) -> object:
    """Imports to the same or a higher floor than the importing room's, by the floors that tests/ states."""
    house = root / "tests/unit/test_house.py"
    if not house.is_file():
        return "no floors are stated"
    stated = runpy.run_path(str(house))
    floor, room_of = stated["FLOOR"], stated["room_of"]
    return sum(floor[room] >= floor[room_of(file)] for file in stated["FILES"] for room, _ in stated["imports"](file))


def percent(part: int, whole: int) -> str:
    """As people read it."""
    return f"{part} ({100 * part / whole:.0f} %)"


def seconds(root: Path, command: list[str]) -> float:
    """The quickest of five runs."""
    times = []
    for _ in range(5):
        begun = time.monotonic()
        python = root / ".venv/bin/python"
        subprocess.run([python, "-m", "bake", *command], cwd=root / "examples/apphub", capture_output=True, check=True)
        times.append(time.monotonic() - begun)
    return min(times)


if __name__ == "__main__":
    main(sys.argv[1:])
