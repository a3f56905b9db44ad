"""Base images: packages of the distribution that bake adds to them."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from bake.registry import Registry
from tests.engine.conftest import REGISTRY, Workspace

pytestmark = pytest.mark.engine

DEBIAN = f"{REGISTRY}/bake-test/debian-node:bookworm"

_DEBIAN_NODE = """\
FROM scratch
ADD debian.tar /
COPY --from=node:24-slim /usr/local/ /usr/local/
COPY --from=node:24-slim /etc/passwd /etc/group /etc/
"""


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base image with Node and apt: node:24-slim, or what stands in for it where that has no apt."""
    asked = ["docker", "run", "--rm", "node:24-slim", "sh", "-c", "command -v apt-get"]
    if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
        return "node:24-slim"
    if not Registry().has_manifest(DEBIAN):
        _build_debian(tmp_path_factory.mktemp("debian"))
    return DEBIAN


def _build_debian(folder: Path) -> None:
    made = ["mmdebstrap", "--quiet", "--variant=apt", "bookworm", "debian.tar", "http://deb.debian.org/debian"]
    subprocess.run(made, cwd=folder, check=True)
    (folder / "Dockerfile").write_text(_DEBIAN_NODE)
    build = ["docker", "buildx", "build", "-q", "--provenance=false", "--platform=linux/amd64", "--push", "-t", DEBIAN]
    subprocess.run([*build, "."], cwd=folder, check=True)


