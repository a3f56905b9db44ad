"""Write a made-up workspace of any size: manifests, sources, a package-lock.json that npm accepts.

    python tests/generate.py DIRECTORY [--packages 300] [--services 100] [--entries 5000] [--seed 0]

Nothing is fetched: the third-party packages exist in the lockfile only. Equal arguments give equal bytes.
"""

import argparse
import base64
import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PLATFORMS = {
    "linux-x64-gnu": ("linux", "x64", "glibc"),
    "linux-arm64-gnu": ("linux", "arm64", "glibc"),
    "darwin-arm64": ("darwin", "arm64", ""),
}


@dataclass
class Draft:
    """The lockfile's table while it grows; `top` holds the names at the root that may be depended on."""

    rng: random.Random
    places: dict[str, dict[str, Any]] = field(default_factory=dict)
    top: list[str] = field(default_factory=list)

    def add(self, place: str, version: str, **fields: Any) -> None:
        name = place.rpartition("node_modules/")[2]
        digest = hashlib.sha512(f"{name}@{version}".encode()).digest()
        self.places[place] = {
            "version": version,
            "resolved": f"https://registry.npmjs.org/{name}/-/{name.rpartition('/')[2]}-{version}.tgz",
            "integrity": f"sha512-{base64.b64encode(digest).decode()}",
            "license": "MIT",
            "engines": {"node": ">=18"},
            **fields,
        }

    def pick(self, most: int) -> dict[str, str]:
        # Mostly recent names: chains get deep, and packages stay different from each other.
        recent = self.top[-400:]
        names = self.rng.sample(recent, min(len(recent), self.rng.randint(0, most)))
        return dict.fromkeys(sorted(names), "^1.0.0")


def generate(root: Path, *, packages: int = 300, services: int = 100, entries: int = 5000, seed: int = 0) -> None:
    """Write the workspace: `services` of its packages under services/, the rest under packages/.

    The lockfile gets `entries` third-party entries, about a tenth of them nested second versions.
    """
    draft = Draft(rng=random.Random(seed))
    while len(draft.places) < entries:
        _third_party(draft, len(draft.top), room=entries - len(draft.places))
    manifests = _members(draft, packages=packages, services=services)
    locked = {
        "": manifests[""],
        **{path: _locked(m) for path, m in manifests.items() if path},
        **draft.places,
    }
    for path, manifest in manifests.items():
        if path:
            locked[f"node_modules/{manifest['name']}"] = {"resolved": path, "link": True}
    _mark_dev(locked)
    _write(root, manifests, dict(sorted(locked.items())))


def _third_party(draft: Draft, number: int, *, room: int) -> None:
    name = f"@org-{number % 7}/dep-{number:04}" if number % 6 == 0 else f"dep-{number:04}"
    place = f"node_modules/{name}"
    fields: dict[str, Any] = {"dependencies": draft.pick(2)}
    if number % 40 == 39 and room > len(PLATFORMS):
        fields["optionalDependencies"] = {f"{name}-{target}": "1.0.0" for target in PLATFORMS}
        for target, (system, cpu, libc) in PLATFORMS.items():
            limits = {"os": [system], "cpu": [cpu], **({"libc": [libc]} if libc else {})}
            draft.add(f"{place}-{target}", "1.0.0", optional=True, **limits)
    elif number % 10 == 9 and fields["dependencies"] and room > 1:
        other = min(fields["dependencies"])
        fields["dependencies"][other] = "^2.0.0"
        draft.add(f"{place}/node_modules/{other}", "2.0.0")
    draft.add(place, "1.0.0", **fields)
    draft.top.append(name)


def _members(draft: Draft, *, packages: int, services: int) -> dict[str, dict[str, Any]]:
    libraries = [f"packages/lib-{number:03}" for number in range(packages - services)]
    paths = [*libraries, *(f"services/svc-{number:03}" for number in range(services))]
    manifests: dict[str, dict[str, Any]] = {
        "": {"name": "generated", "version": "1.0.0", "workspaces": ["packages/*", "services/*"]}
    }
    for index, path in enumerate(paths):
        before = libraries[: min(index, len(libraries))]
        needed = draft.rng.sample(before, min(len(before), draft.rng.randint(0, 4)))
        manifests[path] = {
            "name": _name(path),
            "version": "1.0.0",
            "main": "dist/index.js",
            "scripts": {"build": "tsc -b", "start": "node dist/index.js"},
            "dependencies": {_name(other): "1.0.0" for other in sorted(needed)},
            "devDependencies": {},
        }
    _spread(draft, [manifests[path] for path in paths])
    return manifests


def _name(path: str) -> str:
    return f"@gen/{path.rpartition('/')[2]}"


def _spread(draft: Draft, manifests: list[dict[str, Any]]) -> None:
    """Give every third-party package that nothing needs to a member: npm prunes what is not needed."""
    needed = {name for place in draft.places.values() for name in place.get("dependencies", {})}
    for number, name in enumerate(draft.top):
        if name not in needed or number % 8 == 0:
            kind = "devDependencies" if number % 5 == 0 else "dependencies"
            draft.rng.choice(manifests)[kind][name] = "^1.0.0"


def _locked(manifest: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("name", "version", "dependencies", "devDependencies")
    return {key: manifest[key] for key in keys if manifest.get(key)}


def _mark_dev(locked: dict[str, dict[str, Any]]) -> None:
    """Flag what no member's production dependencies reach."""
    stack = [path for path in locked if "node_modules/" not in path]
    seen = set(stack)
    while stack:
        path = stack.pop()
        for kind in ("dependencies", "optionalDependencies"):
            for name in locked[path].get(kind, {}):
                nested = f"{path}/node_modules/{name}"
                place = nested if nested in locked else f"node_modules/{name}"
                if place not in seen:
                    seen.add(place)
                    stack.append(place)
    for path, value in locked.items():
        if path not in seen and not value.get("link"):
            value["dev"] = True


def _write(root: Path, manifests: Mapping[str, Mapping[str, Any]], locked: Mapping[str, Any]) -> None:
    for path, manifest in manifests.items():
        folder = root / path
        (folder / "src").mkdir(parents=True, exist_ok=True)
        _dump(folder / "package.json", manifest)
        if path:
            needed = [name.removeprefix("@gen/") for name in manifest["dependencies"] if "@gen/" in name]
            references = [{"path": f"../../packages/{name}"} for name in needed]
            options = {"composite": True, "outDir": "dist", "rootDir": "src"}
            _dump(folder / "tsconfig.json", {"compilerOptions": options, "references": references})
            imports = "".join(f'import "{name}";\n' for name in manifest["dependencies"])
            (folder / "src" / "index.ts").write_text(imports, encoding="utf-8")
    lock = {
        "name": "generated",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "requires": True,
        "packages": locked,
    }
    _dump(root / "package-lock.json", lock)


def _dump(file: Path, value: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write a made-up workspace.")
    parser.add_argument("directory", type=Path)
    for option, default in (("packages", 300), ("services", 100), ("entries", 5000), ("seed", 0)):
        parser.add_argument(f"--{option}", type=int, default=default)
    chosen = parser.parse_args()
    generate(
        chosen.directory,
        packages=chosen.packages,
        services=chosen.services,
        entries=chosen.entries,
        seed=chosen.seed,
    )
