"""What bundlers on command lines make of which source."""

import pytest

from bake.sources.bundles import bundled_sources


@pytest.mark.parametrize(
    ("script", "path", "sources"),
    [
        (
            "esbuild --bundle src/index.node.ts --format=cjs --outfile=dist-node/index.cjs",
            "dist-node/index.cjs",
            ["src/index.node.ts"],
        ),
        ("tsc --noEmit && pnpm esbuild src/a.ts src/b.ts --bundle --outdir=./out", "out/b.js", ["src/b.ts"]),
        ("NODE_ENV=production npx ncc build ./src/server.ts -o build", "build/index.js", ["src/server.ts"]),
        ("bun build src/x.ts --outfile app.js", "app.js", ["src/x.ts"]),
        ("rollup src/x.js --file dist/x.js", "dist/y.js", []),
        ("esbuild dist/x.js --outfile=dist/x.js --allow-overwrite", "dist/x.js", []),
        ("echo src/x.ts --outfile=dist/x.js", "dist/x.js", []),
    ],
)
def test_a_bundlers_command_names_its_source_and_its_output(script: str, path: str, sources: list[str]) -> None:
    assert list(bundled_sources([script], path)) == sources
