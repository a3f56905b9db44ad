"""What scripts/bench races with and what it prints; the race itself is never a test."""

import json
from pathlib import Path

import pytest

from bake.config import image_names, parse_config
from scripts.race.fleet import Fleet, Served
from scripts.race.peers import PEERS, Peer
from scripts.race.race import Result
from scripts.race.tables import race_text, size_text, write_into
from scripts.race.weigh import Weighed
from scripts.race.workspace import MEMBERS, workspace_files

FLEET = Fleet(
    services=(
        Served(
            name="api",
            folder="services/api",
            package="@x/api",
            static=None,
            images={"api-server": ("node", "dist/server.js"), "api-worker": ("node", "dist/worker.js")},
        ),
        Served(name="web", folder="apps/web", package="@x/web", static="dist", images={"web": ()}),
    ),
    packages=("packages/lib", "services/api", "apps/web"),
)


def result(peer: str, *seconds: float, failed: str = "", **lost: str) -> Result:
    return Result(row="leaf", peer=peer, seconds=seconds, failed=failed, lost=lost, machine="2 cores, x86_64")


def test_the_generated_workspace_has_thirteen_images_of_six_packages_and_is_equal_in_every_run() -> None:
    files = workspace_files()
    config = parse_config(files["bake.toml"])
    assert len(image_names(config)) == 13
    assert len(MEMBERS) == 12
    assert {s.package for s in config.packaged.values()} <= MEMBERS.keys()
    assert files == workspace_files()
    assert all(json.loads(text)["version"] for name, text in files.items() if name.endswith("/package.json"))


@pytest.mark.parametrize("peer", [p for p in PEERS.values() if p.dockerfile], ids=lambda p: p.name)
def test_a_peer_has_a_stage_for_each_image_and_takes_built_files_alone_for_a_static_service(
    peer: Peer, tmp_path: Path
) -> None:
    peer.write(tmp_path, FLEET)
    text = (tmp_path / "race.Dockerfile").read_text(encoding="utf-8")
    assert 'FROM service-api AS api-server\nCMD ["node", "dist/server.js"]\n' in text
    assert 'FROM service-api AS api-worker\nCMD ["node", "dist/worker.js"]\n' in text
    assert "\nFROM runtime AS service-web\nCOPY --from=" in text
    assert "/app/apps/web/dist dist\nWORKDIR /app/apps/web\n" in text


def test_peers_stand_beside_bake_with_what_they_take_of_its_time_and_where_they_fail() -> None:
    results = (result("bake", 2, 4, 3), result("nx", 6, 5, 7, web="no `dist`"), result("turbo", failed="npm error"))
    assert race_text(results).splitlines() == [
        "| seconds | bake | nx | turbo |",
        "|---|---|---|---|",
        "| one line of a service | 3.0 | 6.0 (2.0x) | fails |",
        "",
        "2 cores, x86_64; medians of 3 or more runs.",
        "",
        *(f"- {name}: {PEERS[name].says}" for name in ("bake", "nx", "turbo")),
        "- nx without web: `no dist`",
        "- turbo, one line of a service: `npm error`",
    ]


def test_a_service_that_a_peer_cannot_build_has_no_size(tmp_path: Path) -> None:
    ours = Weighed(peer="bake", services={"api": 1_500_000, "web": 200_000}, total=1_600_000, lost={})
    theirs = Weighed(peer="pnpm", services={"api": 2_000_000}, total=2_000_000, lost={"web": "ERR_PNPM"})
    text = size_text((ours, theirs))
    assert text.splitlines()[:5] == [
        "| MB | bake | pnpm |",
        "|---|---|---|",
        "| api | 1.50 | 2.00 |",
        "| web | 0.20 | fails |",
        "| all, each blob once | 1.60 | 2.00 |",
    ]
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- size x, written by scripts/bench -->\nold\n<!-- /size x -->\nb\n", encoding="utf-8")
    write_into(page, "size x", "new")
    assert page.read_text(encoding="utf-8") == (
        "a\n<!-- size x, written by scripts/bench -->\nnew\n<!-- /size x -->\nb\n"
    )
