from pathlib import Path

import pytest

from bake.build.hints import NOTHING, Failed, install_remedy, remedy
from bake.plan import Stage
from bake.workspace import load_workspace
from tests.shop import write_workspace

STAGE = Stage(
    package="services/api",
    name="build-services-api",
    parts=(),
    needs=("packages/shared",),
    script="build",
    args={},
    inputs=("proto",),
    outputs=(),
)
FILES = {
    "branding/strings.json",
    "services/web/theme.css",
    "services/api/x.ts",
    "packages/shared/y.ts",
    "proto/a.proto",
    "services/api/src/generated/client.ts",
    "services/api/seed/a.sql",
}
BRANDING = (
    "it reads branding/strings.json outside its folder: add the file, or the folder of it, to "
    'packages."services/api".inputs'
)


def hinted(root: Path, *lines: str) -> str:
    write_workspace(root)
    workspace = load_workspace(root)
    failed = Failed(
        workspace=workspace,
        stage=STAGE,
        root_files=("tsconfig.json",),
        exists=FILES.__contains__,
        in_clone=lambda path: "generated" not in path,
        kept=lambda path: "workspace.ignore keeps it" if path.endswith(".sql") else "",
    )
    return remedy(failed, ["> build", *"\n".join(lines).split("\n"), "npm error code 1"])


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
def test_a_package_that_a_build_misses_is_named_with_its_key(tmp_path: Path, line: str, wanted: str) -> None:
    assert hinted(tmp_path, line) == (
        f'it needs {wanted}: declare it in services/api/package.json, or add it to packages."services/api".needs'
    )


def test_a_package_that_is_declared_and_there_is_not_to_be_declared(tmp_path: Path) -> None:
    said = "src/a.ts(1,1): error TS2307: Cannot find module 'express' or its corresponding type declarations."
    assert "declare it" not in hinted(tmp_path, said)


@pytest.mark.parametrize(
    ("line", "way_out"),
    [
        (
            "src/a.ts(1,7): error TS2307: Cannot find module '../../../branding/strings.json' or its types.",
            BRANDING,
        ),
        ("src/a.ts:1:7 - error TS2307: Cannot find module '../../../branding/strings'", BRANDING),
        (
            "Error: Cannot find module '../../branding/strings.json'\nRequire stack:\n- /app/services/api/build.js",
            BRANDING,
        ),
        (
            "Module not found: Error: Can't resolve '../../../branding/strings.json' in '/app/services/api/src'",
            BRANDING,
        ),
        ('✘ [ERROR] Could not resolve "../../../branding/strings.json"\n\n    src/a.ts:1:7:', BRANDING),
        ("Error: ENOENT: no such file or directory, open '../../branding/strings.json'", BRANDING),
        (
            "src/a.ts(1,7): error TS2307: Cannot find module './generated/client'",
            "it reads services/api/src/generated/client.ts, which git ignores, and builds get what a clone has: track "
            "it, or let a script before make it",
        ),
        (
            "Error: ENOENT: no such file or directory, scandir 'seed/a.sql'",
            "it reads services/api/seed/a.sql: workspace.ignore keeps it",
        ),
        (
            "[!] Error: ENOENT: no such file or directory, open '/app/branding/strings.json'",
            "it reads branding/strings.json outside its folder: add the file, or the folder of it, to "
            'packages."services/api".inputs',
        ),
        (
            "Module not found: Error: Can't resolve '/app/services/web/theme.css'",
            'it reads services/web/theme.css: add @shop/web to packages."services/api".needs',
        ),
        (
            "src/db.ts(1,10): error TS2305: Module '\"@prisma/client\"' has no exported member 'PrismaClient'.",
            "Prisma's client is not generated: let the package with the schema run `prisma generate` in its build, "
            'with outputs = ["node_modules/.prisma"]',
        ),
        *(
            (
                line,
                "it calls vite: declare what brings it in services/api/package.json, or set "
                'packages."services/api".build = false',
            )
            for line in ("sh: 1: vite: not found", "vite: not found", "sh: vite: command not found")
        ),
    ],
)
def test_a_file_that_the_workspace_has_and_the_stage_has_not_is_named_with_its_key(
    tmp_path: Path, line: str, way_out: str
) -> None:
    assert hinted(tmp_path, line) == way_out


