"""What images weigh and share, what grew, and budgets."""

import dataclasses

import pytest

import bake.images.fleet
from bake.console import Console
from bake.errors import UsageError
from bake.images import (
    Excess,
    FleetSize,
    Growth,
    Images,
    ImageSize,
    Size,
    Stored,
    changed,
    grown,
    load_images,
    measure,
    measure_fleet,
    over_budget,
)
from bake.images.blobs import Contents, Layer, Origin
from bake.plan import Plan
from bake.project import Project
from bake.session import Session

SERVICES = {"api": "shop", "worker": "shop", "web": "web"}


def layer(name: str, size: int, origin: Origin = "dependencies") -> Layer:
    return Layer(digest=f"sha256:{name}", media_type="tar+gzip", bytes=size, origin=origin, name=name)


def image(target: str, *layers: Layer, platform: str = "linux/amd64") -> Stored:
    return Stored(image=target, platform=platform, digest=f"sha256:{target}", layers=layers, config={})


def contents(**unpacked: int) -> dict[str, Contents]:
    return {f"sha256:{name}": Contents(unpacked=size, files=1) for name, size in unpacked.items()}


def held(name: str, **holders: int) -> dict[str, Contents]:
    return {f"sha256:{name}": Contents(unpacked=sum(holders.values()), files=1, holders=holders)}


BASE, COMMON = layer("base", 100, "base"), layer("common", 20)
FLEET = (
    image("api", BASE, COMMON, layer("shop", 5)),
    image("worker", BASE, COMMON, layer("shop", 5)),
    image("web", BASE, COMMON, layer("web", 7)),
)
UNPACKED = contents(base=300, common=60, shop=15, web=21)


def test_a_layer_is_shared_when_another_service_has_it() -> None:
    shop = {"base": Size(stored=100, unpacked=300), "shared": Size(stored=20, unpacked=60)}
    own = Size(stored=5, unpacked=15)
    assert measure(FLEET, SERVICES, UNPACKED) == (
        ImageSize(image="api", platform="linux/amd64", own=own, **shop),
        ImageSize(image="worker", platform="linux/amd64", own=own, **shop),
        ImageSize(image="web", platform="linux/amd64", own=Size(stored=7, unpacked=21), **shop),
    )


def test_a_fleet_counts_each_layer_once() -> None:
    fleet = measure_fleet(FLEET, FLEET, SERVICES, UNPACKED)
    assert fleet == FleetSize(
        images=3,
        base=Size(stored=100, unpacked=300),
        shared=Size(stored=20, unpacked=60),
        own=Size(stored=12, unpacked=36),
    )
    assert (fleet.total, fleet.above) == (Size(stored=132, unpacked=396), Size(stored=32, unpacked=96))


def test_what_one_image_shares_is_told_by_the_others() -> None:
    fleet = measure_fleet(FLEET[2:], FLEET, SERVICES, UNPACKED)
    assert (fleet.images, fleet.shared.stored, fleet.own.stored) == (1, 20, 7)


def test_an_unpacked_size_that_is_not_known_makes_no_sum() -> None:
    size = measure(FLEET, SERVICES, contents(common=60, web=21))[2]
    assert (size.base, size.above) == (Size(stored=100, unpacked=None), Size(stored=27, unpacked=81))
    assert size.total == Size(stored=127, unpacked=None)


def test_growth_names_what_takes_more_room_largest_first() -> None:
    before = (image("api", layer("a1", 1)), image("web", layer("w1", 1)))
    after = (image("api", layer("a2", 1)), image("web", layer("w2", 1)))
    known = {
        **held("a1", left=10, gone=5, same=3),
        **held("a2", left=30, new=50, same=3),
        **held("w1", left=10),
        **held("w2", left=30),
    }
    assert grown(before, after, known) == (
        Growth(holder="new", before=0, after=50, images=("api",)),
        Growth(holder="left", before=10, after=30, images=("api", "web")),
        Growth(holder="gone", before=5, after=0, images=("api",)),
    )


def test_a_package_that_only_moves_between_layers_has_not_grown() -> None:
    before = (image("api", layer("a1", 1), layer("a2", 1)),)
    after = (image("api", layer("a3", 1)),)
    assert grown(before, after, {**held("a1", left=1), **held("a2", right=2), **held("a3", left=1, right=2)}) == ()


def test_an_image_that_is_new_says_nothing_about_growth() -> None:
    assert grown((), (image("api", layer("a1", 1)),), held("a1", left=1)) == ()


def test_changed_entries_have_the_size_of_now() -> None:
    images = (image("api", layer("a", 1)), image("web", layer("w", 1)))
    known = {**held("a", left=10, right=4), **held("w", left=12)}
    said = {"left": "left 1.0.0 -> 2.0.0", "right": "right 1.0.0 (new)", "gone": "gone 1.0.0 (gone)"}
    found = changed(images, known, said)
    assert found == (
        Growth(holder="left", before=None, after=12, images=("api", "web"), said="left 1.0.0 -> 2.0.0"),
        Growth(holder="right", before=0, after=4, images=("api",), said="right 1.0.0 (new)"),
    )
    assert [g.bytes for g in found] == [None, 4]


def test_an_image_over_its_budget_is_named_with_the_key() -> None:
    sizes, fleet = measure(FLEET, SERVICES, UNPACKED), measure_fleet(FLEET, FLEET, SERVICES, UNPACKED)
    budgets = {"api": ("services.shop.budget", 25), "web": ("budget.image", 26)}
    assert over_budget(sizes, fleet, budgets, None) == (
        Excess(where="budget.image", what="web (linux/amd64)", bytes=27, budget=26),
    )
    assert over_budget(sizes, fleet, {}, 31) == (Excess(where="budget.fleet", what="all images", bytes=32, budget=31),)
    assert over_budget(sizes, fleet, {}, 32) == ()


def test_an_image_that_is_there_for_other_platforms_only_is_named(
    example_project: Project, example_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Images(stored=(image("cli", platform="linux/s390x"), image("frontend")), contents={})
    monkeypatch.setattr(bake.images.fleet, "load_engine_images", lambda *_: found)
    session = Session(console=Console(environment={}), directory=example_project.root)
    plan = dataclasses.replace(example_plan, targets=("frontend", "cli"))
    with pytest.raises(UsageError) as raised:
        load_images(session, plan, ("frontend", "cli"), pushed=False)
    assert str(raised.value) == (
        "cli: is not there for linux/amd64 or linux/arm64; build it for that, or name another --platform"
    )
