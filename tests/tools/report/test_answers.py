"""The page's three answers: what made a build slow, why images are big, what to do next."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.build import Account
from bake.build.account import Before
from bake.commands.report import _naming
from bake.images import Images, measure
from bake.images.blobs import Contents
from bake.inputs import Reason
from bake.plan import Plan, Request, make_plan
from bake.project import Project, load_project
from bake.report import Advice, Big, advise, slowest, weigh
from bake.report.slow import SlowStep
from tests.plant import plant
from tests.unit.images.test_sizes import image, layer
from tests.unit.report.test_summary import ACCOUNT, built, ran

CONFIG = """\
[project]
name = "shop"

[services.api]
package = "services/api"

[services.api.roles.worker]
command = ["tsx", "src/worker.ts"]
"""
MANIFESTS: Mapping[str, Mapping[str, object]] = {
    "": {"name": "shop", "workspaces": ["services/*", "libraries/*"]},
    "services/api": {
        "name": "@shop/api",
        "version": "1.0.0",
        "scripts": {"build": "tsc"},
        "dependencies": {"@shop/idle": "*", "@shop/used": "*", "heavy": "^1.0.0", "light": "^1.0.0", "tsx": "^4.0.0"},
    },
    "libraries/idle": {"name": "@shop/idle", "version": "1.0.0", "scripts": {"build": "tsc"}, "main": "x.js"},
    "libraries/used": {"name": "@shop/used", "version": "1.0.0", "scripts": {"build": "tsc"}, "main": "x.js"},
}
ENTRIES: Mapping[str, Mapping[str, object]] = {
    "node_modules/heavy": {"version": "1.0.0", "dependencies": {"common": "^1.0.0", "deep": "^1.0.0"}},
    "node_modules/light": {"version": "1.0.0", "dependencies": {"common": "^2.0.0"}},
    "node_modules/deep": {"version": "1.0.0"},
    "node_modules/common": {"version": "1.0.0"},
    "node_modules/light/node_modules/common": {"version": "2.0.0"},
    "node_modules/tsx": {"version": "4.0.0", "bin": {"tsx": "cli.mjs"}, "dependencies": {"esbuild": "^1.0.0"}},
    "node_modules/esbuild": {"version": "1.0.0"},
}
HELD = {
    "node_modules/heavy": 700_000,
    "node_modules/deep": 800_000,
    "node_modules/common": 300_000,
    "node_modules/light": 2_000_000,
    "node_modules/light/node_modules/common": 400_000,
    "node_modules/tsx": 500_000,
    "node_modules/esbuild": 9_000_000,
    "services/api": 10_000,
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A workspace of which only the lockfile tells what is installed."""
    packages = {
        **MANIFESTS,
        **{f"node_modules/{m['name']}": {"resolved": p, "link": True} for p, m in MANIFESTS.items() if p},
        **ENTRIES,
    }
    lock = {"name": "shop", "lockfileVersion": 3, "packages": packages}
    files: dict[str, object] = {"package-lock.json": lock, "bake.toml": CONFIG}
    files |= {f"{path}/package.json".lstrip("/"): manifest for path, manifest in MANIFESTS.items()}
    files["services/api/src/worker.ts"] = 'import { light } from "light"; import "@shop/used"; light();\n'
    plant(tmp_path, files)
    return load_project(tmp_path / "bake.toml", {})


@pytest.fixture
def plan(project: Project) -> Plan:
    return make_plan(project, Request())


LINKS = {"node_modules/@shop/used": 0, "node_modules/.pnpm/node_modules/light": 0}


def weighed(project: Project, plan: Plan) -> tuple[Big, ...]:
    base, packages = layer("base", 100, "base"), layer("packages", 50)
    contents = {
        "sha256:base": Contents(unpacked=300, files=9),
        "sha256:packages": Contents(unpacked=sum(HELD.values()) + 5, files=9, holders=HELD | LINKS),
    }
    stored = tuple(image(i.target, base, packages) for i in plan.images)
    services = {i.target: i.service for i in plan.images}
    images = Images(stored=stored, contents=contents)
    return weigh(plan, images, measure(stored, services, contents), project.workspace.lock)


def test_what_is_in_images_goes_by_the_dependency_that_a_person_declared(project: Project, plan: Plan) -> None:
    (big,) = weighed(project, plan)
    assert (big.service, big.images, big.size.above.stored) == ("api", ("api-worker",), 50)
    assert [(b.name, b.by, b.bytes) for b in big.brought] == [
        ("tsx", "services/api", 9_500_000),
        ("light", "services/api", 2_400_000),
        ("heavy", "services/api", 1_800_000),
        ("services/api", "", 10_000),
        ("other files", "", 5),
    ]
    assert not {h.path for h in big.held} & LINKS.keys()
    assert [h.path for h in big.brought[2].held] == ["node_modules/deep", "node_modules/heavy", "node_modules/common"]


