"""The long run of tests/hostile.py."""

import collections
import shutil
import sys
import tempfile
from pathlib import Path

from tests.hostile import made, tried


def main(count: int = 10_000, seed: int = 0) -> int:
    """Try `count` workspaces; tell each that was wrong, and how many of each kind."""
    kinds: collections.Counter[str] = collections.Counter()
    wrong = 0
    for one in range(seed, seed + count):
        root = Path(tempfile.mkdtemp(prefix="bake-fuzz-"))
        try:
            odd = made(one, root)
            kinds[odd.partition(":")[0]] += 1
            if found := tried(root):
                wrong += 1
                print(f"seed {one}: {odd}", *found, sep="\n    ", flush=True)
        finally:
            shutil.rmtree(root, ignore_errors=True)
    print(f"{count} workspaces ({', '.join(f'{k} {v}' for k, v in sorted(kinds.items()))}): {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
