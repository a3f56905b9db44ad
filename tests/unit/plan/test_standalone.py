"""A build's complete output instead of a package and its dependencies."""

import json
from pathlib import Path

import pytest

from bake.errors import ConfigError
from bake.render import render
from tests.unit.plan.test_system import load

CONFIG = """\
[services.a]
package = "a"
standalone = ".next/standalone"
command = "node server.js"
[services.b]
package = "b"
"""


def test_its_image_has_no_layer_but_its_own_and_its_build_is_traced_from_the_root(tmp_path: Path) -> None:
    project, plan = load(tmp_path, CONFIG)
    a = next(s for s in plan.services if s.service == "a")
    assert (a.layers, a.groups, a.standalone) == ((), (), True)
    stages = {s.package: s.args for s in plan.builds.stages}
    assert stages == {"a": {"NEXT_PRIVATE_OUTPUT_TRACE_ROOT": "/app"}, "b": {}}
    files = render(project, plan)
    assert json.loads(files["plan/packages/a.json"]) | {"never": []} == {
        "path": "a",
        "standalone": ".next/standalone",
        "tree": True,
        "beside": [".next/static", "public"],
        "never": [],
        "settings": [],
        "key": "services.a.standalone",
    }
    stage = files["Dockerfile"].partition(" AS out-a\n")[2].partition("\nFROM ")[0]
    assert "--mount=type=bind,from=dependencies,source=/app,target=/bake/dependencies" in stage
    assert 'standalone --tree /app --spec /bake/package.json --platform "$TARGETPLATFORM"' in stage


def test_another_folder_stays_at_its_place_and_has_no_framework_s_variable(tmp_path: Path) -> None:
    project, plan = load(tmp_path, CONFIG.replace(".next/standalone", ".output/"))
    spec = json.loads(render(project, plan)["plan/packages/a.json"])
    assert (spec["standalone"], spec["tree"], spec["beside"]) == (".output", False, [])
    assert {name for s in plan.builds.stages for name in s.args} == set()


def test_without_source_maps_every_package_is_told_so(tmp_path: Path) -> None:
    project, plan = load(tmp_path, f"[workspace]\nmaps = false\n{CONFIG}")
    specs = [json.loads(t) for p, t in render(project, plan).items() if p.startswith("plan/packages/")]
    assert [s["maps"] for s in specs] == [False, False]


def test_files_to_serve_are_no_server(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, '[services.a]\npackage = "a"\nstatic = "x"\nstandalone = "y"\n')
    assert caught.value.complaints == ("bake.toml: services.a.standalone: a static service has no server of its own",)
