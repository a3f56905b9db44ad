from pathlib import Path

import pytest

from bake.hints import remedy
from bake.workspace import load_workspace
from tests.shop import write_workspace

NOTHING = "the compiler's lines are above"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("src/a.ts(1,1): error TS2307: Cannot find module 'ms' or its corresponding type declarations.", "ms"),
        ("Error: Cannot find module '@shop/web/dist/x.js'", "@shop/web"),
        ("error TS2688: Cannot find type definition file for 'express'.", "@types/express"),
        ('[vite]: Rollup failed to resolve import "ms/sub" from "src/a.ts".', "ms"),
        ('✘ [ERROR] Could not resolve "ms"', "ms"),
        ("Module not found: Error: Can't resolve 'ms' in '/app/services/api/src'", "ms"),
        ("sh: 1: mkdirp: not found", "mkdirp"),
        ("bash: line 1: mkdirp: command not found", "mkdirp"),
    ],
)
def test_what_a_build_misses_is_named_with_its_key(tmp_path: Path, line: str, wanted: str) -> None:
    write_workspace(tmp_path)
    assert remedy(load_workspace(tmp_path), "services/api", ["tsc", line]) == (
        f'it needs {wanted}: declare it in services/api/package.json, or add it to packages."services/api".needs'
    )


def test_a_file_outside_the_folder_is_an_input(tmp_path: Path) -> None:
    write_workspace(tmp_path)
    assert remedy(load_workspace(tmp_path), "services/api", ["Cannot find module '../../shared/x'"]) == (
        'it reads ../../shared/x outside its folder: add the file to packages."services/api".inputs'
    )


@pytest.mark.parametrize(
    "line", ["error TS2322: Type 'x'", "Cannot find module './local'", "Cannot find module 'nobody-has-this'"]
)
def test_other_failures_are_left_to_the_compilers_lines(tmp_path: Path, line: str) -> None:
    write_workspace(tmp_path)
    assert remedy(load_workspace(tmp_path), "services/api", [line]) == NOTHING
