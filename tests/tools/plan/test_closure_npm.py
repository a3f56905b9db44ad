"""npm is the judge: closures are compared with what `npm ci --omit=dev --workspace X` installs."""

import json
import random
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bake.lockfile import Lockfile, make_production
from bake.lockfile.npm import make_lockfile
from bake.plan import Closure, closure
from bake.workspace import Workspace, load_workspace
from tests.generate import generate
from tests.npm_registry import Manifests, npm_registry

EXAMPLE = Path(__file__).parents[3] / "examples" / "apphub"
PLATFORMS = ("linux/amd64", "linux/arm64")

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@dataclass(frozen=True)
class Npm:
    """The Arborist of the npm on PATH, with a cache and a registry of its own."""

    arborist: subprocess.Popen[str]
    directory: Path
    registry: str = "http://127.0.0.1:9"

    def lock(self, *roots: Path) -> None:
        self._ask(lock=[str(root) for root in roots])

    def installs(self, workspace: Workspace, packages: tuple[str, ...], **options: str) -> list[set[str]]:
        """Return the places that `npm ci --omit=dev --workspace X` fills, for each package path."""
        requests = [
            {
                "root": str(workspace.root),
                "workspace": workspace.package(path).name if path else None,
                "platform": "linux/amd64",
                "libc": "glibc",
                **options,
            }
            for path in packages
        ]
        return [set(places) for places in self._ask(install=requests)]

    def _ask(self, **question: object) -> Any:
        stdin, stdout = self.arborist.stdin, self.arborist.stdout
        assert stdin is not None
        assert stdout is not None
        question |= {"cache": str(self.directory), "registry": self.registry}
        stdin.write(json.dumps(question) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["places"]


@pytest.fixture(scope="module")
def arborist() -> Iterator[subprocess.Popen[str]]:
    script = str(Path(__file__).parents[2] / "arborist.mjs")
    pipe = subprocess.PIPE
    with subprocess.Popen(["node", script], stdin=pipe, stdout=pipe, text=True) as process:
        yield process


@pytest.fixture
def npm(arborist: subprocess.Popen[str], tmp_path: Path) -> Npm:
    return Npm(arborist, tmp_path / "cache")


def write(root: Path, manifests: Mapping[str, Mapping[str, Any]]) -> Path:
    for path, manifest in manifests.items():
        (root / path).mkdir(parents=True, exist_ok=True)
        (root / path / "package.json").write_text(json.dumps(manifest))
    return root


def close(lock: Lockfile, path: str, *, platform: str = "linux/amd64", **options: Any) -> Closure:
    return closure(lock, path, platforms=(platform,), libc="glibc", **options)


def links(*names: str) -> set[str]:
    return {f"node_modules/{name}" for name in names}


def whole(workspace: Workspace, platform: str) -> set[str]:
    """Everything that some package can reach: what `npm ci --omit=dev` must install."""
    every = (workspace.root_package, *workspace.packages)
    return {e for package in every for e in close(workspace.lock, package.path, platform=platform).entries}


def walked(lock: Lockfile, path: str) -> set[str]:
    """What npm looks at for `--workspace`: the devDependencies of every workspace package that it meets, and
    what hangs on packages that it gives up for the platform."""
    seen, stack = {path}, [path]
    while stack:
        package = lock.packages.get(stack[-1])
        dev = [lock.resolve(stack[-1], name) for name in package.dev_dependencies] if package else []
        targets = {edge.target for edge in lock.edges[stack.pop()]} | set(dev)
        new = {target for target in targets if target is not None} - seen
        seen |= new
        stack.extend(new)
    return seen


def compare(npm: Npm, workspace: Workspace, platform: str, folder: str = "") -> None:
    """Assert that npm installs the union of all closures, and for one workspace its closure and three things.

    It also links that workspace itself, and installs what only its development needs, or what only a package
    for other platforms needs, when another package needs the same for production.
    """
    paths = tuple(package.path for package in workspace.packages if package.path.startswith(folder))
    members = links(*(package.name for package in workspace.packages))
    everything, *each = npm.installs(workspace, ("", *paths), platform=platform)
    ours = whole(workspace, platform) | members
    # npm keeps for production what development and a given-up optional package need, without looking which.
    kept = [entry for entry in everything if workspace.lock.raw["packages"][entry].get("devOptional")]
    assert everything == ours | {e for entry in kept for e in walked(workspace.lock, entry) & everything}
    assert ours <= everything
    for path, theirs in zip(paths, each, strict=True):
        ours = set(close(workspace.lock, path, platform=platform).entries)
        assert theirs == walked(workspace.lock, path) & everything | links(workspace.package(path).name), path
        assert ours <= theirs, path


def test_closures_of_the_example_are_what_npm_installs(npm: Npm, tmp_path: Path) -> None:
    source = load_workspace(EXAMPLE)
    packages = (source.root_package, *source.packages)
    root = write(tmp_path / "apphub", {package.path: package.manifest for package in packages})
    shutil.copy(EXAMPLE / "package-lock.json", root)
    compare(npm, load_workspace(root), "linux/arm64", "services/")


# --- random workspaces ------------------------------------------------------------------------------


def universe(rng: random.Random) -> Manifests:
    """Packages with one to three versions and every kind of edge; `dep-0` is a leaf, later ones look back."""
    names = [f"dep-{number}" if number % 5 else f"@scope/dep-{number}" for number in range(24)]
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for index, name in enumerate(names):
        fragile = index > 5 and rng.random() < 0.3
        others = [other for other in names[:index] if fragile or not is_fragile(result, other)]
        optional = [other for other in names[:index] if other not in others]
        versions = rng.randint(1, 3)
        result[name] = {f"{n + 1}.0.0": fields(rng, others, optional, fragile=fragile) for n in range(versions)}
    result |= family("native-a") | family("@native/b")
    result["cycle-a"] = {"1.0.0": {"dependencies": {"cycle-b": "1"}}}
    result["cycle-b"] = {"1.0.0": {"dependencies": {"cycle-a": "1", names[3]: "*"}}}
    bundled = {"dependencies": {"dep-1": "*", "dep-2": "*"}, "bundleDependencies": ["dep-1"]}
    return result | {"bundler": {"1.0.0": bundled}}


def is_fragile(packages: Manifests, name: str) -> bool:
    """Whether npm may refuse the package on Linux, so that only optional edges may lead to it."""
    reached = {name}
    for _ in packages:
        versions = [version for one in reached for version in packages.get(one, {}).values()]
        reached |= {other for version in versions for kind in HARD for other in version.get(kind, ())}
    return any("os" in version for one in reached for version in packages.get(one, {}).values())


HARD = ("dependencies", "peerDependencies")


def fields(rng: random.Random, others: list[str], optional: list[str], *, fragile: bool) -> dict[str, Any]:
    manifest: dict[str, Any] = {"bin": {"tool": "tool.js"}} if rng.random() < 0.2 else {}
    for name in rng.sample(others, min(len(others), rng.choice((0, 1, 2, 2, 3)))):
        kind = rng.choice((*HARD, "dependencies", "dependencies", "optionalDependencies"))
        manifest.setdefault(kind, {})[name] = "*" if kind == "peerDependencies" else rng.choice(("1", "*", "*"))
        if kind == "peerDependencies" and rng.random() < 0.6:
            manifest.setdefault("peerDependenciesMeta", {})[name] = {"optional": True}
    for name in optional[:1]:
        manifest.setdefault("optionalDependencies", {})[name] = "*"
    return manifest | ({"os": ["!linux"]} if fragile and rng.random() < 0.5 else {})


def family(name: str) -> dict[str, dict[str, dict[str, Any]]]:
    targets = {
        "linux-x64-gnu": "glibc",
        "linux-x64-musl": "musl",
        "linux-arm64-gnu": "glibc",
        "darwin-arm64": "",
    }
    members = {f"{name}-{target}": libc for target, libc in targets.items()}
    parent = {"optionalDependencies": dict.fromkeys(members, "1.0.0"), "dependencies": {"dep-1": "*"}}
    result: dict[str, dict[str, dict[str, Any]]] = {name: {"1.0.0": parent}}
    for member, libc in members.items():
        words = member.removeprefix(f"{name}-").split("-")
        limits: dict[str, Any] = {"os": [words[0]], "cpu": [words[1]], "dependencies": {"dep-2": "*"}}
        result[member] = {"1.0.0": limits | ({"libc": [libc]} if libc else {})}
    return result


def members(rng: random.Random, packages: Manifests) -> dict[str, dict[str, Any]]:
    """A root, libraries, services and a directory outside the patterns that a `file:` dependency links."""
    paths = [f"packages/lib-{n}" for n in range(3)] + [f"services/svc-{n}" for n in range(3)]
    result: dict[str, dict[str, Any]] = {
        "": {"name": "root", "version": "1.0.0", "workspaces": ["packages/*", "services/*"]},
        "vendor/kept": {"name": "kept", "version": "1.0.0", "dependencies": {"dep-4": "*"}},
    }
    for index, path in enumerate(paths):
        manifest = member(rng, packages)
        for other in rng.sample(paths[:index], min(index, rng.randint(0, 2))):
            kind = rng.choice(("dependencies", "dependencies", "devDependencies"))
            manifest.setdefault(kind, {})[f"@ws/{other.rpartition('/')[2]}"] = "1.0.0"
        result[path] = {"name": f"@ws/{path.rpartition('/')[2]}", "version": "1.0.0", **manifest}
    result[paths[1]].setdefault("dependencies", {})["kept"] = "file:../../vendor/kept"
    result[paths[2]].setdefault("dependencies", {})["renamed"] = "npm:dep-2@1"
    result[""] |= {"overrides": {"dep-3": "1.0.0"}, "dependencies": {"dep-4": "*"}}
    return result


def member(rng: random.Random, packages: Manifests) -> dict[str, Any]:
    manifest: dict[str, Any] = {}
    usable = [name for name in packages if "linux" not in name and "darwin" not in name]
    for name in rng.sample(usable, rng.randint(2, 6)):
        kind = rng.choice(("dependencies", "dependencies", "devDependencies", "optionalDependencies"))
        # What npm refuses for this platform may only be optional.
        kind = "optionalDependencies" if is_fragile(packages, name) else kind
        manifest.setdefault(kind, {})[name] = rng.choice(("*", "1", f"{len(packages[name])}.0.0"))
    return manifest


@pytest.mark.parametrize("seed", [50, 51])
def test_closures_of_random_workspaces_are_what_npm_installs(npm: Npm, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    packages = universe(rng)
    root = write(tmp_path / "workspace", members(rng, packages))
    with npm_registry(packages) as registry:
        replace(npm, registry=registry).lock(root)
    compare(npm, load_workspace(root), PLATFORMS[seed % 2])


# --- what npm does otherwise, one by one ------------------------------------------------------------

LEAF: Mapping[str, Mapping[str, Any]] = {"1.0.0": {}}


def locked(npm: Npm, packages: Manifests, manifests: Mapping[str, Mapping[str, Any]]) -> Workspace:
    """Let npm write the lockfile of a workspace over made-up packages."""
    root = {"name": "root", "version": "1.0.0", "workspaces": ["*"]}
    named = {path: {"name": path, "version": "1.0.0", **manifest} for path, manifest in manifests.items()}
    named[""] = {**root, **manifests.get("", {})}
    directory = write(npm.directory.with_name("workspace"), named)
    with npm_registry(packages) as registry:
        replace(npm, registry=registry).lock(directory)
    return load_workspace(directory)


def test_npm_differs_from_a_closure_in_these_ways_only(npm: Npm) -> None:
    packages = dict.fromkeys(("tool", "react", "both"), LEAF)
    packages["picky"] = {"1.0.0": {"engines": {"node": ">=99"}}}
    packages["picky-parent"] = {"1.0.0": {"optionalDependencies": {"picky": "1"}}}
    workspace = locked(
        npm,
        packages,
        {
            "dev": {"devDependencies": {"tool": "1"}},
            "user": {"dependencies": {"tool": "1"}},
            "peer": {"peerDependencies": {"react": "1"}, "devDependencies": {"react": "1"}},
            "twice": {"dependencies": {"both": "1"}, "devDependencies": {"both": "1"}},
            "picky-user": {"dependencies": {"picky-parent": "1"}},
        },
    )
    paths = ("dev", "peer", "twice", "picky-user")
    ours = [set(close(workspace.lock, path).entries) for path in paths]
    theirs = npm.installs(workspace, paths)
    assert [places - links(path) for path, places in zip(paths, theirs, strict=True)] == [
        links("tool"),
        set(),
        set(),
        links("picky-parent"),
    ]
    assert ours == [
        # What only development needs is not reached, though another package runs on it.
        set(),
        # A name that is a devDependency too is one for npm, and is left out; Node needs it all the same.
        links("react"),
        links("both"),
        # npm leaves an optional package out for the Node that runs npm; a lockfile cannot know that one.
        links("picky", "picky-parent"),
    ]


def test_npm_ci_puts_on_disk_what_the_dry_run_says(npm: Npm) -> None:
    packages: Manifests = {
        "bundler": {"1.0.0": {"dependencies": {"in": "*"}, "bundleDependencies": ["in"]}},
        **dict.fromkeys(("in", "real", "tool"), LEAF),
    }
    manifests = {
        "a": {"dependencies": {"b": "1.0.0", "renamed": "npm:real@1"}, "devDependencies": {"tool": "1"}},
        "b": {"dependencies": {"bundler": "1"}},
    }
    workspace = locked(npm, packages, manifests)
    dry = npm.installs(workspace, ("a",))[0]
    with npm_registry(packages) as registry:
        ci = ["npm", "ci", "--omit=dev", "-w", "a", "--registry", registry, "--replace-registry-host=always"]
        ci += ["--cache", str(npm.directory / "ci"), "--no-audit", "--noproxy=127.0.0.1", "--fetch-retries=0"]
        subprocess.run(ci, cwd=workspace.root, check=True, capture_output=True)
    disk = (workspace.root / "node_modules").rglob("package.json")
    places = {file.parent.relative_to(workspace.root).as_posix() for file in disk}
    assert places | links("a", "b") == dry
    assert set(close(workspace.lock, "a").entries) == places - links("a") | links("b")


def test_a_generated_workspace_is_one_that_npm_takes_as_it_is(npm: Npm, tmp_path: Path) -> None:
    generate(tmp_path / "workspace", packages=9, services=3, entries=120)
    compare(npm, load_workspace(tmp_path / "workspace"), "linux/arm64")


# --- promotion --------------------------------------------------------------------------------------


def promoted(workspace: Workspace, extra: Mapping[str, tuple[str, ...]]) -> Workspace:
    """Write what `make_production` says into the workspace, as rendering does."""
    raw, changes = make_production(workspace.lock, extra)
    (workspace.root / "package-lock.json").write_text(json.dumps(raw))
    for path, fields in changes.items():
        file = workspace.root / path / "package.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | fields))
    return load_workspace(workspace.root)


def test_npm_installs_promoted_packages_with_all_they_need_and_nothing_else(npm: Npm) -> None:
    packages: Manifests = {
        "tsx": {"1.0.0": {"dependencies": {"esbuild": "1", "shared": "1"}}},
        "esbuild": {"1.0.0": {"optionalDependencies": {"esbuild-linux-x64": "1", "esbuild-darwin-x64": "1"}}},
        "esbuild-linux-x64": {"1.0.0": {"os": ["linux"], "cpu": ["x64"]}},
        "esbuild-darwin-x64": {"1.0.0": {"os": ["darwin"], "cpu": ["x64"]}},
        **dict.fromkeys(("shared", "inner", "typescript", "left-out", "root-tool"), LEAF),
        "outer": {"1.0.0": {"dependencies": {"inner": "1"}}},
    }
    manifests = {
        "": {"devDependencies": {"root-tool": "1"}},
        "worker": {"devDependencies": {"tsx": "1", "typescript": "1"}},
        "other": {"devDependencies": {"outer": "1", "left-out": "1"}},
    }
    before = locked(npm, packages, manifests)
    extra = {"worker": ("tsx", "inner", "root-tool", "esbuild-darwin-x64")}
    assert npm.installs(before, ("",)) == [links("worker", "other")]
    after = promoted(before, extra)
    names = ("tsx", "esbuild", "esbuild-linux-x64", "shared", "inner", "root-tool", "worker", "other")
    assert npm.installs(after, ("",)) == [links(*names)]
    reached = close(before.lock, "worker", extra=extra)
    assert set(reached.entries) | links("worker", "other") == links(*names)
    assert make_lockfile(before.lock.raw).entries["node_modules/tsx"].dev, "promotion must not change its input"
