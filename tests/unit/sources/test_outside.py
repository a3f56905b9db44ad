"""What packages read outside their folders: inputs of their builds that nobody has to write down."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.sources import Outside

MEMBERS = (("root", ""), ("api", "apps/api"), ("web", "apps/web"), ("lib", "packages/lib"))


def outside(root: Path, files: Mapping[str, str], *, package: str = "apps/api", ignored: str = "ignored") -> list[str]:
    for _, path in MEMBERS:
        (root / path).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return list(Outside(root, MEMBERS, lambda path: ignored not in path).load(package))


SHARED = {"shared/name.ts": "export const name = 1;", "shared/deep/more.ts": "", "LICENSE": "", "proto/a.proto": ""}


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("src/main.ts", "import { name } from '../../../shared/name';", ["shared/name.ts"]),
        ("src/main.ts", "import { name } from '../../../shared/name.js';", ["shared/name.ts"]),
        ("src/main.ts", "join(__dirname, '..', '..', '..', 'proto', 'a.proto')", ["proto/a.proto"]),
        ("src/main.ts", "const root = join(__dirname, '../../..'); load(join(root, 'proto'))", ["proto"]),
        ("src/main.ts", "const up = ['..', '..', '..']; load(join(base, 'proto', 'a.proto'))", ["proto/a.proto"]),
        ("package.json", '{"scripts": {"build": "tsc && cp ../../LICENSE dist/"}}', ["LICENSE"]),
        ("build.sh", "cp -r ../../proto dist", ["proto"]),
        ("tsconfig.json", '{"include": ["src", "../../shared/**/*"]}', ["shared"]),
        ("vite.config.ts", "alias: { '@': resolve(__dirname, '../../shared/deep') }", ["shared/deep"]),
        ("src/main.ts", "import '../../../gone/x'; import '../..'; import '../../web'", []),
        ("src/main.ts", "import '../../../../../../etc/passwd'; import '../../../node_modules/x/y'", []),
    ],
)
def test_a_path_that_leads_out_is_found_where_its_file_is(
    tmp_path: Path, file: str, text: str, found: list[str]
) -> None:
    assert outside(tmp_path, SHARED | {f"apps/api/{file}": text}) == found


def test_what_is_found_is_followed(tmp_path: Path) -> None:
    files = {
        "apps/api/src/main.ts": "import '../../../shared/a'",
        "shared/a.ts": "import './b'; import '../other/c.json'",
        "shared/b.ts": "",
        "shared/unused.ts": "",
        "other/c.json": "{}",
    }
    assert outside(tmp_path, files) == ["other/c.json", "shared/a.ts", "shared/b.ts"]


def test_aliases_of_typescript_lead_out_too(tmp_path: Path) -> None:
    files = SHARED | {
        "tsconfig.base.json": '{"compilerOptions": {"baseUrl": ".", "paths": {"@deep/*": ["shared/deep/*"]}}}',
        "apps/api/tsconfig.json": '{"extends": "../../tsconfig.base.json"}',
        "apps/api/src/main.ts": "import '@deep/more'; import 'shared/name'; import '@deep/gone'",
        "apps/web/src/main.ts": "",
    }
    assert outside(tmp_path, files) == ["shared/deep/more.ts", "shared/name.ts", "tsconfig.base.json"]
    assert outside(tmp_path, {}, package="apps/web") == []


def test_a_link_brings_what_it_leads_to_but_nothing_outside_the_workspace(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/key").write_text("", encoding="utf-8")
    outside(root, SHARED)
    (root / "apps/api/shared").symlink_to("../../shared")
    (root / "apps/api/secrets").symlink_to(tmp_path / "secrets")
    (root / "apps/api/dangling").symlink_to("../../gone")
    assert outside(root, {"apps/api/x.ts": "import '../../secrets/key'"}) == ["shared"]


def test_files_of_another_package_are_found_but_neither_all_of_it_nor_what_no_clone_has(tmp_path: Path) -> None:
    files = {
        "apps/api/x.ts": "import '../../packages/lib'; '../../packages/lib/schema.json'",
        "apps/api/y.ts": "'../../packages'; '../web/ignored'",
        "packages/lib/schema.json": "{}",
        "apps/web/ignored": "",
    }
    assert outside(tmp_path, files) == ["packages/lib/schema.json"]


def test_settings_of_a_package_manager_name_files_that_an_install_reads(tmp_path: Path) -> None:
    files = {".pnpmfile.cjs": "require('./tools/pins.json')", "tools/pins.json": "{}", "tools/more.json": "{}"}
    outside(tmp_path, files)
    found = Outside(tmp_path, MEMBERS, lambda _: True).named_by((".pnpmfile.cjs",))
    assert found == (".pnpmfile.cjs", "tools/pins.json")


def test_what_a_proto_file_imports_comes_with_it(tmp_path: Path) -> None:
    files = {
        "apps/api/src/main.js": "load('../../proto/a.proto')",
        "proto/a.proto": 'import "b/b.proto";\nimport public "gone.proto";',
        "proto/b/b.proto": 'import "proto/c.proto";',
        "proto/c.proto": "",
        "proto/other.proto": "",
    }
    assert outside(tmp_path, files) == ["proto/a.proto", "proto/b/b.proto", "proto/c.proto"]
