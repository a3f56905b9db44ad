import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from bake import __version__

pytestmark = pytest.mark.engine  # needs a package registry

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT], check=True)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_every_template_and_the_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = {f"bake/templates/docker/{f.name}" for f in (ROOT / "docker").iterdir() if f.is_file()}
    others = {
        "bake/py.typed",
        "bake/templates/docker-bake.hcl.j2",
        "bake/templates/.github/workflows/images.yml",
    }
    assert templates | others <= names


def test_the_installed_command_works_from_any_directory(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    subprocess.run([tmp_path / "venv/bin/pip", "install", "-q", wheel], check=True)
    example = tmp_path / "shop"
    shutil.copytree(ROOT / "examples/apphub", example, ignore=shutil.ignore_patterns("node_modules", ".bake"))
    bake = tmp_path / "venv/bin/bake"

    def run(*words: str, directory: Path = tmp_path) -> str:
        return subprocess.run([bake, *words], cwd=directory, text=True, check=True, stdout=subprocess.PIPE).stdout

    assert run("--version") == f"bake {__version__}\n"
    assert "catalog-worker" in run("list", directory=example / "services/catalog")
    assert run("-f", str(example / "bake.toml"), "print") == run("print", directory=example)
    run("eject", "-q", directory=example)
    assert (example / ".bake-templates/docker/Dockerfile").is_file()
