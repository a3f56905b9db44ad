import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from bake.sources import command_binaries, command_needs
from bake.sources.needs import Needs
from bake.workspace import Workspace, load_workspace

LOCK: dict[str, dict[str, Any]] = {
    "node_modules/tsx": {"version": "4.0.0", "bin": {"tsx": "dist/cli.mjs"}, "dev": True},
    "node_modules/typescript": {"version": "5.0.0", "bin": {"tsc": "bin/tsc", "tsserver": "bin/tsserver"}},
    "node_modules/@c/forks": {"version": "1.0.0", "bin": {"tsc": "x"}},
    "node_modules/cross-env": {"version": "1.0.0", "bin": {"cross-env": "x"}},
    "node_modules/nodemon": {"version": "1.0.0", "bin": {"nodemon": "x"}},
    "node_modules/ts-node": {"version": "1.0.0", "bin": {"ts-node": "x"}},
    "node_modules/quiet": {"version": "1.0.0"},
    "node_modules/which": {"version": "1.0.0", "bin": {"which": "x"}},
    "services/a/node_modules/prisma": {"version": "1.0.0", "bin": {"prisma": "x", "tsc": "y"}},
    "services/b/node_modules/only-b": {"version": "1.0.0", "bin": {"only-b": "x"}},
    "node_modules/tsx/node_modules/esbuild": {"version": "1.0.0", "bin": {"esbuild": "x"}},
    "node_modules/@w/b": {"resolved": "services/b", "link": True},
}
SCRIPTS = {
    "start": "node dist/server.js",
    "prestart": "prisma migrate deploy",
    "worker": "NODE_OPTIONS='--import tsx' node src/worker.ts",
    "loop": "npm run loop",
    "both": "npm run worker && npm run -w @w/b start",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("w")
    members = {
        "services/a": {"name": "@w/a", "version": "1.0.0", "scripts": SCRIPTS, "bin": {"own": "own.js"}},
        "services/b": {
            "name": "@w/b",
            "version": "1.0.0",
            "scripts": {"start": "only-b"},
            "bin": {"b": "b.js"},
            "dependencies": {"@c/forks": "1"},
        },
    }
    top = {"name": "w", "workspaces": ["services/*"]}
    for path, manifest in {"": top, **members}.items():
        (root / path).mkdir(parents=True, exist_ok=True)
        (root / path / "package.json").write_text(json.dumps(manifest))
    lock = {"lockfileVersion": 3, "packages": {"": top, **members, **LOCK}}
    (root / "package-lock.json").write_text(json.dumps(lock))
    return load_workspace(root)


@pytest.mark.parametrize(
    ("command", "packages"),
    [
        ("node dist/server.js", ""),
        ("/usr/local/bin/node dist/server.js", ""),
        ("tsx src/worker.ts", "tsx"),
        ("tsx watch --tsconfig tsconfig.json src/worker.ts", "tsx"),
        ("./node_modules/.bin/tsx src/worker.ts", "tsx"),
        ("/app/node_modules/.bin/tsx src/worker.ts", "tsx"),
        ("node node_modules/tsx/dist/cli.mjs src/worker.ts", "tsx"),
        ("node ../../node_modules/@c/forks/x.js", "@c/forks"),
        ("node --import tsx src/worker.ts", "tsx"),
        ("node --import=tsx/esm src/worker.ts", "tsx"),
        ("node -r ts-node/register -r @c/forks/x src/worker.ts", "@c/forks ts-node"),
        ("node --loader ts-node/esm src/worker.ts", "ts-node"),
        ("node -r ./boot.js --import node:test dist/x.js", ""),
        ("node dist/server.js -r quiet", ""),
        ("env A=1 NODE_OPTIONS='-r ts-node/register --enable-source-maps' node x.js", "ts-node"),
        ("env -i -S 'tsx x.ts'", "tsx"),
        ("tini -- tsx src/worker.ts", "tsx"),
        ("/usr/bin/tini -g -- node --import tsx src/worker.ts", "tsx"),
        ("dumb-init --rewrite 15:3 tsx x.ts", "tsx"),
        ("cross-env A=1 tsx x.ts", "cross-env tsx"),
        ("nodemon --exec 'tsx x.ts'", "nodemon tsx"),
        ("sh -c 'prisma migrate deploy && exec node dist/server.js'", "prisma"),
        ("/bin/sh -ec 'tsx x.ts > log 2>&1; echo done | cat'", "tsx"),
        ("bash -c 'if [ -f x ]; then tsx x.ts; fi & wait $!'", "tsx"),
        ("sh -c '$COMMAND'", ""),
        ("sh run.sh tsx", ""),
        ("sh -c 'tsx \"unbalanced'", ""),
        ("npm start", "prisma"),
        ("npm run worker --silent", "tsx"),
        ("npm run loop", ""),
        ("npm run both", "only-b tsx"),
        ("npm --workspace services/b start", "only-b"),
        ("npm exec -- tsx x.ts", "tsx"),
        ("npx tsx@4 x.ts", "tsx"),
        ("npx --yes -p typescript tsserver", "typescript"),
        ("npx quiet", "quiet"),
        ("npx -c 'tsx x.ts'", "tsx"),
        ("yarn worker", "tsx"),
        ("pnpm tsx x.ts", "tsx"),
        ("node --run worker", "tsx"),
        ("own --flag", ""),
        ("b", "@w/b"),
        ("which node", ""),
        ("", ""),
    ],
)
def test_a_command_names_the_dependencies_it_needs(workspace: Workspace, command: str, packages: str) -> None:
    assert command_binaries(workspace, "services/a", shlex.split(command)) == tuple(packages.split())
    assert command_needs(workspace, "services/a", shlex.split(command)).unknown == ()


@pytest.mark.parametrize(
    ("command", "unknown"),
    [
        (("serve", "dist"), ("serve",)),
        (("only-b",), ("only-b",)),
        (("esbuild",), ("esbuild",)),
        (("npm", "run", "missing"), ("npm run missing",)),
        (("npx", "missing"), ("missing",)),
        (("sh", "-c", "missing; tsx x.ts"), ("missing",)),
    ],
)
def test_a_binary_that_nothing_provides_is_unknown(
    workspace: Workspace, command: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    assert command_needs(workspace, "services/a", command).unknown == unknown


def test_the_nearest_provider_of_a_binary_wins_then_a_declared_one(workspace: Workspace) -> None:
    assert command_binaries(workspace, "services/a", ("tsc",)) == ("prisma",)
    assert command_binaries(workspace, "services/b", ("tsc",)) == ("@c/forks",)
    assert command_binaries(workspace, "", ("tsserver",)) == ("typescript",)


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("node dist/server.js src/x.js", "dist/server.js"),
        ("node dist/server", "dist/server.js"),
        ("node ./dist/server.js", "dist/server.js"),
        ("node --enable-source-maps -r ./boot.cjs dist/server.mjs", "boot.cjs dist/server.mjs"),
        ("tini -- tsx src/worker.ts", "src/worker.ts"),
        ("npm start", "dist/server.js"),
        ("npm run worker", "src/worker.ts"),
        ("node -e 0", ""),
        ("node /srv/serve.mjs dist", ""),
        ("node ../b/x.js", ""),
        ("bin/run.mjs", "bin/run.mjs"),
        ("sh -c 'node a.js && cd dist && exec node server.js'", "a.js"),
        ("npm run worker --prefix ../b", ""),
        ("npm run worker -w services/a", "src/worker.ts"),
    ],
)
def test_a_command_names_the_files_it_starts(workspace: Workspace, command: str, files: str) -> None:
    assert command_needs(workspace, "services/a", shlex.split(command)).files == tuple(files.split())


