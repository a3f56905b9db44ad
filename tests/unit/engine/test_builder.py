"""The builder of bake.toml as buildx's commands, and what an engine and its builder can do."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from bake.build.build import adapt_to_engine, limit_to_native
from bake.build.ready import make_ready
from bake.config import Builder, parse_config
from bake.console import Console
from bake.engine import Capabilities, check, create_commands, differences, unbuildable
from bake.engine.builders import parse_listed
from bake.errors import ConfigError, EngineError
from bake.plan import Request, make_plan
from bake.registry import load_registry
from bake.session import Selection, Session

HEAD = '[project]\nname = "x"\n[services.a]\npackage = "a"\n'
HERE = Path("/work/space")

KUBERNETES = """
[builder]
name = "cluster"
driver = "kubernetes"
config = "buildkitd.toml"
options = { namespace = "buildkit", rootless = true, replicas = 2 }

[builder.nodes.amd]
platforms = ["linux/amd64"]

[builder.nodes.arm]
platforms = ["linux/arm64"]
options = { nodeselector = "kubernetes.io/arch=arm64,pool=build" }
"""

REMOTE = """
[builder]
driver = "remote"
options = { cacert = "/certs/ca.pem" }
nodes.amd = { endpoint = "tcp://amd.example:1234", platforms = ["linux/amd64"] }
nodes.arm = { endpoint = "tcp://arm.example:1234", platforms = ["linux/arm64"] }
"""

INSPECTED = """\
Name:          bake
Driver:        remote
Last Activity: 2026-01-01 00:00:00 +0000 UTC

Nodes:
Name:             amd
Endpoint:         tcp://amd.example:1234
Status:           running
BuildKit version: v0.26.1
Platforms:        linux/amd64*, linux/386
Labels:
 org.mobyproject.buildkit.worker.executor:         oci
GC Policy rule#0:
 All:            false