@pytest.mark.parametrize(
    "line",
    [
        "src/a.ts(1,1): error TS2322: Type 'x'.",
        "Cannot find module './local'",
        "Cannot find module '../../branding/strings.json'",  # nobody says from where
        "src/a.ts(1,7): error TS2307: Cannot find module '../../../nowhere.json'",
        "Cannot find module '@w/unknown'",
        "Cannot find module '@shop/api/dist/own.js'",
        "ENOENT: no such file or directory, open '/app/services/api/x.ts'",
        "ENOENT: no such file or directory, open '/app/packages/shared/y.ts'",
        "ENOENT: no such file or directory, open '/app/proto/a.proto'",
        "ENOENT: no such file or directory, open '/app/nowhere.json'",
        "ENOENT: no such file or directory, open '/app/node_modules/left-pad/index.js'",
        "building /app/branding/strings.json",
    ],
)
def test_anything_else_is_for_the_compilers_lines_to_say(tmp_path: Path, line: str) -> None:
    assert hinted(tmp_path, line) == NOTHING


@pytest.mark.parametrize(
    ("line", "way_out"),
    [
        (
            "gyp ERR! find Python Python is not set from environment variable PYTHON",
            "base.build lacks Python or a compiler for an install script: name an image with both, such as node:24, "
            "and not its slim variant",
        ),
        (
            "gyp info find Python using Python version 3.11.2\n/bin/sh: pkg-config: not found",
            "an install script needs a library of the system, which base.build lacks: give an image of your own that "
            "has its headers and pkg-config",
        ),
        (
            "Error: getaddrinfo ENOTFOUND binaries.prisma.sh",
            "the build does not reach the host (binaries.prisma.sh): see .npmrc, and the engine's network and proxy "
            "settings",
        ),
        (
            "npm error 404 Not Found - GET https://npm.example/a/-/a-1.0.0.tgz",
            "the npm registry has no such package (https://npm.example/a/-/a-1.0.0.tgz), or shows it after a login: "
            "see .npmrc, and [secrets.npmrc] in bake.toml",
        ),
        ("npm error code EINTEGRITY", "the registry's bytes are not those of the lockfile: find out which are right"),
        ("npm error code 1", "its output is above"),
    ],
)
def test_a_failed_install_is_told_what_it_lacked(line: str, way_out: str) -> None:
    assert install_remedy(["> install", line, "npm error A complete log of this run can be found"]) == way_out


@pytest.mark.parametrize(
    "line", ["fatal: not a git repository (or any of the parent directories): .git", "Error: spawnSync git ENOENT"]
)
def test_a_build_that_asks_git_is_told_the_argument(tmp_path: Path, line: str) -> None:
    assert hinted(tmp_path, line) == (
        "it asks git, and a build has no repository: hand over what it asks for, as "
        'packages."services/api".args.GIT_SHA = "{sha}" ({branch} and {version} too), and let it read that '
        "variable first"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("git@git.acme.example: Permission denied (publickey).", "[secrets.git] with ssh = true"),
        ("npm error command git --no-replace-objects ls-remote ssh://git@g.example/x.git", "[secrets.git]"),
        ("npm error syscall spawn git", "base.build lacks git"),
        (
            "ssh: Could not resolve hostname git.acme.example: Name or service",
            "does not reach the host (git.acme.example)",
        ),
    ],
)
def test_an_install_that_git_fails_says_what_git_lacks(line: str, said: str) -> None:
    assert said in install_remedy([line])