def run(image: str, *words: str) -> str:
    """What a command says in a container of the image."""
    started = ["docker", "run", "--rm", "--entrypoint", words[0], image, *words[1:]]
    done = subprocess.run(started, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_packages_of_the_distribution_are_there_twice_the_same_and_no_source_installs_them_again(
    tiny_workspace: Workspace, debian: str
) -> None:
    config = (tiny_workspace.root / "bake.toml").read_text()
    _, _, rest = config.partition("[base]")
    _, _, services = rest.partition("[services.api]")
    # dbus makes a user and an id of the machine.
    base = f'[base]\nruntime = "{debian}"\npin = false\nsystem = ["dbus"]\n\n[services.api]\nsystem = ["jq"]'
    tiny_workspace.write("bake.toml", config.replace(f"[base]{rest}", base + services))
    tiny_workspace.commit("Add packages of the distribution")

    done = tiny_workspace.bake("repro", "--format", "json", "-q")

    found = json.loads(done.stdout)
    assert {t: [c["differences"] for c in one] for t, one in found.items()} == {"api": [[]], "worker": [[]]}

    tiny_workspace.write("services/api/index.js", "console.log('changed');\n")
    done = tiny_workspace.bake("all", "--tag", "edited", "--format", "json", "-q")
    steps = [s for i in json.loads(done.stdout)["images"] for s in i["stages"] if s["stage"].startswith("system-")]
    assert {s["ran"] for s in steps} == {0}
    api, worker = (f"{tiny_workspace.project}-{name}:edited" for name in ("api", "worker"))
    assert run(api, "jq", "-rn", '"a", "b"') == "a\nb\n"
    assert run(worker, "sh", "-c", "command -v dbus-daemon jq || true") == "/usr/bin/dbus-daemon\n"
    left = "find /var/lib/apt/lists /var/cache/apt /tmp /bake /run/secrets /var/log ! -type d -size +0 2>/dev/null"
    assert run(api, "sh", "-c", f"{left} || true") == ""


def test_a_base_of_ones_own_is_built_in_the_same_run_and_again_when_its_files_change(
    tiny_workspace: Workspace, tiny_base: str
) -> None:
    config = (
        (tiny_workspace.root / "bake.toml").read_text().replace('["linux/amd64"]', '["linux/amd64", "linux/arm64"]')
    )
    own = '\n[bases.media]\ndockerfile = "docker/media.Dockerfile"\nargs = { TONE = "a" }\n'
    tiny_workspace.write("bake.toml", config.replace("port = 3000", 'port = 3000\nbase = "media"') + own)
    tiny_workspace.write(
        "docker/media.Dockerfile", f"FROM {tiny_base}\nARG TONE\nENV TONE=$TONE\nCOPY docker/sound /etc/sound\n"
    )
    tiny_workspace.write("docker/sound", "one")
    tiny_workspace.commit("Add a base")

    def held(image: str) -> tuple[str, list[str]]:
        made = ["docker", "create", f"{tiny_workspace.project}-{image}:main"]
        box = subprocess.run(made, capture_output=True, text=True, check=True).stdout.strip()
        try:
            copied = subprocess.run(["docker", "cp", f"{box}:/etc/sound", "-"], capture_output=True, check=False)
            asked = ["docker", "inspect", "--format", "{{json .Config.Env}}", box]
            told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
            return copied.stdout[512:515].decode(), [e for e in json.loads(told) if e.startswith("TONE")]
        finally:
            subprocess.run(["docker", "rm", box], capture_output=True, check=False)

    built = tiny_workspace.bake("all", "-q")
    assert (built.returncode, built.stderr) == (0, "")
    assert (held("api"), held("worker")) == (("one", ["TONE=a"]), ("", []))

    tiny_workspace.write("docker/sound", "two")
    told = tiny_workspace.bake("affected", "--since", "HEAD", "--format", "json")
    assert json.loads(told.stdout) == {"api": [{"kind": "base", "what": "docker/sound", "via": []}]}
    rebuilt = tiny_workspace.bake("all", "--format", "json", "-q")
    assert (rebuilt.returncode, rebuilt.stderr) == (0, "")
    assert held("api")[0] == "two"


_SHELL_LESS = """\
FROM node:24-slim AS all
RUN mkdir -p /out/nodejs/bin /out/etc && cp "$(command -v node)" /out/nodejs/bin/ && \\
    ldd "$(command -v node)" | grep -o '/[^ ]*' | xargs cp -L --parents -t /out && cp /etc/passwd /etc/group /out/etc/
FROM scratch
COPY --from=all /out/ /
ENTRYPOINT ["/nodejs/bin/node"]
"""


@pytest.fixture(scope="session")
def shell_less(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base image as distroless ones are: Node, outside of PATH, and its libraries."""
    folder = tmp_path_factory.mktemp("shell-less")
    name = f"{REGISTRY}/bake-test/shell-less:1"
    (folder / "Dockerfile").write_text(_SHELL_LESS)
    build = ["docker", "buildx", "build", "-q", "--provenance=false", "--platform=linux/amd64", "--push", "-t", name]
    subprocess.run([*build, "."], cwd=folder, check=True)
    return name


SERVER = """\
const {greeting} = require('@tiny/common');
require('node:http').createServer((_, res) => res.end(greeting)).listen(3000);
process.on('SIGTERM', () => process.exit(0));
"""


def test_processes_run_on_a_base_without_a_shell_and_with_node_elsewhere(
    tiny_workspace: Workspace, shell_less: str, tiny_base: str
) -> None:
    config = (tiny_workspace.root / "bake.toml").read_text().replace(tiny_base, shell_less)
    config = config.replace("port = 3000", 'port = 3000\nhealth = "/"\nhealthcheck = true')
    tool = f'{config}entrypoint = "node index.js"\ncommand = "--help"\n'
    tiny_workspace.write("services/api/index.js", SERVER)
    tiny_workspace.write("bake.toml", f'{config}command = ["sh", "-c", "node index.js"]\n')
    assert tiny_workspace.bake("lock").returncode == 0
    locked = (tiny_workspace.root / "bake.lock").read_text()
    assert 'node = "/nodejs/bin"\nlacks-shell = true\n' in locked
    tiny_workspace.commit("Change the base")
    checked = tiny_workspace.bake("check")
    assert checked.returncode == 1
    assert "its command `sh -c node index.js` needs a shell, which " in checked.stdout + checked.stderr

    tiny_workspace.write("bake.toml", tool)
    tiny_workspace.commit("Start the process itself")
    built = tiny_workspace.bake("all", "-q")
    assert (built.returncode, built.stderr) == (0, "")
    tried = tiny_workspace.bake("smoke", "--format", "json", "-q")
    assert tried.returncode == 0
    verified = tiny_workspace.bake("verify", "--no-monolith")
    assert verified.returncode == 0, verified.stderr
    asked = ["docker", "inspect", "--format", "{{json .Config.Healthcheck.Test}}", f"{tiny_workspace.project}-api:main"]
    test = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    box = f"{tiny_workspace.project}-healthy"
    subprocess.run(["docker", "run", "-d", "--rm", "--name", box, f"{tiny_workspace.project}-api:main"], check=True)
    try:
        words = ["docker", "exec", box, *test[1:]]
        assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    finally:
        subprocess.run(["docker", "rm", "--force", box], capture_output=True, check=False)


PROBE = """\
const {lookup} = require('node:dns/promises');
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const month = new Intl.DateTimeFormat('ru', {month: 'long', timeZone: 'UTC'}).format(new Date(0));
const {icu, openssl} = process.versions;
(async () => {
  const {address} = await lookup('localhost', {family: 4});
  const {status} = await fetch('https://registry.npmjs.org/-/ping');
  const made = require('node:os').userInfo().username;
  console.log(JSON.stringify({icu: !!icu, openssl: !!openssl, month, zone, address, status, made, arch: process.arch}));
})();
"""


def test_a_minimal_base_is_node_and_what_it_needs_on_every_platform(tiny_workspace: Workspace, tiny_base: str) -> None:
    config = (tiny_workspace.root / "bake.toml").read_text()
    config = config.replace('["linux/amd64"]', '["linux/amd64", "linux/arm64"]')
    config = config.replace(f'runtime = "{tiny_base}"', "minimal = true")
    config = config.replace("port = 3000", 'port = 3000\nhealth = "/"\nhealthcheck = true') + "once = true\n"
    tiny_workspace.write("bake.toml", config)
    tiny_workspace.write("services/api/index.js", SERVER)
    tiny_workspace.write("services/worker/index.js", PROBE)
    assert tiny_workspace.bake("list").stderr.endswith("the variables that it sets; run `bake lock`\n")
    assert tiny_workspace.bake("lock").returncode == 0
    tiny_workspace.commit("Leave out what processes do not need")
    built = tiny_workspace.bake("all", "--push", "-q")
    assert (built.returncode, built.stderr) == (0, "")

    tried = tiny_workspace.bake("smoke", "--pushed", "--format", "json", "-q")
    assert tried.returncode == 0, tried.stdout + tried.stderr
    verified = tiny_workspace.bake("verify", "--pushed", "--no-monolith")
    assert verified.returncode == 0, verified.stderr
    for arch, word in (("amd64", "x64"), ("arm64", "arm64")):
        image = f"{REGISTRY}/bake-test/{tiny_workspace.project}-worker:main"
        asked = ["docker", "run", "--rm", "--read-only", "--platform", f"linux/{arch}", "-e", "TZ=Asia/Tokyo"]
        done = subprocess.run([*asked, image], capture_output=True, text=True, check=False)
        assert json.loads(done.stdout or done.stderr) == {
            "icu": True,
            "openssl": True,
            "month": "январь",
            "zone": "Asia/Tokyo",
            "address": "127.0.0.1",
            "status": 200,
            "made": "node",
            "arch": word,
        }
        held = _held(image, arch)
        assert [p for p, mode in held.items() if mode & 0o6000] == []
        files = [p for p in held if not p.endswith("/") and "/" in p and not p.startswith(("app/", "etc/", "dev/"))]
        assert [p for p in files if held[p] & 0o111 and ".so" not in p] == ["usr/local/bin/node"]
        assert held["tmp/"] == 0o1777

    sizes = json.loads(tiny_workspace.bake("size", "--pushed", "--format", "json").stdout)
    assert {i["base"]["stored"] < 55_000_000 for i in sizes["images"]} == {True}


def _held(image: str, arch: str) -> dict[str, int]:
    """Path -> mode of an image's files and folders; those of folders end in a slash."""
    made = ["docker", "create", "--platform", f"linux/{arch}", image]
    box = subprocess.run(made, capture_output=True, text=True, check=True).stdout.strip()
    try:
        exported = subprocess.run(["docker", "export", box], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(exported)) as tar:
            return {f"{m.name}/" if m.isdir() else m.name: m.mode for m in tar if not m.issym()}
    finally:
        subprocess.run(["docker", "rm", box], capture_output=True, check=False)


BUILD = """\
const fs = require('node:fs');
fs.mkdirSync('.next/standalone/services/api/.next', {recursive: true});
fs.mkdirSync('.next/static', {recursive: true});
fs.writeFileSync('.next/static/a.txt', process.env.NEXT_PRIVATE_OUTPUT_TRACE_ROOT);
const server = "require('node:http').createServer((_, res) => res.end('up')).listen(3000)";
fs.writeFileSync('.next/standalone/services/api/server.js', `process.on('SIGTERM', () => process.exit(0)); ${server}`);
"""


def test_what_a_build_makes_as_a_complete_server_is_all_that_its_image_holds(
    tiny_workspace: Workspace, tiny_base: str
) -> None:
    config = (tiny_workspace.root / "bake.toml").read_text().replace(tiny_base, "node:24-slim")
    own = 'port = 3000\nhealth = "/"\nstandalone = ".next/standalone"\ncommand = "node server.js"\n'
    tiny_workspace.write("bake.toml", config.replace("port = 3000\n", own))
    manifest = json.loads((tiny_workspace.root / "services/api/package.json").read_text())
    tiny_workspace.write("services/api/package.json", json.dumps(manifest | {"scripts": {"build": "node make.js"}}))
    tiny_workspace.write("services/api/make.js", BUILD)
    tiny_workspace.commit("Build a complete server")
    built = tiny_workspace.bake("api", "-q")
    assert (built.returncode, built.stderr) == (0, "")
    held = run(f"{tiny_workspace.project}-api:main", "find", "/app", "-type", "f")
    assert sorted(held.split()) == ["/app/services/api/.next/static/a.txt", "/app/services/api/server.js"]
    assert run(f"{tiny_workspace.project}-api:main", "cat", "/app/services/api/.next/static/a.txt") == "/app"
    assert tiny_workspace.bake("smoke", "api", "-q").returncode == 0
