"""The plan of the example workspace: images, stages, closures, tags."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.config.tables import PackageSettings
from bake.config.tables import Project as ProjectSettings
from bake.errors import ConfigError, UsageError
from bake.plan import Plan, Request, make_plan, name_images, select
from bake.plan.outputs import runs_sources
from bake.plan.stages import stage_name
from bake.project import Project, load_project
from bake.workspace import Package


def changed(project: Project, /, **tables: object) -> Project:
    return dataclasses.replace(project, config=dataclasses.replace(project.config, **tables))  # type: ignore[arg-type]


def test_every_role_is_an_image_with_its_own_command(example_plan: Plan) -> None:
    commands = {i.target: i.command for i in example_plan.images if i.service == "catalog"}
    assert commands == {
        "catalog-api": ("node", "dist/server.js"),
        "catalog-worker": ("tsx", "src/worker.ts"),
        "catalog-build-worker": ("node", "dist/build-worker.js"),
        "catalog-launch-worker": ("node", "dist/launch-worker.js"),
        "catalog-scheduler": ("node", "dist/scheduler.js"),
    }


def test_a_package_is_built_after_what_it_needs_even_through_references_alone(example_plan: Plan) -> None:
    order = [s.package for s in example_plan.builds.stages]
    catalog = next(s for s in example_plan.builds.stages if s.package == "services/catalog")
    assert "packages/filestore-client" in catalog.needs
    assert all(order.index(n) < order.index(s.package) for s in example_plan.builds.stages for n in s.needs)


def circle(root: Path, scripts: dict[str, dict[str, str]], settings: str = "") -> dict[str, tuple[str, ...]]:
    """Package -> needs of its stage, in the order of stages; app needs a and b, which name each other."""
    manifests: dict[str, dict[str, object]] = {
        "": {"name": "w", "workspaces": ["app", "a", "b"]},
        "app": {"name": "app", "dependencies": {"a": "*"}, "scripts": {"start": "node x.js"}},
        "a": {"name": "a", "dependencies": {"b": "*"}},
        "b": {"name": "b"},
    }
    for path, manifest in manifests.items():
        (root / path).mkdir(exist_ok=True)
        manifest["scripts"] = {**scripts.get(path, {}), "start": "node x.js"}
        (root / path / "package.json").write_text(json.dumps(manifest))
    links = {f"node_modules/{p}": {"resolved": p, "link": True} for p in ("app", "a", "b")}
    lock = {"lockfileVersion": 3, "packages": {**manifests, **links}}
    (root / "package-lock.json").write_text(json.dumps(lock))
    (root / "b/index.ts").write_text('import { a } from "../a/index.ts"; a();')
    (root / "bake.toml").write_text(f'[project]\nname = "w"\n[services.app]\npackage = "app"\n{settings}')
    plan = make_plan(load_project(root / "bake.toml", {}), Request())
    return {stage.package: stage.needs for stage in plan.builds.stages}


BUILD = {"build": "tsc"}


def test_packages_without_a_build_may_name_each_other(tmp_path: Path) -> None:
    assert circle(tmp_path, {"app": BUILD}) == {"b": (), "a": (), "app": ("b", "a")}


def test_one_build_may_need_packages_that_name_it(tmp_path: Path) -> None:
    assert circle(tmp_path, {"app": BUILD, "a": BUILD}) == {"b": (), "a": ("b",), "app": ("b", "a")}


def test_builds_that_need_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        circle(tmp_path, {"a": BUILD, "b": BUILD})
    assert str(caught.value) == (
        'workspace: packages need each other to build: a -> b -> a; set workspace.build = "whole"'
    )


def test_a_package_without_a_build_gets_what_others_write_into_it(tmp_path: Path) -> None:
    settings = '[packages.b]\noutputs = ["app/generated"]\n[packages.a]\nignore = ["b"]\n'
    assert circle(tmp_path, {"b": BUILD}, settings) == {"a": (), "b": ("a",), "app": ("b",)}


def test_a_binary_that_only_the_root_has_for_development_is_in_the_closure(example_plan: Plan) -> None:
    catalog = next(s for s in example_plan.services if s.service == "catalog")
    assert "node_modules/tsx" in catalog.closure.entries
    assert example_plan.layers.extra["services/catalog"] == ("@apphub/filestore-client", "tsx")
    assert catalog.path


@pytest.mark.parametrize(
    ("command", "path"),
    [("node dist/server.js", False), ("./run", False), (("sh", "-c", "cd dist && exec tsx x.ts"), True)],
)
def test_binaries_are_on_the_path_of_what_may_name_one(
    example_project: Project, command: str | tuple[str, ...], path: bool
) -> None:
    service = dataclasses.replace(example_project.config.services["metastore"], command=command)
    plan = make_plan(changed(example_project, services={"metastore": service}), Request())
    assert [s.path for s in plan.services] == [path]


def test_a_static_service_has_no_closure(example_plan: Plan) -> None:
    frontend = next(s for s in example_plan.services if s.service == "frontend")
    assert frontend.layers == ()
    assert frontend.closure.entries == ()


def test_headers_reach_the_static_server_as_its_environment_whatever_their_order(example_project: Project) -> None:
    frontend = example_project.config.services["frontend"]
    said = {"X-Frame-Options": "DENY", "Content-Security-Policy": "img-src 'self' \"$x\""}

    def environment(headers: Mapping[str, str]) -> Mapping[str, str]:
        services = {"frontend": dataclasses.replace(frontend, headers=headers)}
        (image,) = make_plan(changed(example_project, services=services), Request()).images
        return image.env

    env = environment(said)
    assert json.loads(env["HEADERS"]) == said
    assert environment(dict(reversed(said.items()))) == env
    assert "HEADERS" not in environment({})


def test_a_package_that_a_service_serves_is_in_its_images_without_what_it_depends_on(example_project: Project) -> None:
    services = {"metastore": example_project.config.services["metastore"]}
    plain = make_plan(changed(example_project, services=services), Request())
    packages = {**example_project.config.packages, "services/metastore": PackageSettings(serves=("apps/frontend",))}
    plan = make_plan(changed(example_project, services=services, packages=packages), Request())
    (service,), (before,) = plan.services, plain.services
    assert service.closure.entries == before.closure.entries
    assert {*service.closure.packages} - {*before.closure.packages} == {"apps/frontend"}
    assert service.closure.chain("apps/frontend") == ("services/metastore", "apps/frontend")
    assert {o.package: o.imported for o in plan.outputs}["apps/frontend"] is False
    assert next(s for s in plan.builds.stages if s.package == "apps/frontend").script == "build"


def test_a_package_to_serve_that_is_not_there_is_named(example_project: Project) -> None:
    packages = {"services/metastore": PackageSettings(serves=("apps/fronted",))}
    with pytest.raises(ConfigError) as caught:
        make_plan(changed(example_project, packages=packages), Request())
    assert caught.value.complaints == (
        "bake.toml: packages.\"services/metastore\".serves: no package 'apps/fronted' in the workspace; "
        "did you mean `apps/frontend`?",
    )


def test_a_service_that_runs_sources_keeps_them_and_what_its_tsconfig_extends(example_plan: Plan) -> None:
    outputs = {o.package: o for o in example_plan.outputs}
    assert outputs["services/catalog"].sources
    assert outputs["services/catalog"].extra == ("tsconfig.base.json",)
    assert not outputs["services/metastore"].sources


def test_sources_stay_for_a_library_that_reads_their_comments() -> None:
    def package(**manifest: object) -> Package:
        return Package(path="api", name="api", version="", manifest=manifest)

    assert runs_sources(package(dependencies={"swagger-jsdoc": "6"}), ())
    assert not runs_sources(package(devDependencies={"swagger-jsdoc": "6"}), ())


def test_only_the_user_facing_port_is_exposed(example_plan: Plan) -> None:
    ports = {i.target: i.port for i in example_plan.images if i.port}
    assert ports == {
        "catalog-api": 4000,
        "metastore": 4100,
        "filestore-api": 4300,
        "timestore-api": 4200,
        "frontend": 8080,
    }


def test_a_port_less_role_does_not_inherit_an_http_health_check(example_plan: Plan) -> None:
    health = {i.target: i.health for i in example_plan.images}
    assert (h := health["catalog-api"]) is not None
    assert h.path == "/healthz"
    assert (h := health["catalog-worker"]) is not None
    assert (h.path, h.log) == (None, "ready")


def test_images_carry_labels_that_tell_of_no_commit(example_project: Project) -> None:
    request = Request(revision="0123456789abcdef", version="1.2.3", source="https://example.invalid/fork")
    own = {
        "org.opencontainers.image.title": "apphub-metastore",
        "org.opencontainers.image.source": "https://github.com/benediktbwimmer/apphub",
    }
    assert make_plan(example_project, request).image("metastore").labels == own

    labels: dict[str, str | bool] = {"revision": True, "team": "data"}
    project = dataclasses.replace(example_project, config=dataclasses.replace(example_project.config, labels=labels))
    assert make_plan(project, request).image("metastore").labels == own | {
        "org.opencontainers.image.revision": "0123456789abcdef",
        "org.opencontainers.image.version": "1.2.3",
        "team": "data",
    }


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (("metastore",), ("metastore",)),
        (("catalog-worker", "catalog-worker"), ("catalog-worker",)),
        (("filestore",), ("filestore-api", "filestore-reconciliation-worker")),
        (("*-api",), ("catalog-api", "filestore-api", "timestore-api")),
        (("monolith", "cli"), ("cli", "monolith")),
    ],
)
def test_targets_are_images_services_and_patterns(
    example_project: Project, wanted: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert select(example_project.config, wanted) == expected


def test_all_is_every_image_but_the_monolith(example_project: Project) -> None:
    chosen = select(example_project.config, ("all",))
    assert len(chosen) == 13
    assert "monolith" not in chosen


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("catalog-wroker", "catalog-wroker: no such image or service; did you mean `catalog-worker`?"),
        ("zzz", "zzz: no such image or service; see `bake list`"),
        ("x*", "x*: no such image or service; see `bake list`"),
    ],
)
def test_an_unknown_target_is_answered_with_a_suggestion(example_project: Project, word: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(example_project.config, (word,))
    assert str(caught.value) == message
    assert caught.value.status == 2


def tags(project: Project, tag: str | tuple[str, ...], **request: str) -> tuple[str, ...]:
    settings = dataclasses.replace(project.config.project, tag=tag)
    assert isinstance(settings, ProjectSettings)
    project = changed(project, project=settings)
    return names(project, Request(**request))  # type: ignore[arg-type]


def names(project: Project, request: Request) -> tuple[str, ...]:
    return name_images(project, make_plan(project, request))["cli"].references


def test_tags_are_filled_in_and_made_legal(example_project: Project) -> None:
    found = tags(example_project, ("{sha}", "{branch}", "v{version}"), revision="a" * 40, branch="feat/Ünïcode #1")
    assert found == ("apphub-cli:aaaaaaaaaaaa", "apphub-cli:feat-n-code-1")


def test_without_git_the_tag_is_dev(example_project: Project) -> None:
    assert tags(example_project, "{sha}") == ("apphub-cli:dev",)


def test_references_name_the_registry_only_in_a_push(example_project: Project) -> None:
    request = Request(registry="ghcr.io/acme", tags=("1",))
    assert names(example_project, request) == ("apphub-cli:1",)
    assert names(example_project, dataclasses.replace(request, push=True)) == ("ghcr.io/acme/apphub-cli:1",)


def test_packages_that_do_not_exist_are_complained_of_together(example_project: Project) -> None:
    services = dict(example_project.config.services)
    services["cli"] = dataclasses.replace(services["cli"], package="apps/clj")
    services["frontend"] = dataclasses.replace(services["frontend"], package="zzzzzz")
    with pytest.raises(ConfigError) as caught:
        make_plan(changed(example_project, services=services), Request())
    assert caught.value.complaints == (
        "bake.toml: services.frontend.package: no package 'zzzzzz' in the workspace; see `bake list --packages`",
        "bake.toml: services.cli.package: no package 'apps/clj' in the workspace; did you mean `apps/cli`?",
    )


@pytest.mark.parametrize("path", ["a/b-c", "a-b/c", "A/b", "a/b", "a_b", "é"])
def test_stage_names_are_legal_and_differ(path: str) -> None:
    names = {p: stage_name(p) for p in ("a/b-c", "a-b/c", "A/b", "a/b", "a_b", "é")}
    assert len(set(names.values())) == len(names)
    assert names[path].replace("-", "").isalnum()
    assert names[path].islower()


def test_the_plan_is_a_value(example_project: Project, example_plan: Plan) -> None:
    again = make_plan(example_project, Request(revision="0123456789abcdef"))
    assert again == example_plan
    with pytest.raises(dataclasses.FrozenInstanceError):
        again.project = "x"  # type: ignore[misc]


def test_ts_node_does_not_check_types_where_there_are_none(example_project: Project) -> None:
    services = dict(example_project.config.services)
    services["cli"] = dataclasses.replace(services["cli"], entrypoint=None, command="ts-node src/cli.ts")
    packages = {"apps/cli": PackageSettings(ignore=("ts-node",))}
    plan = make_plan(changed(example_project, services=services, packages=packages), Request())
    assert plan.image("cli").env == {"NODE_ENV": "production", "TS_NODE_TRANSPILE_ONLY": "true"}
    assert plan.image("metastore").env == {"NODE_ENV": "production"}
