"""What bake says an image would have of a folder is what docker/carve takes of it."""

import json
import subprocess
from pathlib import Path

import pytest

from bake.sources import NEVER, keeper, left_out, unneeded

CARVE = Path(__file__).parents[3] / "docker" / "carve" / "main.mjs"
PATHS = (
    ".dockerignore",
    ".env",
    ".env.local",
    ".git/HEAD",
    ".gitignore",
    ".npmrc",
    ".vscode/settings.json",
    "CHANGELOG.md",
    "Dockerfile",
    "README.md",
    "assets/[id].json",
    "assets/data.json",
    "coverage/lcov.info",
    "dist/index.js",
    "dist/index.js.map",
    "dist/index.spec.js",
    "dist/routes/test/index.js",
    "dist/test/index.js",
    "dist/tsconfig.tsbuildinfo",
    "docs/guide.html",
    "knexfile.js",
    "next.config.js",
    "node_modules/zod/index.js",
    "services.compose.yaml",
    "compose.yaml",
    "src/__tests__/index.js",
    "src/index.ts",
    "src/types.d.ts",
    "src/vendor.js",
    "templates/mail.md",
    "tsconfig.build.json",
    "tsconfig.json",
    "vite.config.js",
    "yarn.lock",
)


@pytest.mark.parametrize(
    ("files", "exclude", "sources"),
    [
        (None, (), False),
        (None, (), True),
        (None, ("assets", "**/*.map"), False),
        (("dist/**",), (), False),
        (("{dist,src}/**", "assets/[id].json"), ("dist/*.map",), False),
    ],
)
def test_python_and_carve_choose_the_same_files(
    tmp_path: Path, files: tuple[str, ...] | None, exclude: tuple[str, ...], *, sources: bool
) -> None:
    folder = tmp_path / "tree" / "services" / "x"
    for path in (*PATHS, "package.json"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("{}")
    left = unneeded(PATHS, files=files, sources=sources)
    spec = {
        "path": "services/x",
        "files": files,
        "exclude": exclude,
        "never": NEVER,
        "leaves": left_out(files=files, sources=sources),
        "unneeded": left,
        "settings": [".env"],
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    folders = ["--tree", tmp_path / "tree", "--spec", tmp_path / "spec.json", "--out", tmp_path / "out"]
    subprocess.run([str(word) for word in ("node", CARVE, "package", *folders)], check=True)
    root = tmp_path / "out" / "app" / "services" / "x"
    taken = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    keeps = keeper(files=files, exclude=exclude, others=(), settings=(".env",), sources=sources)
    assert keeps(".env") is (files is None)
    assert {p for p in (*PATHS, "package.json") if keeps(p)} == taken
