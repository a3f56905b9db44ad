"""Random commits on a generated workspace: what an image is made of changes for just the images that a commit is in.

Who needs what is told here by a walk of its own over manifests and lockfile, which knows nothing of bake.
"""

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.inputs import load_contents
from bake.plan import Request, make_plan
from bake.project import load_project
from tests.generate import generate
from tests.git_workspace import GitWorkspace

STEPS = 8


class Generated(GitWorkspace):
    """A made-up workspace under git, with a service for each package below services/."""

    def __init__(self, root: Path, seed: int) -> None:
        super().__init__(root)
        generate(root, packages=12, services=5, entries=60, seed=seed)
        self.services = sorted(p.name for p in (root / "services").iterdir())
        tables = "".join(f'[services.{s}]\npackage = "services/{s}"\nport = 3000 # {s}\n' for s in self.services)
        self.write("bake.toml", f'[project]\nname = "gen"\nplatforms = ["linux/amd64"]\n{tables}')
        self.write(".gitignore", "node_modules\n.bake\n")
        self.write("README.md", "")
        self.git("init", "-q", "-b", "main")
        self.commit()

    @property
    def lock(self) -> dict[str, Any]:  # type: ignore[override]
        """The lockfile's table."""
        found: dict[str, Any] = json.loads((self.root / "package-lock.json").read_text())
        return found

    def contents(self) -> Mapping[str, str]:
        """Image -> the hash of what it is made of."""
        project = load_project(self.root / "bake.toml", {})
        return load_contents(project, make_plan(project, Request()))

    def packages_of(self, service: str) -> set[str]:
        """Paths of the workspace's packages that a service's image is built from."""
        found, queue = set(), [f"services/{service}"]
        while queue:
            path = queue.pop()
            if path not in found:
                found.add(path)
                manifest = json.loads((self.root / path / "package.json").read_text())
                names = {**manifest["dependencies"], **manifest["devDependencies"]}
                queue += [f"packages/{n.removeprefix('@gen/')}" for n in names if n.startswith("@gen/")]
        return found

    def entries_of(self, service: str) -> set[str]:
        """Places of the lockfile that the builds of these packages, and so the image, can reach."""
        places = self.lock["packages"]
        return {e for path in self.packages_of(service) for e in reach(places, path)}


def reach(places: Mapping[str, Any], start: str) -> Iterator[str]:
    """Every third-party place that can be reached, development ones of the start among them."""
    seen, queue = set(), [start]
    while queue:
        place = queue.pop()
        kinds = ("dependencies", "optionalDependencies", *(("devDependencies",) if place == start else ()))
        for name in (n for kind in kinds for n in places[place].get(kind, {})):
            nested = f"{place}/node_modules/{name}"
            found = nested if nested in places else f"node_modules/{name}"
            if found in places and found not in seen and not places[found].get("link"):
                seen.add(found)
                queue.append(found)
                yield found


def commit(shop: Generated, chance: random.Random) -> set[str]:
    """Change something and commit it; gives the services that it is in."""
    kind = chance.choice(["nothing", "document", "source", "source", "source", "entry", "entry", "port"])
    hit: set[str] = set()
    if kind == "document":
        shop.write("README.md", f"{chance.random()}\n")
    elif kind == "source":
        path = chance.choice(sorted(p for s in shop.services for p in shop.packages_of(s)))
        shop.write(f"{path}/src/more.ts", f"export const x = {chance.random()};\n")
        hit = {s for s in shop.services if path in shop.packages_of(s)}
    elif kind == "entry":
        lock = shop.lock
        place = chance.choice(
            sorted(p for s in shop.services for p in shop.entries_of(s) if not lock["packages"][p].get("os"))
        )
        hit = {s for s in shop.services if place in shop.entries_of(s)}
        lock["packages"][place]["integrity"] = f"sha512-{chance.getrandbits(64):x}"
        shop.write("package-lock.json", json.dumps(lock, indent=2))
    elif kind == "port":
        service = chance.choice(shop.services)
        before = (shop.root / "bake.toml").read_text()
        lines = [
            f"port = {chance.randint(3001, 9000)} # {service}" if line.endswith(f"# {service}") else line
            for line in before.splitlines()
        ]
        shop.write("bake.toml", "\n".join(lines) + "\n")
        hit = {service}
    shop.commit()
    return hit


@pytest.mark.parametrize("seed", range(3))
def test_what_images_are_made_of_changes_for_just_those_that_a_commit_is_in(tmp_path: Path, seed: int) -> None:
    shop, chance = Generated(tmp_path, seed), random.Random(seed)
    before = shop.contents()
    for _ in range(STEPS):
        base = shop.git("rev-parse", "HEAD")
        hit = commit(shop, chance)
        after = shop.contents()
        what = shop.git("log", "-1", "--stat", "--format=")
        assert {s for s in shop.services if before[s] != after[s]} == hit, what
        assert shop.reasons(base).keys() == hit, what
        before = after
