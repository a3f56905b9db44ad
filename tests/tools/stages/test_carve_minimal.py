"""docker/carve takes Node out of a base image of any platform, with what it needs and nothing else."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.plant import plant
from tests.tools.stages.test_carve import AMD64, ARM64, TIME, elf, files, read, run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")

LIBRARIES = "usr/lib/aarch64-linux-gnu"
PASSWD = "root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000::/home/node:/bin/sh\nwww:x:33:33::/var/www:/bin/false\n"
STATUS = """\
Package: libc6
Architecture: arm64
Version: 2.36

Package: apt
Architecture: arm64
Version: 2.6
"""


def debian(root: Path) -> Path:
    """A base image as Node's own for arm64 are; of another platform than what reads it."""
    base = plant(
        root / "base",
        {
            "usr/local/bin/node": elf(
                ARM64, interpreter="/lib/ld-linux-aarch64.so.1", needed=("libstdc++.so.6", "libc.so.6")
            ),
            f"{LIBRARIES}/ld-linux-aarch64.so.1": elf(ARM64),
            f"{LIBRARIES}/libc.so.6": elf(ARM64, needed=("ld-linux-aarch64.so.1",)),
            f"{LIBRARIES}/libstdc++.so.6.0.30": elf(ARM64, needed=("libm.so.6",)),
            f"{LIBRARIES}/libm.so.6": elf(ARM64),
            f"{LIBRARIES}/libresolv.so.2": elf(ARM64),
            f"{LIBRARIES}/libssl.so.3": elf(ARM64, needed=("libcrypto.so.3", "libc.so.6")),
            "opt/crypto/libcrypto.so.3": elf(ARM64),
            "usr/lib/x86_64-linux-gnu/libm.so.6": elf(AMD64),
            "etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n",
            "etc/ld.so.conf.d/crypto.conf": "# its own\n/opt/crypto\n",
            "etc/ld.so.cache": "cache",
            "etc/passwd": PASSWD,
            "etc/group": "root:x:0:\nnode:x:1000:\n",
            "etc/corp.pem": "corp",
            "usr/share/zoneinfo/Europe/Berlin": "tz",
            "usr/share/zoneinfo/right/Europe/Berlin": "tz with leap seconds",
            "usr/bin/env": elf(ARM64, needed=("libc.so.6",)),
            "usr/bin/dash": elf(ARM64, needed=("libc.so.6",)),
            "usr/bin/su": elf(ARM64),
            "var/lib/dpkg/status": STATUS,
            "var/lib/dpkg/info/libc6:arm64.list": "/.\n/lib\n/lib/aarch64-linux-gnu/libc.so.6\n",
            "var/lib/dpkg/info/apt.list": "/.\n/usr/bin/apt\n",
            "home/node/.bashrc": "",
            "root/.profile": "",
        },
    )
    links = {
        "lib": "usr/lib",
        "bin": "usr/bin",
        "usr/lib/ld-linux-aarch64.so.1": "aarch64-linux-gnu/ld-linux-aarch64.so.1",
        f"{LIBRARIES}/libstdc++.so.6": "libstdc++.so.6.0.30",
        "var/run": "/run",
    }
    for path, target in links.items():
        (base / path).symlink_to(target)
    (base / "usr/local/bin/node").chmod(0o4755)
    os.chown(base / "home/node", 1000, 1000)
    (base / "root").chmod(0o700)
    return base


def minimal(root: Path, environment: Mapping[str, str] | None = None, path: str = "/usr/local/bin:/usr/bin") -> str:
    """Make one from the base; gives what is said."""
    given = ["--base", root / "base", "--path", path, "--environment", json.dumps(environment or {})]
    return run("minimal", *map(str, given), "--out", str(root / "out")).stderr


def test_node_its_libraries_and_what_every_process_reads_are_all_that_is_there(tmp_path: Path) -> None:
    debian(tmp_path)
    assert minimal(tmp_path, {"PATH": "/usr/bin", "NODE_EXTRA_CA_CERTS": "/etc/corp.pem", "HOME": "/root"}) == ""
    out = tmp_path / "out"
    assert files(out) == (
        "etc/corp.pem",
        "etc/group",
        "etc/ld.so.cache",
        "etc/nsswitch.conf",
        "etc/passwd",
        "etc/ssl/certs/ca-certificates.crt",
        f"{LIBRARIES}/ld-linux-aarch64.so.1",
        f"{LIBRARIES}/libc.so.6",
        f"{LIBRARIES}/libm.so.6",
        f"{LIBRARIES}/libresolv.so.2",
        f"{LIBRARIES}/libstdc++.so.6",
        f"{LIBRARIES}/libstdc++.so.6.0.30",
        "usr/lib/ld-linux-aarch64.so.1",
        "usr/local/bin/node",
        "usr/share/zoneinfo/Europe/Berlin",
        "var/lib/dpkg/status.d/libc6",
    )
    assert {p: str((out / p).readlink()) for p in ("lib", "var/run")} == {"lib": "usr/lib", "var/run": "/run"}
    assert read(out / "etc/passwd") == PASSWD
    assert read(out / "etc/nsswitch.conf") == "hosts: files dns\n"
    assert read(out / "etc/ssl/certs/ca-certificates.crt").startswith("-----BEGIN CERTIFICATE-----\n")
    assert read(out / "var/lib/dpkg/status.d/libc6") == "Package: libc6\nArchitecture: arm64\nVersion: 2.36\n"
    assert {round(p.lstat().st_mtime) for p in out.rglob("*")} == {TIME}
    unusual = {}
    for path in (p for p in out.rglob("*") if not p.is_symlink()):
        about = (path.stat().st_uid, oct(stat.S_IMODE(path.stat().st_mode)))
        if about not in ((0, "0o755"), (0, "0o644")):
            unusual[str(path.relative_to(out))] = about
    assert unusual == {
        "home/node": (1000, "0o755"),
        "root": (0, "0o700"),
        "tmp": (0, "0o1777"),
        "var/tmp": (0, "0o1777"),
    }


