"""What this machine has: tools beside Docker, and room for images."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bake.errors import CheckError, EngineError

_TIMEOUT = 20
"""Seconds that a tool has to answer."""


def read_version(tool: str) -> str:
    """What a tool says its version is, "" when it is not there."""
    if shutil.which(tool) is None:
        return ""
    try:
        done = subprocess.run([tool, "--version"], capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = done.stdout.split()
    return words[-1] if done.returncode == 0 and words else ""


def call_tool(words: Sequence[str], remedy: str) -> None:
    """Run a tool; what it says goes to stderr. Raises EngineError where it is not there, CheckError where it fails."""
    if shutil.which(words[0]) is None:
        raise EngineError(words[0], "is not on PATH", remedy)
    done = subprocess.run(words, stdout=sys.stderr, check=False)
    if done.returncode:
        raise CheckError(f"{words[0]} {words[1]}", f"failed with exit code {done.returncode}", "its words are above")


def read_free_space() -> int | None:
    """Bytes free where the engine keeps images; None when that is not on this machine."""
    if shutil.which("docker") is None:
        return None
    words = ["docker", "info", "--format", "{{.DockerRootDir}}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    folder = Path(done.stdout.strip() or "/nonexistent")
    try:
        return shutil.disk_usage(folder).free if folder.is_dir() else None
    except OSError:
        return None
