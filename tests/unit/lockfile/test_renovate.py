"""The preset for Renovate finds every base image in a bake.lock that bake wrote, and what it changes can be read."""

import json
import re
from pathlib import Path

from bake.lockfile import BakeLock
from bake.lockfile.bake_lock import LockedImage, parse_bake_lock, render_bake_lock

PRESET = json.loads((Path(__file__).parents[3] / "docs" / "renovate.json").read_text("utf-8"))
OLD, NEW = (f"sha256:{digit * 64}" for digit in "ab")


def test_renovate_moves_the_digest_of_each_base_image_and_nothing_else() -> None:
    names = ("docker.io/library/node:24", "docker.io/library/node:24-slim", "registry.acme.example:5000/base/node:2.1")
    images = {name: LockedImage(digest=OLD, platforms=("linux/amd64",)) for name in names}
    text = render_bake_lock(BakeLock(images=images))
    (manager,) = PRESET["customManagers"]
    pattern = re.compile(manager["matchStrings"][0].replace("(?<", "(?P<"))

    found = [(f["depName"], f["currentValue"], f["currentDigest"]) for f in pattern.finditer(text)]
    assert found == [(*name.rsplit(":", 1), OLD) for name in names]
    moved = pattern.sub(lambda f: f[0].replace(f["currentDigest"], NEW), text)
    assert {image.digest for image in parse_bake_lock(moved).images.values()} == {NEW}
    (file,) = (p.strip("/") for p in manager["managerFilePatterns"])
    assert [bool(re.search(file, path)) for path in ("bake.lock", "apps/shop/bake.lock", "x.bake.lock")] == [1, 1, 0]