def account(**changes: object) -> Account:
    steps = (
        ran("build-libraries-idle", 0.0, 3.0, title="libraries/idle: npm run build"),
        ran("build-libraries-used", 0.0, 2.0, title="libraries/used: npm run build"),
        ran("install", 0.0, 40.0, title="scripts: x (arm64)"),
        ran("install", 0.0, 5.0, title="scripts: x (amd64)"),
    )
    one = dataclasses.replace(ACCOUNT, images=(built("api-worker"),), steps=steps)
    return dataclasses.replace(one, **changes)  # type: ignore[arg-type]


def test_advice_is_of_what_would_go_and_of_what_nothing_names(project: Project, plan: Plan) -> None:
    assert advise(project, plan, account(), weighed(project, plan), _naming(project)) == (
        Advice(
            what="tsx brings 9.5 MB (esbuild 9.0 MB) into api-worker, for `tsx src/worker.ts` of api-worker",
            remedy="compile what it runs with the package's build and start that with `node`; "
            "`bake inspect api-worker tsx` shows what brings it",
        ),
        Advice(
            what="heavy brings 1.8 MB (deep 800.0 kB) into api-worker, and of services/api only package.json names it",
            remedy="if nothing loads it, move it to devDependencies in services/api/package.json",
        ),
        Advice(
            what="libraries/idle took 3.0 s to compile, and of services/api only package.json names it",
            remedy="if nothing reads it, take @shop/idle out of services/api/package.json",
        ),
        Advice(
            what="common is in api-worker as 1.0.0 and 2.0.0: 300.0 kB more than once",
            remedy="`npm ls common` shows who asks for which; let them agree where they can",
        ),
        Advice(
            what="scripts: x (arm64) took 40.0 s, and 5.0 s for the other platform",
            remedy="if it is emulated, a builder with a node of arm64 runs it at its own speed: `bake builder status`",
        ),
    )


def test_there_is_no_advice_about_what_something_names(project: Project, plan: Plan) -> None:
    assert all(
        "only package.json" not in a.what
        for a in advise(project, plan, account(), weighed(project, plan), lambda _path, _name: True)
    )
    cached = account(steps=(ran("build-libraries-idle", 0.0, 3.0, cached=True),))
    assert not [a for a in advise(project, plan, cached, (), _naming(project)) if "compile" in a.what]


def test_the_slowest_steps_have_the_nearest_reason_and_the_seconds_of_the_build_before(plan: Plan) -> None:
    before = Before(seconds=9.0, steps={"libraries/idle: npm run build": 2.5})
    reasons = {
        "api-worker": (
            Reason(kind="source", what="libraries/used/x.ts", via=("services/api", "libraries/used")),
            Reason(kind="source", what="libraries/used/y.ts", via=("services/api", "libraries/used")),
        )
    }
    assert slowest(account(before=before), plan, reasons) == (
        SlowStep(title="scripts: x (arm64)", seconds=40.0, reason="libraries/used/x.ts (and 1 more)", before=None),
        SlowStep(title="scripts: x (amd64)", seconds=5.0, reason="libraries/used/x.ts (and 1 more)", before=None),
        SlowStep(
            title="libraries/idle: npm run build",
            seconds=3.0,
            reason="nothing that bake follows: no cache had it, or none was asked",
            before=2.5,
        ),
        SlowStep(
            title="libraries/used: npm run build",
            seconds=2.0,
            reason="libraries/used/x.ts (and 1 more)",
            before=None,
        ),
    )
    assert {s.reason for s in slowest(account(), plan, None)} == {""}


def test_a_step_is_known_again_when_builds_are_of_one_platform_and_of_several(plan: Plan) -> None:
    ran_now = (ran("install", 0.0, 4.0, title="x"),)
    several = Before(seconds=9.0, steps={"x (amd64)": 3.0, "x (arm64)": 7.0})
    one = account(steps=ran_now, platforms=("linux/amd64",), before=several)
    assert [s.before for s in slowest(one, plan, None)] == [3.0]
    both = account(before=Before(seconds=9.0, steps={"scripts: x": 2.0}))
    assert [s.before for s in slowest(both, plan, None)] == [2.0, 2.0, None, None]
