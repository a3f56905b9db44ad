"""The README's picture of a terminal, docs/terminal.svg, and its text beside it.

    scripts/picture           run bake in a copy of the example, keep what it printed, draw it
    scripts/picture --draw    draw the text that is kept

Needs a Docker engine, whose cache decides what there is to do. The copy has a line of its own in a library that all
services use, so that there is something. Nothing in the picture was typed by hand.
"""

import argparse
import io
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).parents[1]
TEXT, PICTURE = ROOT / "docs" / "terminal.txt", ROOT / "docs" / "terminal.svg"
COLUMNS = 112

COMMANDS = (
    "bake init",
    "bake all --tag dev --platform linux/amd64",
    "docker run --rm -d --name metastore --read-only -p 4100:4100 apphub-metastore:dev",
    "curl -s --retry 9 --retry-all-errors localhost:4100/healthz",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true")
    if not parser.parse_args().draw:
        TEXT.write_text(record(), encoding="utf-8")
    draw(TEXT.read_text(encoding="utf-8"))


def record() -> str:
    """What a person would have seen: each command and what stays on the screen of it."""
    with tempfile.TemporaryDirectory(prefix="bake-picture-") as folder:
        workspace = copy_example(Path(folder) / "apphub")
        try:
            return "\n".join(f"$ {command}\n{run(command, workspace)}" for command in COMMANDS)
        finally:
            subprocess.run(["docker", "rm", "-f", "metastore"], capture_output=True, check=False)


def copy_example(folder: Path) -> Path:
    """The example without its bake.toml, in a repository of its own, as someone comes to bake."""
    left_out = shutil.ignore_patterns("node_modules", "dist", ".bake", "bake.toml", "*.tsbuildinfo")
    shutil.copytree(ROOT / "examples" / "apphub", folder, ignore=left_out)
    with (folder / "packages" / "shared" / "src" / "service.ts").open("a") as source:
        source.write(f"// {uuid.uuid4()}\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "-m", "the example")
    return folder


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)


def run(command: str, folder: Path) -> str:
    done = subprocess.run(
        command, shell=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    return done.stdout


def draw(text: str) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    for line in text.splitlines():
        console.print(styled(line), no_wrap=True, overflow="ellipsis", crop=True)
    PICTURE.write_text(console.export_svg(title="bake", theme=MONOKAI, unique_id="bake"), encoding="utf-8")


def styled(line: str) -> Text:
    """Commands in bold, warnings in yellow, as a terminal has them."""
    if line.startswith("$ "):
        return Text(line, style="bold")
    return Text(line, style="yellow" if "warning:" in line else "")


if __name__ == "__main__":
    main()
