"""Which targets read and write which cache, by run, branch and selection."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bake.ci import Run, read_run
from bake.config import CacheSettings
from bake.plan import Cache
from bake.plan.cache import Scope, make_cache, slug

SERVICES = {"catalog-api": "catalog", "catalog-worker": "catalog", "metastore": "metastore"}
EVERY = ("linux/amd64", "linux/arm64", "linux/arm/v7")
CI = Run(ci=True)
R = "ghcr.io/acme/shop/buildcache"
OPTIONS = "mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"


def _cache(
    settings: CacheSettings | None = None,
    *,
    run: Run = CI,
    branch: str = "main",
    selected: Sequence[str] = tuple(SERVICES),
    platforms: Sequence[str] = EVERY,
    asked: bool = False,
    registry: str | None = "ghcr.io/acme",
) -> Cache:
    return make_cache(
        settings or CacheSettings(),
        project="shop",
        registry=registry,
        run=run,
        branch=branch,
        scope=Scope(services=SERVICES, selected=selected, platforms=platforms, every=EVERY),
        asked=asked,
    )


def test_a_whole_build_writes_one_reference_from_one_target() -> None:
    assert _cache().exports == {"workspace": f"type=registry,ref={R}:workspace.main,{OPTIONS}"}


def test_a_build_of_one_service_writes_its_reference_from_its_first_image() -> None:
    cache = _cache(selected=("catalog-worker",))
    assert cache.exports == {"catalog-worker": f"type=registry,ref={R}:catalog.main,{OPTIONS}"}


def test_every_target_reads_the_workspaces_references_first_and_its_branch_before_the_default_one() -> None:
    slugged = slug("fix/it")
    shared = (f"type=registry,ref={R}:workspace.{slugged}", f"type=registry,ref={R}:workspace.main")
    imports = _cache(branch="fix/it").imports
    assert imports["workspace"] == shared
    assert {t: entries[:2] for t, entries in imports.items()} == dict.fromkeys(imports, shared)
    assert imports["metastore"][2:] == (
        f"type=registry,ref={R}:metastore.{slugged}",
        f"type=registry,ref={R}:metastore.main",
    )


def test_runners_that_build_a_platform_each_write_and_read_their_own_references() -> None:
    cache = _cache(platforms=("linux/arm64",))
    assert cache.exports == {"workspace": f"type=registry,ref={R}:workspace_arm64.main,{OPTIONS}"}
    assert cache.imports["metastore"] == (
        f"type=registry,ref={R}:workspace_arm64.main",
        f"type=registry,ref={R}:workspace.main",
        f"type=registry,ref={R}:metastore_arm64.main",
        f"type=registry,ref={R}:metastore.main",
    )
    some = _cache(platforms=("linux/arm/v7", "linux/amd64")).exports["workspace"]
    assert some == f"type=registry,ref={R}:workspace_amd64_arm-v7.main,{OPTIONS}"


def test_names_that_are_alike_when_joined_stay_apart() -> None:
    services = {"a": "a", "a-b": "a-b"}

    def written(branch: str, target: str) -> str:
        scope = Scope(services=services, selected=(target,), platforms=EVERY, every=EVERY)
        cache = make_cache(CacheSettings(), project="shop", registry="r", run=CI, branch=branch, scope=scope)
        return cache.exports[target]

    assert written("b-main", "a") == f"type=registry,ref=r/shop/buildcache:a.b-main,{OPTIONS}"
    assert written("main", "a-b") == f"type=registry,ref=r/shop/buildcache:a-b.main,{OPTIONS}"


def test_an_inline_cache_is_read_from_the_branchs_tag_of_each_image() -> None:
    cache = _cache(CacheSettings(type="inline"), branch="fix/it")
    images = "type=registry,ref=ghcr.io/acme/shop-metastore"
    assert cache.imports["metastore"] == (f"{images}:fix-it", f"{images}:main")


def test_a_branch_never_writes_the_default_branchs_references() -> None:
    assert all(":workspace.main," not in e for e in _cache(branch="fix/it").exports.values())
    assert slug("fix/it") != slug("fix-it")


@pytest.mark.parametrize(
    ("run", "branch", "note"),
    [
        (Run(ci=True, fork=True), "main", "a fork's pull request writes no cache"),
        (Run(ci=True, tag=True), "v1.0", "a build of a tag writes no cache"),
        (Run(ci=True), "", "git names no branch, so no cache is written"),
    ],
)
def test_a_run_that_may_not_write_reads_only_and_says_why(run: Run, branch: str, note: str) -> None:
    for settings in (CacheSettings(), CacheSettings(write="always")):
        cache = _cache(settings, run=run, branch=branch)
        assert (cache.exports, cache.note) == ({}, note)
        assert f"type=registry,ref={R}:workspace.main" in cache.imports["workspace"]


def test_a_laptop_neither_reads_nor_writes_unless_asked() -> None:
    assert _cache(run=Run()) == Cache(repository=R)
    assert set(_cache(run=Run(), asked=True).exports) == {"workspace"}
    assert set(_cache(CacheSettings(write="always"), run=Run()).exports) == {"workspace"}


def test_without_a_registry_there_is_no_cache() -> None:
    assert _cache(registry=None) == Cache()
    assert _cache(CacheSettings(type="none")) == Cache()


def test_other_types_name_the_same_entries_in_their_own_way() -> None:
    assert _cache(CacheSettings(type="gha")).exports == {
        "workspace": "type=gha,scope=shop.workspace.main,mode=max,ignore-error=true"
    }
    local = _cache(CacheSettings(type="local", compression="zstd"))
    assert local.exports["workspace"] == (f"type=local,dest=.bake/buildcache/workspace.main,{OPTIONS},compression=zstd")
    assert local.imports["workspace"] == ("type=local,src=.bake/buildcache/workspace.main",)
    assert _cache(CacheSettings(type="inline")).exports == dict.fromkeys(SERVICES, "type=inline")


def test_a_build_that_imports_makes_each_services_first_image_alone() -> None:
    cache = _cache()
    assert cache.phases(SERVICES) == (("catalog-api",), ("metastore",), ("catalog-worker",), ("workspace",))
    assert cache.importing(lambda _: False).phases(SERVICES) == (tuple(SERVICES), ("workspace",))
    assert dataclasses.replace(cache, together=True).phases(SERVICES) == (tuple(SERVICES), ("workspace",))
    assert Cache().phases(SERVICES) == (tuple(SERVICES),)


def test_a_pull_request_from_another_repository_is_a_forks(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    environment = {
        "CI": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "acme/shop",
    }
    assert read_run(environment).fork
    event.write_text(json.dumps({"pull_request": {"head": {"repo": {"full_name": "acme/shop"}}}}))
    assert read_run(environment) == Run(ci=True)
    event.write_text(json.dumps({"pull_request": {"head": {"repo": {"full_name": "eve/shop"}}}}))
    assert read_run(environment) == Run(ci=True, fork=True)
    assert read_run({"CI": "1", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2", "CI_PROJECT_ID": "1"}).fork
    assert read_run({"CI": "false"}) == Run()