def test_a_package_manager_that_has_to_be_in_the_image_is_named(workspace: Workspace) -> None:
    assert command_needs(workspace, "services/a", ("npm", "start")).tools == ("npm",)
    assert command_needs(workspace, "services/a", ("npx", "tsx", "x.ts")) == Needs(
        packages=("tsx",), tools=("npx",), files=("x.ts",)
    )


def test_a_start_script_that_is_not_there_is_server_js(workspace: Workspace) -> None:
    assert command_needs(workspace, "", ("npm", "start")).files == ("server.js",)


def test_the_commands_of_the_example_need_what_they_say() -> None:
    example = load_workspace(Path(__file__).parents[3] / "examples" / "apphub")

    assert command_binaries(example, "services/catalog", ("tsx", "src/worker.ts")) == ("tsx",)


@pytest.mark.parametrize(
    ("command", "packages", "unknown"),
    [
        ("react-router-serve build/index.js", ("@react-router/serve",), ()),
        ("remix-serve build/index.js", ("@remix-run/serve",), ()),
        ("nest start", ("@nestjs/cli",), ()),
        ("tsc --watch", ("typescript",), ()),
        ("ms-serve", (), ("ms-serve",)),
    ],
)
def test_commands_that_a_pnpm_lockfile_does_not_name_are_those_of_packages_called_so(
    tmp_path: Path, command: str, packages: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    names = ("@react-router/serve", "@remix-run/serve", "@nestjs/cli", "typescript", "ms")
    (tmp_path / "a").mkdir()
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "pnpm-workspace.yaml").write_text("packages: [a]")
    (tmp_path / "a/package.json").write_text(json.dumps({"name": "a", "dependencies": dict.fromkeys(names, "1.0.0")}))
    given = {name: {"specifier": "1.0.0", "version": "1.0.0"} for name in names}
    held = {f"{name}@1.0.0": {"hasBin": name != "ms"} for name in names}
    lock = {"lockfileVersion": "9.0", "importers": {"a": {"dependencies": given}}, "packages": held}
    (tmp_path / "pnpm-lock.yaml").write_text(json.dumps({**lock, "snapshots": {key: {} for key in held}}))
    found = command_needs(load_workspace(tmp_path), "a", command.split())
    assert (found.packages, found.unknown) == (packages, unknown)
    assert found.files == (("build/index.js",) if "build/index.js" in command else ())


@pytest.mark.parametrize(
    "command",
    ["node --conditions=production -C x dist/main.js", "env NODE_OPTIONS='-C production -C x' node dist/main.js"],
)
def test_conditions_of_exports_are_told(workspace: Workspace, command: str) -> None:
    needs = command_needs(workspace, "services/a", tuple(shlex.split(command)))
    assert (needs.conditions, needs.files) == (("production", "x"), ("dist/main.js",))
