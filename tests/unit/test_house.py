"""The rooms of bake/: who may import whom, and how many live in one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bake.commands import COMMANDS

BAKE = Path(__file__).parents[2] / "bake"

FLOORS = (
    ("errors", "semver", "shell", "streams", "__init__"),
    ("files", "ci", "console", "table"),
    ("config", "git"),
    ("lockfile", "texts"),
    ("workspace",),
    ("sources",),
    ("reads",),
    ("project",),
    ("plan",),
    ("render", "engine", "registry"),
    ("inputs", "publish", "components", "display", "compose"),
    ("session",),
    ("allowed",),
    ("build",),
    ("images",),
    ("evidence",),
    ("guess", "report"),
    ("commands",),
    ("cli",),
    ("__main__",),
)
"""From the ground up: a room imports rooms of lower floors only, whether at its top or inside a function."""

ROOMS = tuple(sorted(p.name for p in BAKE.iterdir() if (p / "__init__.py").is_file()))
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
COMMANDS_ARE_NOT_COUNTED = {"commands"}


def room_of(file: Path) -> str:
    return file.relative_to(BAKE).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[tuple[str, str]]:
    """(room, module) of everything of bake's that a file imports from another room."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.ImportFrom(module="bake"):
                modules = [f"bake.{alias.name}" for alias in node.names]
            case ast.ImportFrom(module=str(name)):
                modules = [name]
            case ast.Import():
                modules = [alias.name for alias in node.names]
            case _:
                continue
        for module in modules:
            parts = module.split(".")
            if parts[0] == "bake" and len(parts) > 1 and parts[1] in FLOOR and parts[1] != room_of(file):
                yield parts[1], module


FILES = sorted(BAKE.rglob("*.py"))


def test_every_room_has_a_floor() -> None:
    assert {room_of(file) for file in FILES} == set(FLOOR)


def test_imports_go_down_only() -> None:
    upward = [
        f"{file.relative_to(BAKE)} imports {module}"
        for file in FILES
        for room, module in imports(file)
        if FLOOR[room] >= FLOOR[room_of(file)]
    ]
    assert upward == []


def test_a_room_is_entered_by_its_face() -> None:
    past = [
        f"{file.relative_to(BAKE)} imports {module}"
        for file in FILES
        for room, module in imports(file)
        if room in ROOMS and module != f"bake.{room}" and room_of(file) != "cli"
    ]
    assert past == []


def test_no_command_imports_a_command() -> None:
    """What two of them share lives in a room, or in bake/commands/arguments.py."""
    modules = {name.replace("-", "_") for name in COMMANDS}
    shared = [
        f"{file.name} imports {name}"
        for file in sorted((BAKE / "commands").glob("*.py"))
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for name in commands_in(node)
        if name in modules
    ]
    assert shared == []


def commands_in(node: ast.AST) -> list[str]:
    """The modules of bake.commands that an import names."""
    match node:
        case ast.ImportFrom(module="bake.commands"):
            return [alias.name for alias in node.names]
        case ast.ImportFrom(module=str(name)) if name.startswith("bake.commands."):
            return [name.split(".")[2]]
        case ast.Import():
            return [a.name.split(".")[2] for a in node.names if a.name.startswith("bake.commands.")]
    return []


def test_arguments_stay_in_their_command_as_they_were_given() -> None:
    wrong = [
        f"{file.relative_to(BAKE)}:{getattr(node, 'lineno', 0)}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if strays(node, command=room_of(file) == "commands")
    ]
    assert wrong == []


def strays(node: ast.AST, *, command: bool) -> bool:
    """Whether arguments are taken outside a command, made by hand, or written to."""
    match node:
        case ast.Call(func=func):
            return ast.unparse(func).endswith("Namespace")
        case ast.Attribute(ctx=ast.Store(), value=ast.Name(id="arguments")):
            return True
        case ast.Attribute(attr="Namespace"):
            return not command
    return False


@pytest.mark.parametrize(
    ("text", "command"),
    [("argparse.Namespace(targets=[])", True), ("arguments.targets = []", True), ("a: argparse.Namespace", False)],
)
def test_arguments_that_stray_are_found(text: str, command: bool) -> None:
    assert any(strays(node, command=command) for node in ast.walk(ast.parse(text)))


def test_one_place_prints_results_as_json() -> None:
    others = [
        str(file.relative_to(BAKE))
        for file in FILES
        if "print(json.dumps(" in file.read_text("utf-8") and file.name != "table.py"
    ]
    assert others == []


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in COMMANDS_ARE_NOT_COUNTED])
def test_a_room_holds_about_a_dozen_modules(room: str) -> None:
    assert len([p for p in (BAKE / room).glob("*.py") if p.name != "__init__.py"]) <= 13


@pytest.mark.parametrize("room", ROOMS)
def test_a_face_says_what_the_room_is(room: str) -> None:
    assert ast.get_docstring(ast.parse((BAKE / room / "__init__.py").read_text("utf-8")))


def test_what_contributing_names_is_there() -> None:
    text = (BAKE.parent / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"`((?:bake|docker|scripts|tests|examples)/[^`\s]*)`", text)
    assert len(named) > 20
    assert [path for path in named if "NAME" not in path and not (BAKE.parent / path).exists()] == []


DISK = {
    *("read_text", "read_bytes", "write_text", "write_bytes", "open", "exists", "is_file", "is_dir", "is_symlink"),
    *(
        "iterdir",
        "glob",
        "rglob",
        "walk",
        "scandir",
        "listdir",
        "lexists",
        "stat",
        "lstat",
        "unlink",
        "mkdir",
    ),
}
"""Names of functions and methods that look at a disk; ours begin with load_, read_ or write_."""
PURE_BUT_FOR = {"plan": "project.py", "render": "templates.py", "report": ""}
PURE = [
    *(file for room, edge in PURE_BUT_FOR.items() for file in sorted((BAKE / room).glob("*.py")) if file.name != edge),
    BAKE / "publish" / "kubernetes.py",
]


def touches_the_disk(file: Path) -> Iterator[str]:
    """What a file calls, or imports, that reaches the disk."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id=name), lineno=line) if name.startswith(("load_", "read_", "write_")):
                yield f"{line}: {name}"
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), lineno=line) if name in DISK:
                yield f"{line}: {name}"
            case ast.Import(names=names, lineno=line):
                yield from (f"{line}: {a.name}" for a in names if a.name in {"os", "shutil", "tempfile", "subprocess"})
            case ast.ImportFrom(module="bake.git", lineno=line):
                yield f"{line}: bake.git"


@pytest.mark.parametrize("file", PURE, ids=lambda file: str(file.relative_to(BAKE)))
def test_what_gets_values_reads_no_disk(file: Path) -> None:
    assert list(touches_the_disk(file)) == []
