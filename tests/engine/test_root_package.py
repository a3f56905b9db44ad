"""Images of the workspace's root package, and of a repository without workspaces, as containers."""

import subprocess
from pathlib import Path

import pytest

from tests.engine.conftest import Workspace
from tests.root_app import write_root_app

pytestmark = pytest.mark.engine


def run(project: str, service: str, *command: str) -> str:
    words = ["docker", "run", "--rm", "--read-only", "--network", "none", f"{project}-{service}:t", *command]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path, project_name: str) -> Workspace:
    workspace = Workspace(root=tmp_path / project_name, project=project_name)
    write_root_app(workspace.root, name=project_name, members=request.param == "members")
    workspace.git("init", "--quiet", "--initial-branch", "main")
    workspace.commit()
    return workspace


@pytest.mark.parametrize("shop", ["members"], indirect=True)
def test_a_root_and_a_member_are_images_each_with_what_is_its_own(shop: Workspace) -> None:
    done = shop.bake("all", "--tag", "t", "--verbose")
    assert done.returncode == 0, done.stderr
    assert run(shop.project, "shop") == "hello root\n"
    assert run(shop.project, "worker") == "hello worker\n"
    files = run(shop.project, "shop", "find", "/app", "-not", "-type", "d").split()
    library = ["node_modules/@shop/lib", "packages/lib/dist/index.js", "packages/lib/package.json"]
    own = ["assets/logo.svg", "dist/main.js", "package.json", "packages/README.md", "src/main.js"]
    assert sorted(files) == sorted(f"/app/{f}" for f in (*library, "packages/lib/src/index.js", *own))

    # A file that is new, and another package's edit: the first builds the root again, the second does not.
    shop.write("packages/worker/index.js", "console.log('edited');\n")
    edited = shop.bake("all", "--tag", "t", "--verbose", "--force")
    assert "root package: npm run build [cached]" in edited.stderr
    assert run(shop.project, "worker") == "edited\n"
    shop.write("extra/new.txt", "new\n")
    assert shop.bake("shop", "--tag", "t").returncode == 0
    assert run(shop.project, "shop", "cat", "extra/new.txt") == "new\n"


@pytest.mark.parametrize("shop", ["alone"], indirect=True)
def test_a_repository_without_workspaces_is_one_image(shop: Workspace) -> None:
    (shop.root / "bake.toml").unlink()
    begun = shop.bake("init")
    assert begun.returncode == 0, begun.stderr
    done = shop.bake("all", "--platform", "linux/amd64", "--tag", "t")
    assert done.returncode == 0, done.stderr
    assert run(shop.project, "app") == "hello root\n"
