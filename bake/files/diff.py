"""What changed between two texts. Pure."""

import difflib


def unified_diff(old: str, new: str, file: str) -> str:
    """A diff that `patch` takes, "" for equal texts. file: the path that it names."""
    lines = difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), file, file)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
