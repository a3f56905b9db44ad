"""The compose file of a fleet, read back as YAML."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bake.compose import host_ports, render_compose
from bake.errors import ConfigError
from bake.plan import Plan, Request, make_plan
from bake.project import Project, load_project
from tests.unit.plan import test_own_bases as own_bases

EXAMPLE = Path(__file__).parents[3] / "examples" / "apphub"


@pytest.fixture(scope="module")
def services(example_project: Project, example_plan: Plan) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(render_compose(example_project, example_plan))["services"]
    return found


def watched(service: dict[str, Any]) -> list[str]:
    return [rule["path"] for rule in service["develop"]["watch"]]


def test_each_process_is_a_service_built_by_bakes_own_dockerfile(
    services: dict[str, dict[str, Any]], example_plan: Plan
) -> None:
    assert list(services) == [i.target for i in example_plan.images]
    assert services["metastore"]["image"] == "apphub-metastore:dev"
    assert {service["pull_policy"] for service in services.values()} == {"build"}
    build = services["metastore"]["build"]
    assert (build["context"], build["dockerfile"], build["target"]) == ("..", ".bake/Dockerfile", "image-metastore")
    assert build["additional_contexts"] == {n: f"./{n}" for n in ("manifests", "plan", "tools")}


def test_an_edit_rebuilds_the_images_that_are_built_from_its_package_and_no_other(
    services: dict[str, dict[str, Any]],
) -> None:
    shared = ["../package.json", "../packages/shared", "../tsconfig.base.json", "../tsconfig.json"]
    assert watched(services["metastore"]) == sorted([*shared, "../services/metastore"])
    everybody = {name for name, service in services.items() if "../packages/shared" in watched(service)}
    assert {"catalog-api", "catalog-worker", "metastore"} <= everybody
    assert "cli" not in everybody
    assert "../services/catalog" not in watched(services["filestore-api"])


def test_what_a_build_writes_starts_no_other_build(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        for rule in service["develop"]["watch"]:
            assert {"**/node_modules", "**/dist"} <= set(rule["ignore"])


def test_what_git_ignores_in_one_place_is_watched_in_others(example_project: Project, example_plan: Plan) -> None:
    project = replace(example_project, ignored=("config", "services/catalog/tmp/", "services/*/a", "**/dist"))
    rules = yaml.safe_load(render_compose(project, example_plan))["services"]["catalog-api"]["develop"]["watch"]
    ignored = {rule["path"]: {*rule["ignore"]} - {"**/node_modules", "**/.git", "**/.bake"} for rule in rules}
    assert ignored["../services/catalog"] == {"tmp", "a", "**/dist"}
    assert ignored["../packages/shared"] == {"**/dist"}


def test_compose_puts_no_variables_into_values(example_project: Project, example_plan: Plan) -> None:
    smoke = replace(example_project.config.smoke, env={"PASSWORD": "a$b${C}", "$D": ""})
    project = replace(example_project, config=replace(example_project.config, smoke=smoke))
    found = yaml.safe_load(render_compose(project, example_plan))["services"]["cli"]
    assert found["environment"] == {"PASSWORD": "a$$b$${C}", "$D": ""}


def test_a_base_of_ones_own_is_built_for_the_images_on_it(tmp_path: Path) -> None:
    services = yaml.safe_load(render_compose(*own_bases.planned(tmp_path)))["services"]
    assert services["_base-media"] == {
        "image": "w-base-media:dev",
        "pull_policy": "build",
        "scale": 0,
        "build": {"context": "..", "dockerfile": "docker/media.Dockerfile", "args": {"BASE": "node:24-alpine"}},
    }
    assert services["a"]["build"]["additional_contexts"]["base-media"] == "service:_base-media"
    assert "base-media" not in services["b"]["build"]["additional_contexts"]
    read = {"../assets", "../docker/fonts", "../docker/media.Dockerfile", "../docker/src"}
    assert (read - {*watched(services["a"])}, read & {*watched(services["b"])}) == (set(), set())


def test_an_init_ends_what_has_no_handler_for_sigterm(services: dict[str, dict[str, Any]]) -> None:
    assert all(service["init"] is True for service in services.values())


def test_without_an_init_in_the_engine_only_what_asks_for_one_has_it(example_project: Project) -> None:
    catalog = example_project.config.services["catalog"]
    roles = {**catalog.roles, "worker": replace(catalog.roles["worker"], init=True)}
    changed = {**example_project.config.services, "catalog": replace(catalog, roles=roles)}
    project = replace(example_project, config=replace(example_project.config, services=changed))
    found = yaml.safe_load(render_compose(project, make_plan(project, Request()), init=False))["services"]
    assert [name for name, service in found.items() if service.get("init")] == ["catalog-worker"]


def test_a_container_is_as_restricted_as_smoke_tries_it(services: dict[str, dict[str, Any]]) -> None:
    worker = services["catalog-worker"]
    assert worker["read_only"] is True
    assert worker["cap_drop"] == ["ALL"]
    assert worker["tmpfs"] == ["/tmp:mode=1777"]
    assert "ports" not in worker


def test_an_edit_does_not_wait_for_all_of_the_grace_that_production_gives(example_project: Project) -> None:
    for grace, given in ((30, "5s"), (2, "2s")):
        smoke = replace(example_project.config.smoke, grace=grace)
        project = replace(example_project, config=replace(example_project.config, smoke=smoke))
        found = yaml.safe_load(render_compose(project, make_plan(project, Request())))["services"]
        assert found["metastore"]["stop_grace_period"] == given


def test_health_is_asked_by_the_images_own_node(services: dict[str, dict[str, Any]]) -> None:
    health = services["metastore"]["healthcheck"]
    assert health["test"][:3] == ["CMD", "node", "-e"]
    assert "'http://127.0.0.1:4100/healthz'" in health["test"][3]


def test_what_ends_by_itself_is_started_on_request_only(services: dict[str, dict[str, Any]]) -> None:
    assert services["cli"]["profiles"] == ["once"]


def with_needs(tmp_path: Path, needs: str, more: str = "") -> tuple[Project, Plan]:
    text = (EXAMPLE / "bake.toml").read_text("utf-8")
    own = 'package = "services/metastore"\n'
    root = shutil.copytree(EXAMPLE, tmp_path / "w", ignore=shutil.ignore_patterns("node_modules", ".bake", "dist"))
    (root / "bake.toml").write_text(text.replace(own, f"{own}needs = {needs}\n") + more, "utf-8")
    project = load_project(root / "bake.toml", {})
    return project, make_plan(project, Request(targets=("metastore",)))


def test_what_a_process_needs_is_started_first(tmp_path: Path) -> None:
    services = yaml.safe_load(render_compose(*with_needs(tmp_path, '["redis", "postgres"]')))["services"]
    healthy = {"condition": "service_healthy"}
    assert services["metastore"]["depends_on"] == {"redis": healthy, "postgres": healthy}
    assert services["redis"]["image"] == "redis:8-alpine"
    assert services["redis"]["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]
    assert services["postgres"]["environment"]["POSTGRES_DB"] == "app"


def test_a_table_of_smoke_dependencies_goes_before_what_is_known(tmp_path: Path) -> None:
    own = '[smoke.dependencies.redis]\nimage = "valkey/valkey:8"\n'
    services = yaml.safe_load(render_compose(*with_needs(tmp_path, '["redis"]', own)))["services"]
    assert services["redis"]["image"] == "valkey/valkey:8"
    assert services["redis"]["healthcheck"]["test"] == ["CMD", "valkey-cli", "ping"]


def test_what_nobody_knows_how_to_ask_is_waited_for_until_it_runs(tmp_path: Path) -> None:
    own = '[smoke.dependencies.search]\nimage = "registry.acme.example:5000/search:1"\n'
    services = yaml.safe_load(render_compose(*with_needs(tmp_path, '["search"]', own)))["services"]
    assert services["metastore"]["depends_on"] == {"search": {"condition": "service_started"}}
    assert services["search"] == {"image": "registry.acme.example:5000/search:1"}


def test_a_process_may_need_others_of_the_workspace_and_jobs_end_before_it_starts(tmp_path: Path) -> None:
    needs = '["cli", "timestore-api", "catalog-worker"]'
    services = yaml.safe_load(render_compose(*with_needs(tmp_path, needs)))["services"]
    assert services["metastore"]["depends_on"] == {
        "cli": {"condition": "service_completed_successfully"},
        "timestore-api": {"condition": "service_healthy"},
        "catalog-worker": {"condition": "service_started"},
    }
    assert "profiles" not in services["cli"]


def test_processes_that_wait_for_each_other_are_an_error(tmp_path: Path) -> None:
    project, plan = with_needs(tmp_path, '["frontend"]')
    frontend = replace(project.config.services["frontend"], needs=("metastore",))
    config = replace(project.config, services={**project.config.services, "frontend": frontend})
    with pytest.raises(ConfigError) as caught:
        render_compose(replace(project, config=config), plan)
    assert str(caught.value) == (
        "bake.toml: services.frontend.needs: processes need each other before they start: "
        "frontend > metastore > frontend; leave one of these out"
    )


def test_what_a_service_needs_its_own_roles_do_without_themselves(example_project: Project) -> None:
    catalog = replace(example_project.config.services["catalog"], needs=("catalog-worker",))
    changed = {**example_project.config.services, "catalog": catalog}
    project = replace(example_project, config=replace(example_project.config, services=changed))
    found = yaml.safe_load(render_compose(project, make_plan(project, Request(targets=("catalog-api",)))))["services"]
    assert list(found) == ["catalog-api", "catalog-worker"]
    assert list(found["catalog-api"]["depends_on"]) == ["catalog-worker"]
    assert "depends_on" not in found["catalog-worker"]


def test_images_with_the_same_port_get_ports_of_this_machine_of_their_own(example_plan: Plan) -> None:
    ports = {"a": 8080, "b": 8080, "c": 8081, "d": 8080, "e": None}
    images = [replace(example_plan.images[0], target=target, port=port) for target, port in ports.items()]
    assert host_ports(images) == {"a": 8080, "b": 8082, "c": 8081, "d": 8083}


def test_a_need_that_nobody_knows_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        render_compose(*with_needs(tmp_path, '["rediss", "oracle"]'))
    assert caught.value.complaints == (
        "bake.toml: services.metastore.needs: nothing is known of 'rediss'; did you mean `redis`?",
        "bake.toml: services.metastore.needs: nothing is known of 'oracle'; describe it as [smoke.dependencies.oracle]",
    )