def test_two_of_them_are_the_same(tmp_path: Path) -> None:
    held = []
    for name in ("one", "two"):
        debian(tmp_path / name)
        minimal(tmp_path / name)
        out = tmp_path / name / "out"
        held.append({p.relative_to(out): p.lstat().st_mode for p in out.rglob("*")})
    assert held[0] == held[1]


def test_musl_has_a_loader_of_its_own_and_alpine_other_records(tmp_path: Path) -> None:
    records = "C:1\nP:musl\nF:lib\nR:ld-musl-aarch64.so.1\n\nC:2\nP:busybox\nF:bin\nR:busybox\n\n"
    loader, needed = "lib/ld-musl-aarch64.so.1", ("libstdc++.so.6", "libc.musl-aarch64.so.1")
    plant(
        tmp_path / "base",
        {
            "usr/local/bin/node": elf(ARM64, interpreter=f"/{loader}", needed=needed),
            loader: elf(ARM64),
            "usr/lib/libstdc++.so.6": elf(ARM64),
            "bin/busybox": elf(ARM64),
            "etc/passwd": "root:x:0:0:root:/root:/bin/ash\n",
            "etc/ssl/cert.pem": "bundle",
            "lib/apk/db/installed": records,
        },
    )
    (tmp_path / "base/lib/libc.musl-aarch64.so.1").symlink_to("ld-musl-aarch64.so.1")
    assert minimal(tmp_path) == ""
    assert files(tmp_path / "out") == (
        "etc/group",
        "etc/passwd",
        "etc/ssl/cert.pem",
        "lib/apk/db/installed",
        loader,
        "lib/libc.musl-aarch64.so.1",
        "usr/lib/libstdc++.so.6",
        "usr/local/bin/node",
    )
    assert read(tmp_path / "out/etc/passwd").endswith("/bin/ash\nnode:x:1000:1000::/home/node:/sbin/nologin\n")
    assert read(tmp_path / "out/lib/apk/db/installed") == records[: records.index("C:2")]


def test_a_base_without_node_or_without_a_library_of_it_is_an_error(tmp_path: Path) -> None:
    base = debian(tmp_path)
    said = minimal(tmp_path, path="/usr/bin")
    assert said == "carve: the base image has no node in /usr/bin, of which a minimal one could be made\n"
    (base / LIBRARIES / "libm.so.6").unlink()
    said = minimal(tmp_path)
    assert said == f"carve: {LIBRARIES}/libstdc++.so.6.0.30 of the base image needs libm.so.6, which that has not\n"
    (base / "usr/local/bin/node").write_text('#!/bin/sh\nexec /opt/node "$@"\n')
    said = minimal(tmp_path)
    assert said == "carve: usr/local/bin/node of the base image is a script, which a minimal base could not start\n"


def libraries(root: Path, *words: str) -> tuple[str, str]:
    """What native packages need beside a minimal base; gives what is said and complained of."""
    given = ["--base", root / "base", "--minimal", root / "out", "--image", root / "image", "--out", root / "more"]
    done = run("libraries", *map(str, given), *words)
    return done.stdout, done.stderr


def test_libraries_of_native_packages_come_from_their_package_or_from_the_base(tmp_path: Path) -> None:
    debian(tmp_path)
    minimal(tmp_path)
    packages = "image/layer/app/node_modules"
    plant(
        tmp_path,
        {
            f"{packages}/a/a.node": elf(ARM64, needed=("libssl.so.3", "libstdc++.so.6", "libown.so.1", "libc.so.6")),
            f"{packages}/a/lib/libown.so.1": elf(ARM64, needed=("libc.so.6",)),
            f"{packages}/b/b.node": elf(ARM64, needed=("libX11.so.6",)),
        },
    )
    lacks = "node_modules/b/b.node: needs libX11.so.6, which neither its package nor the base image has"
    assert libraries(tmp_path) == (f"warning: {lacks}\n", "")
    assert files(tmp_path / "more") == ("opt/crypto/libcrypto.so.3", f"{LIBRARIES}/libssl.so.3")


def test_commands_that_are_scripts_get_env_where_it_is_no_shell_too(tmp_path: Path) -> None:
    base = debian(tmp_path)
    minimal(tmp_path)
    plant(tmp_path, {"image/app/index.js": ""})
    assert libraries(tmp_path, "--program", "usr/bin/env") == ("", "")
    assert files(tmp_path / "more") == ("usr/bin/env",)
    (base / "usr/bin/env").unlink()
    (base / "usr/bin/env").symlink_to("/bin/dash")
    assert libraries(tmp_path, "--program", "usr/bin/env")[1] == (
        "carve: /usr/bin/env of the base image, which starts commands of packages, is usr/bin/dash there, "
        "which is more than that; start their files, `node node_modules/…`\n"
    )
