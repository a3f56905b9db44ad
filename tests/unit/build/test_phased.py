"""The cache that a build gets of what the plan wants, by what builder and registry can do."""

import dataclasses
import json
from collections.abc import Iterator

import pytest

from bake.build.phases import overgrown, run_phases, settle
from bake.engine import BuildOptions, Built, Capabilities, Progress
from bake.plan import Cache, Plan
from bake.registry.oci import MANIFEST_TYPES
from tests.memory_registry import MemoryRegistry, digest_of, memory_registry
from tests.scripted_server import Answer

BUILDER = Capabilities(
    server="28.5.2",
    architecture="x86_64",
    containerd=True,
    buildx="v0.29.1",
    builder="b",
    driver="docker-container",
    platforms=("linux/amd64", "linux/arm64"),
)
BOTH = ("linux/amd64", "linux/arm64")


@pytest.fixture
def registry() -> Iterator[MemoryRegistry]:
    with memory_registry() as running:
        yield running


def wish(registry: MemoryRegistry) -> Cache:
    place = f"{registry.host}/shop/buildcache"
    return Cache(
        imports={
            "api": (f"type=registry,ref={place}:workspace.main",),
            "web": (f"type=registry,ref={place}:web.main",),
        },
        exports={"workspace": f"type=registry,ref={place}:workspace.main,mode=max"},
        repository=place,
    )


def write(registry: MemoryRegistry, *, records: int) -> None:
    """Put a cache into the registry whose list of steps has so many bytes."""
    config = {"digest": digest_of(b"{}"), "size": records}
    body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPES[0], "config": config, "layers": []}).encode()
    registry.manifests["shop/buildcache", digest_of(body)] = (MANIFEST_TYPES[0], body)
    registry.tags["shop/buildcache", "workspace.main"] = digest_of(body)


def test_many_images_are_several_bakes(example_plan: Plan) -> None:
    ran: list[tuple[str, ...]] = []

    def run(options: BuildOptions) -> Built:
        ran.append(tuple(options.targets))
        return Built(metadata={options.targets[0]: {}}, progress=Progress())

    targets = tuple(f"image-{number:02}" for number in range(70))
    built = run_phases(example_plan, Cache(), BuildOptions(targets=targets), run)
    assert ran == [targets[:32], targets[32:64], targets[64:]]
    assert list(built.metadata) == ["image-00", "image-32", "image-64"]


def test_what_is_not_there_yet_is_not_read(registry: MemoryRegistry) -> None:
    write(registry, records=100)
    said: list[str] = []
    settled = settle(wish(registry), BUILDER, registry.client(), said.append, platforms=BOTH)
    assert (set(settled.imports), set(settled.exports), said) == ({"api"}, {"workspace"}, [])


def test_a_registry_that_takes_nothing_is_read_only_with_a_word(registry: MemoryRegistry) -> None:
    write(registry, records=100)
    registry.before = lambda asked: Answer(status=403) if asked.method == "POST" else None
    said: list[str] = []
    settled = settle(wish(registry), BUILDER, registry.client(), said.append, platforms=BOTH)
    assert (set(settled.imports), settled.exports) == ({"api"}, {})
    assert [s.partition(": ")[0] for s in said] == ["no cache is written"]


def test_nodes_of_a_platform_each_write_no_cache_together(registry: MemoryRegistry) -> None:
    several = dataclasses.replace(BUILDER, nodes=2)
    said: list[str] = []
    assert settle(wish(registry), several, registry.client(), said.append, platforms=BOTH).exports == {}
    assert said == [
        "no cache is written: each node of the builder would replace what the others wrote; "
        "build one --platform at a time"
    ]
    assert settle(wish(registry), several, registry.client(), said.append, platforms=BOTH[:1]).exports


def test_a_cache_that_buildkit_soon_reads_no_more_is_named(registry: MemoryRegistry) -> None:
    cache = wish(registry)
    assert list(overgrown(cache, registry.client())) == []
    write(registry, records=700_000)
    assert list(overgrown(cache, registry.client())) == []
    write(registry, records=900_000)
    assert list(overgrown(cache, registry.client())) == [
        f"{cache.repository}:workspace.main: its list of steps has 900000 bytes, and BuildKit reads no cache with "
        "more than 1048576; build services in runs of their own (`bake matrix --by service`), which write a smaller "
        "cache each"
    ]
    assert list(overgrown(cache.without_exports("why"), registry.client())) == []