Name:             arm
Endpoint:         tcp://arm.example:1234
Driver Options:   cacert="/certs/ca.pem"
Error:            dial tcp: connection refused
Platforms:        linux/arm64*
"""


def builder(text: str) -> Builder:
    found = parse_config(HEAD + text).builder
    assert found is not None
    return found


def complaints(text: str) -> Sequence[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(HEAD + text)
    return caught.value.complaints


def test_a_container_needs_nothing_but_its_driver() -> None:
    commands = create_commands(builder('[builder]\ndriver = "docker-container"'), HERE)
    assert commands == (("create", "--name=bake", "--driver=docker-container"),)


def test_a_kubernetes_builder_has_a_node_per_platform_on_machines_of_it() -> None:
    assert create_commands(builder(KUBERNETES), HERE) == (
        (
            "create",
            "--name=cluster",
            "--driver=kubernetes",
            "--node=amd",
            "--platform=linux/amd64",
            "--driver-opt=namespace=buildkit",
            "--driver-opt=rootless=true",
            "--driver-opt=replicas=2",
            "--driver-opt=nodeselector=kubernetes.io/arch=amd64",
            "--buildkitd-config=/work/space/buildkitd.toml",
        ),
        (
            "create",
            "--name=cluster",
            "--driver=kubernetes",
            "--append",
            "--node=arm",
            "--platform=linux/arm64",
            "--driver-opt=namespace=buildkit",
            "--driver-opt=rootless=true",
            "--driver-opt=replicas=2",
            '--driver-opt="nodeselector=kubernetes.io/arch=arm64,pool=build"',
            "--buildkitd-config=/work/space/buildkitd.toml",
        ),
    )


def test_a_remote_builder_names_the_endpoint_of_each_node_last() -> None:
    first, second = create_commands(builder(REMOTE), HERE)
    assert first[-2:] == ("--driver-opt=cacert=/certs/ca.pem", "tcp://amd.example:1234")
    assert second[:3] == ("create", "--name=bake", "--driver=remote")
    assert second[3:5] == ("--append", "--node=arm")


def test_a_builder_without_a_driver_is_made_by_others() -> None:
    assert create_commands(builder('[builder]\nname = "shared"'), HERE) == ()


def test_what_buildx_shows_is_read_node_by_node() -> None:
    listed = parse_listed(INSPECTED)
    assert (listed.name, listed.driver, listed.running) == ("bake", "remote", False)
    amd, arm = listed.nodes
    assert (amd.name, amd.status, amd.version) == ("amd", "running", "v0.26.1")
    assert amd.platforms == ("linux/amd64", "linux/386")
    assert (arm.endpoint, arm.error) == ("tcp://arm.example:1234", "dial tcp: connection refused")


def test_an_existing_builder_as_bake_toml_says_has_no_differences() -> None:
    assert differences(builder(REMOTE), parse_listed(INSPECTED)) == ()


def test_every_difference_of_an_existing_builder_is_named() -> None:
    wanted = '[builder]\ndriver = "kubernetes"\n[builder.nodes.amd]\nendpoint = "tcp://a:1"\n[builder.nodes.ppc]'
    assert differences(builder(wanted), parse_listed(INSPECTED)) == (
        "its driver is remote, not kubernetes",
        "it has no node ppc",
        "node amd is at tcp://amd.example:1234, not tcp://a:1",
        "it has a node arm besides",
    )


def test_platforms_without_a_node_are_named() -> None:
    wanted = ("linux/amd64", "linux/arm64", "linux/s390x")
    assert unbuildable(None, parse_listed(INSPECTED), wanted) == ("linux/s390x",)


def test_a_remote_builder_without_endpoints_is_complained_of() -> None:
    assert complaints('[builder]\ndriver = "remote"\nconfig = "b.toml"\n[builder.nodes.a]') == (
        "bake.toml: builder.nodes.a.endpoint: missing; a remote builder is reached by it",
        "bake.toml: builder.config: a remote BuildKit has its own",
    )
    assert complaints('[builder]\ndriver = "remote"') == (
        "bake.toml: builder.nodes: a remote builder needs at least one node with an endpoint",
    )


def test_options_without_a_driver_are_complained_of() -> None:
    assert complaints("[builder]\noptions = { namespace = 'x' }") == (
        "bake.toml: builder.options: has no meaning without builder.driver",
    )


def capabilities(
    *, driver: str = "docker", containerd: bool = True, server: str = "28.5.2", nodes: int = 1
) -> Capabilities:
    return Capabilities(
        server=server,
        architecture="x86_64" if server else "",
        containerd=containerd,
        buildx="v0.29.1",
        builder="default",
        driver=driver,
        platforms=("linux/amd64",),
        nodes=nodes,
    )


def lacking(having: Capabilities) -> set[str]:
    return {what for what, why_not in having.features.items() if why_not}


def test_dockers_old_image_store_lacks_what_needs_several_manifests() -> None:
    assert lacking(capabilities(containerd=False)) == {
        "multi-platform",
        "load several platforms",
        "push by digest",
        "cache export",
        "attestations",
    }
    assert lacking(capabilities()) == {"push by digest"}


def test_a_builder_of_its_own_lacks_only_what_the_local_engine_lacks() -> None:
    assert lacking(capabilities(driver="kubernetes")) == set()
    assert lacking(capabilities(driver="kubernetes", containerd=False)) == {"load several platforms"}
    assert lacking(capabilities(driver="remote", containerd=False, server="")) == {"load", "load several platforms"}


def test_several_nodes_cannot_push_by_digest_because_buildx_tags_what_it_joins() -> None:
    assert lacking(capabilities(driver="kubernetes", nodes=2)) == {"push by digest"}


def test_a_push_from_a_builder_of_its_own_needs_no_local_engine() -> None:
    having = capabilities(driver="remote", containerd=False, server="")
    check(having, ("linux/amd64", "linux/arm64"), push=True)
    with pytest.raises(EngineError) as caught:
        check(having, ("linux/amd64",), push=False)
    assert str(caught.value) == (
        "docker engine: there is no local engine; push with --push, or start Docker, "
        "or see `docker context ls` and DOCKER_HOST"
    )


def test_install_scripts_need_a_machine_or_emulation_of_their_platform() -> None:
    check(capabilities(), ("linux/amd64", "linux/arm64"), push=True)
    with pytest.raises(EngineError) as caught:
        check(capabilities(), ("linux/amd64", "linux/arm64"), push=True, emulated=("the install scripts of bcrypt",))
    assert caught.value.what == "cannot run linux/arm64, which the install scripts of bcrypt need"


@pytest.fixture
def example(tmp_path: Path) -> Session:
    ignore = shutil.ignore_patterns("node_modules", ".bake", "dist", "deploy")
    root = shutil.copytree(Path(__file__).parents[3] / "examples" / "apphub", tmp_path / "apphub", ignore=ignore)
    return Session(console=Console(environment={}), directory=root)


def test_where_the_engine_keeps_one_platform_per_image_its_own_is_built_and_said(
    example: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = limit_to_native(example, example.plan(Selection(targets=("metastore",))), capabilities(containerd=False))

    assert (plan.platforms, plan.targets) == (("linux/amd64",), ("metastore",))
    assert capsys.readouterr().err == (
        "bake: warning: the engine's image store is not containerd's: building linux/amd64 only; "
        "see `bake builder status`\n"
    )


def test_the_cache_of_one_platform_alone_is_not_written_over_that_of_all(example: Session) -> None:
    config = (example.directory / "bake.toml").read_text(encoding="utf-8")
    (example.directory / "bake.toml").write_text(f'{config}\n[cache]\ntype = "local"\n', encoding="utf-8")
    ready = make_ready(example, make_plan(example.project, Request(branch="main", cache_to=True)))
    builder = capabilities(driver="docker-container", containerd=False)

    alone = adapt_to_engine(example, ready, builder, load_registry({}))

    assert {e.split("dest=")[1].split(",")[0] for e in ready.cache.exports.values()} == {
        ".bake/buildcache/workspace.main"
    }
    assert {e.split("dest=")[1].split(",")[0] for e in alone.cache.exports.values()} == {
        ".bake/buildcache/workspace_amd64.main"
    }


@pytest.mark.parametrize("platforms", [(), ("linux/amd64", "linux/arm64")])
def test_platforms_that_were_asked_for_or_can_be_kept_stay(example: Session, platforms: tuple[str, ...]) -> None:
    plan = example.plan(Selection(targets=("metastore",), platforms=platforms))
    assert limit_to_native(example, plan, capabilities(containerd=not platforms)) is plan
