"""Why a file or a package is in an image, or why not."""

from pathlib import Path

import pytest

from bake.inputs import presence
from bake.plan import Plan, Request, make_plan
from bake.project import Project, load_project
from tests.git_workspace import make_git_workspace

MORE = """
[packages."services/api"]
exclude = ["secret"]
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Plan]:
    shop = make_git_workspace(tmp_path_factory.mktemp("shop"))
    for name in ("services/api/secret/a.txt", "services/api/views/a.html", "data/b.json", "services/api/gen.ts"):
        shop.write(name, "{}")
    shop.write("bake.toml", (shop.root / "bake.toml").read_text() + MORE)
    shop.commit()
    project = load_project(shop.root / "bake.toml", {})
    return project, make_plan(project, Request())


KEY = 'packages."services/api"'
BRINGS = f'{KEY}.dependencies = ["{{}}"] brings it'
LIB = "services/api > node_modules/@shop/lib > packages/lib"
BESIDE = f'in git, beside what its build gets: add "data/b.json" to {KEY}.inputs and {KEY}.outputs'


@pytest.mark.parametrize(
    ("target", "name", "there", "why"),
    [
        ("api", "left", "left 1.0.0", "services/api > node_modules/left"),
        ("api", "deep", "deep 1.0.0", "services/api > node_modules/left > node_modules/deep"),
        ("api", "right", None, f"nothing that services/api needs at run time leads to it; {BRINGS.format('right')}"),
        ("web", "right", None, "a static service has built files and no packages"),
        ("api", "@shop/lib", "packages/lib", LIB),
        ("api", "packages/types", None, f"only the build of services/api needs it; {BRINGS.format('@shop/types')}"),
        ("api", "@shop/web", None, f"nothing that it needs leads to it; {BRINGS.format('@shop/web')}"),
        ("api", "views/a.html", "services/api/views/a.html", "services/api"),
        ("api", "/app/services/api/views", "services/api/views", "services/api"),
        ("api", "packages/lib/package.json", "packages/lib/package.json", LIB),
        ("api", "secret/a.txt", None, f"left out by {KEY}.exclude"),
        ("api", "gen.ts", None, f"left out, as TypeScript that nothing runs: set {KEY}.sources = true"),
        ("api", "services/web/package.json", None, "it is of services/web, which the image does not hold"),
        ("api", "data/b.json", None, BESIDE),
    ],
)
def test_what_is_in_an_image_and_what_is_not_has_a_reason(
    planned: tuple[Project, Plan], target: str, name: str, there: str | None, why: str
) -> None:
    project, plan = planned
    found = presence(project, plan, plan.image(target), name)
    assert (found.there, found.why or " > ".join(found.via)) == (there is not None, why)
    assert there in {None, found.name}


def test_what_a_build_may_write_only_the_built_image_knows(planned: tuple[Project, Plan]) -> None:
    project, plan = planned
    found = presence(project, plan, plan.image("api"), "dist/server.js")
    assert (found.name, found.there) == ("services/api/dist/server.js", None)


def test_what_bake_toml_ignores_is_named_with_its_key(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    shop.write("bake.toml", (shop.root / "bake.toml").read_text() + MORE + 'ignore = ["left"]\n')
    project = load_project(shop.root / "bake.toml", {})
    plan = make_plan(project, Request())
    assert presence(project, plan, plan.image("api"), "left").why == f"{KEY}.ignore leaves it out"
