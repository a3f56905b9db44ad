"""docker/serve.mjs, as a real node process on a free port of the loopback interface."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "docker" / "serve.mjs"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

INDEX = '<!doctype html><script type="module" src="/assets/index-B1a2c3D4.js"></script>'
SCRIPT_TEXT = "export const answer = 42;\n" * 200
# As Kubernetes' `drop: [ALL]`; also keeps root from reading what the mode forbids.
WITHOUT_CAPABILITIES = ("setpriv", "--bounding-set=-all") if os.geteuid() == 0 else ()
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


TYPES = {
    "x.html": "text/html; charset=utf-8",
    "x.css": "text/css; charset=utf-8",
    "x.js": "text/javascript; charset=utf-8",
    "x.mjs": "text/javascript; charset=utf-8",
    "x.json": "application/json; charset=utf-8",
    "x.map": "application/json; charset=utf-8",
    "x.webmanifest": "application/manifest+json; charset=utf-8",
    "x.svg": "image/svg+xml; charset=utf-8",
    "x.txt": "text/plain; charset=utf-8",
    "x.wasm": "application/wasm",
    "x.woff2": "font/woff2",
    "x.PNG": "image/png",
    "x.avif": "image/avif",
    "x.unknown": "application/octet-stream",
    "LICENSE": "application/octet-stream",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response as it came over the wire, not decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A serve.mjs that listens, and its folder."""

    process: subprocess.Popen[str]
    port: int
    root: Path

    def get(self, path: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> Answer:
        """Send the path as it stands: http.client does not normalise it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return Answer(status=response.status, headers=dict(response.getheaders()), body=response.read())
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send the signal; the exit status and what was printed since the start."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=10)
        return self.process.returncode, out


@contextmanager
def serving(root: Path, *, prefix: tuple[str, ...] = (), **environment: str) -> Iterator[Site]:
    process = node(root, prefix=prefix, PORT="0", HOST="127.0.0.1", **environment)
    assert process.stdout is not None
    try:
        line = json.loads(process.stdout.readline())
        assert line["msg"] == "listening"
        yield Site(process=process, port=line["port"], root=root)
    finally:
        process.kill()
        process.communicate()


def node(*arguments: str | Path, prefix: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
    env = {"PATH": os.environ["PATH"], **environment}
    command = [*prefix, "node", str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def make_site(root: Path) -> Path:
    files = {
        "index.html": INDEX,
        "about.html": "about",
        "docs/index.html": "docs",
        "assets/index-B1a2c3D4.js": SCRIPT_TEXT,
        "assets/packed-Zx9_aB-c.css": "body {}\n" * 300,
        "app.webmanifest": "{}",
        "favicon.svg": "<svg/>",
        ".env": "TOKEN=secret",
        ".git/config": "secret",
        ".well-known/security.txt": "Contact: mailto:security@example.com",
        "..data/config.js": "window.config = {}",
        "with space.txt": "space",
        "small.js": "1",
        "large.png": "0" * 5000,
        **dict.fromkeys(TYPES, ""),
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "assets/packed-Zx9_aB-c.css.br").write_bytes(b"brotli bytes")
    (root / "assets/packed-Zx9_aB-c.css.gz").write_bytes(gzip.compress(b"body {}\n" * 300))
    (root / "config.js").symlink_to("..data/config.js")
    (root / "secret.txt").symlink_to("/etc/passwd")
    (root / "secrets").symlink_to("/etc")
    return root


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(make_site(tmp_path_factory.mktemp("site"))) as running:
        yield running


def test_the_root_is_index_html_and_is_revalidated_each_time(site: Site) -> None:
    answer = site.get("/")
    assert (answer.status, answer.body.decode()) == (200, INDEX)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Length"] == str(len(INDEX))


@pytest.mark.parametrize("path", ["/jobs/17", "/jobs/17/", "/v1.2/jobs", "/?tab=jobs", "/jobs?file=x.js"])
def test_a_navigation_to_an_unknown_path_gets_index_html(site: Site, path: str) -> None:
    answer = site.get(path, BROWSER)
    assert (answer.status, answer.body.decode()) == (200, INDEX)
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_missing_asset_is_404_for_a_browser_too(site: Site) -> None:
    answer = site.get("/assets/index-00000000.js", BROWSER)
    assert (answer.status, answer.body) == (404, b"not found\n")
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_fetch_of_an_unknown_path_is_404(site: Site) -> None:
    assert site.get("/api/jobs", {"Accept": "application/json"}).status == 404
    assert site.get("/api/jobs").status == 404


@pytest.mark.parametrize(("path", "body"), [("/about", b"about"), ("/docs", b"docs"), ("/docs/", b"docs")])
def test_a_page_is_found_without_its_extension(site: Site, path: str, body: bytes) -> None:
    assert site.get(path, BROWSER).body == body


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(make_site(tmp_path_factory.mktemp("configured")), SPA="0", HEALTH_PATH="/live") as running:
        yield running


def test_spa_0_switches_the_history_fallback_off(configured: Site) -> None:
    assert configured.get("/jobs/17", BROWSER).status == 404
    assert configured.get("/", BROWSER).status == 200


IMMUTABLE = (
    "assets/index-B1a2c3D4.js",
    "assets/index-D1Pq_x-Z.js",
    "assets/index-BxYzQwER.js",
    "assets/date-picker-Cx8aQ2.-B1a2c3D4.css",
    "static/js/main.3f2a1b9c.js",
    "static/js/main.3f2a1b9c.chunk.js",
    "static/js/main.3f2a1b9c.js.map",
    "main-5FSGOR7Y.js",
    "chunks/4bd1b696-0b5e1b1f0c8f4f5e.js",
    "media/8a7c6b5d4e3f2a1b9c0d.woff2",
)
REVALIDATED = (
    "favicon.ico",
    "sw.js",
    "date-component.js",
    "app-MyWidget.js",
    "view-HTMLView.js",
    "top-Main-Nav.js",
    "runtime-version5.js",
    "report-20240101.pdf",
    "Report-Summary2024.pdf",
    "jquery-3.7.1.min.js",
    "es2015-polyfills.js",
    "page.3f2a1b9c.html",
)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("named")
    for name in IMMUTABLE + REVALIDATED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    with serving(root) as running:
        yield running


@pytest.mark.parametrize("name", IMMUTABLE)
def test_a_name_with_a_content_hash_is_cached_for_a_year(named: Site, name: str) -> None:
    assert named.get(f"/{name}").headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("name", REVALIDATED)
def test_a_name_without_a_content_hash_is_revalidated(named: Site, name: str) -> None:
    assert named.get(f"/{name}").headers["Cache-Control"] == "no-cache"


def test_every_type_a_frontend_ships_is_named_correctly(site: Site) -> None:
    assert {name: site.get(f"/{name}").headers["Content-Type"] for name in TYPES} == TYPES


def test_text_is_gzipped_on_the_fly_for_who_accepts_it(site: Site) -> None:
    packed = site.get("/assets/index-B1a2c3D4.js", {"Accept-Encoding": "gzip, deflate, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body).decode() == SCRIPT_TEXT
    assert packed.headers["Content-Length"] == str(len(packed.body))
    plain = site.get("/assets/index-B1a2c3D4.js")
    assert "Content-Encoding" not in plain.headers
    assert plain.body.decode() == SCRIPT_TEXT
    assert {packed.headers["Vary"], plain.headers["Vary"]} == {"Accept-Encoding"}
    assert packed.headers["ETag"] != plain.headers["ETag"]


@pytest.mark.parametrize(
    ("offered", "coding"),
    [
        ("gzip, br", "br"),
        ("gzip;q=1.0, br;q=0", "gzip"),
        ("GZIP", "gzip"),
        ("*", "br"),
        ("*;q=0", None),
        ("identity", None),
        ("", None),
    ],
)
def test_a_precompressed_neighbour_is_sent_when_its_coding_is_accepted(
    site: Site, offered: str, coding: str | None
) -> None:
    answer = site.get("/assets/packed-Zx9_aB-c.css", {"Accept-Encoding": offered})
    assert answer.headers.get("Content-Encoding") == coding
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert answer.headers["Content-Length"] == str(len(answer.body))


def test_a_precompressed_neighbour_is_sent_byte_for_byte(site: Site) -> None:
    assert site.get("/assets/packed-Zx9_aB-c.css", {"Accept-Encoding": "br"}).body == b"brotli bytes"


def test_small_and_binary_files_are_not_gzipped(site: Site) -> None:
    for name in ("small.js", "large.png"):
        assert "Content-Encoding" not in site.get(f"/{name}", {"Accept-Encoding": "gzip"}).headers


def test_a_known_etag_gives_304_without_a_body(site: Site) -> None:
    for coding in ("", "gzip"):
        headers = {"Accept-Encoding": coding}
        etag = site.get("/assets/index-B1a2c3D4.js", headers).headers["ETag"]
        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            answer = site.get("/assets/index-B1a2c3D4.js", {**headers, "If-None-Match": known})
            assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag)
            assert answer.headers["Vary"] == "Accept-Encoding"
        assert site.get("/assets/index-B1a2c3D4.js", {**headers, "If-None-Match": '"other"'}).status == 200


def test_the_etag_is_of_the_content_not_of_size_and_time(site: Site) -> None:
    for name, hashed in {"old": "B1a2c3D4", "new": "Zx9yW8v7", "same": "B1a2c3D4"}.items():
        (site.root / f"{name}.html").write_text(f"<script src=/assets/index-{hashed}.js></script>")
        os.utime(site.root / f"{name}.html", (0, 0))
    etags = {name: site.get(f"/{name}.html").headers["ETag"] for name in ("old", "new", "same")}
    assert etags["old"] == etags["same"] != etags["new"]


def test_a_file_that_changes_is_sent_anew(site: Site) -> None:
    page = site.root / "changing.html"
    page.write_text("a" * 2000)
    before = site.get("/changing.html", {"Accept-Encoding": "gzip"})
    page.write_text("b" * 2001)
    headers = {"Accept-Encoding": "gzip", "If-None-Match": before.headers["ETag"]}
    after = site.get("/changing.html", headers)
    assert (after.status, gzip.decompress(after.body)) == (200, b"b" * 2001)


def test_head_has_the_headers_of_get_and_no_body(site: Site) -> None:
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        get = site.get("/assets/index-B1a2c3D4.js", headers)
        head = site.get("/assets/index-B1a2c3D4.js", headers, method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert {k: v for k, v in head.headers.items() if k != "Date"} == {
            k: v for k, v in get.headers.items() if k != "Date"
        }


RANGED = "".join(map(str, range(10))) * 500


@pytest.fixture(scope="module")
def ranged(site: Site) -> Site:
    (site.root / "film.mp4").write_text(RANGED)
    (site.root / "empty.mp4").touch()
    return site


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-1", 0, 1),
        ("bytes=7-", 7, 4999),
        ("bytes=4990-9999", 4990, 4999),
        ("bytes=-3", 4997, 4999),
        ("bytes=-9999", 0, 4999),
        ("BYTES=5-5", 5, 5),
    ],
)
def test_a_range_of_a_file_is_sent_alone(ranged: Site, asked: str, start: int, end: int) -> None:
    answer = ranged.get("/film.mp4", {"Range": asked})
    assert (answer.status, answer.body.decode()) == (206, RANGED[start : end + 1])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end}/5000"
    assert answer.headers["Content-Length"] == str(end - start + 1)
    assert answer.headers["Content-Type"] == "video/mp4"


@pytest.mark.parametrize("asked", ["bytes=5000-", "bytes=-0", "bytes=9999-10000"])
def test_a_range_behind_the_end_is_416(ranged: Site, asked: str) -> None:
    answer = ranged.get("/film.mp4", {"Range": asked})
    assert (answer.status, answer.headers["Content-Range"], answer.body) == (416, "bytes */5000", b"no such range\n")
    assert ranged.get("/empty.mp4", {"Range": "bytes=0-"}).headers["Content-Range"] == "bytes */0"


@pytest.mark.parametrize("asked", ["", "bytes=", "bytes=-", "bytes=9-1", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b"])
def test_what_is_no_single_range_gives_the_whole_file(ranged: Site, asked: str) -> None:
    answer = ranged.get("/film.mp4", {"Range": asked})
    assert (answer.status, answer.body.decode(), answer.headers["Accept-Ranges"]) == (200, RANGED, "bytes")


def test_a_download_goes_on_only_with_the_content_it_began_with(ranged: Site) -> None:
    etag = ranged.get("/film.mp4").headers["ETag"]
    asked = {"Range": "bytes=4998-"}
    assert ranged.get("/film.mp4", {**asked, "If-Range": etag}).body == b"89"
    for other in ('"other"', f"W/{etag}", "Sat, 01 Jan 2000 00:00:00 GMT"):
        assert ranged.get("/film.mp4", {**asked, "If-Range": other}).status == 200
    assert ranged.get("/film.mp4", {**asked, "If-None-Match": etag}).status == 304
    head = ranged.get("/film.mp4", asked, method="HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, "5000")


def test_a_range_is_one_of_what_goes_over_the_wire(site: Site) -> None:
    headers = {"Accept-Encoding": "gzip"}
    whole = site.get("/assets/index-B1a2c3D4.js", headers)
    rest = site.get("/assets/index-B1a2c3D4.js", {**headers, "Range": "bytes=20-", "If-Range": whole.headers["ETag"]})
    assert (rest.status, rest.headers["Content-Encoding"], rest.body) == (206, "gzip", whole.body[20:])


def test_every_answer_has_headers_that_keep_browsers_from_guessing(site: Site) -> None:
    for answer in (site.get("/"), site.get("/nothing.js"), site.get("/", method="POST")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"


def test_headers_are_added_replaced_and_taken_away(tmp_path: Path) -> None:
    own = {
        "Content-Security-Policy": "default-src 'self'",
        "referrer-policy": "no-referrer",
        "X-Content-Type-Options": "",
    }
    with serving(make_site(tmp_path), HEADERS=json.dumps(own)) as site:
        for answer in (site.get("/"), site.get("/nothing.js")):
            assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert not {"Referrer-Policy", "X-Content-Type-Options"} & {*answer.headers}


@pytest.mark.parametrize("prefix", ["/app/", "app"])
def test_files_answer_below_the_path_that_they_were_built_for_and_at_the_top(tmp_path: Path, prefix: str) -> None:
    with serving(make_site(tmp_path), PREFIX=prefix) as site:
        found = {path: site.get(path) for path in ("/app/", "/", "/app/assets/index-B1a2c3D4.js", "/app/deep/page")}
        assert [a.body.decode() for a in found.values()][:3] == [INDEX, INDEX, SCRIPT_TEXT]
        assert site.get("/app/deep/page", BROWSER).body.decode() == INDEX
        moved = site.get("/app?x=1")
        assert (moved.status, moved.headers["Location"]) == (302, "/app/?x=1")
        assert [site.get(path).status for path in ("/apple", "/app/none.js", "/%ff", "/app/.env", "/healthz")] == [
            *(404, 404, 400, 404, 200)
        ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"X Y": "z"}', 'Header name must be a valid HTTP token ["X Y"]'),
        ('{"X": "a\\nb"}', 'Invalid character in header content ["X"]'),
        ('{"X": 1}', "X: not text"),
    ],
)
def test_headers_that_cannot_be_sent_are_one_line_and_status_1(tmp_path: Path, text: str, message: str) -> None:
    assert failure(tmp_path, HEADERS=text) == (1, f"serve: HEADERS: {message}\n")


def test_a_reader_that_never_reads_loses_its_connection_and_the_file_is_closed(tmp_path: Path) -> None:
    with (tmp_path / "film.mp4").open("wb") as film:
        film.truncate(64 * 1024 * 1024)  # more than the buffers between
    with serving(tmp_path, ACCESS_LOG="1", STALL_SECONDS="1") as site, socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", site.port))
        reader.sendall(b"GET /film.mp4 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert site.process.stdout is not None
        assert json.loads(site.process.stdout.readline())["url"] == "/film.mp4"  # said when the connection is closed
        while str(tmp_path / "film.mp4") in opened_by(site.process.pid):
            assert site.get("/healthz").status == 200  # the file is closed behind its connection


def opened_by(number: int) -> list[str]:
    return [os.path.realpath(each) for each in Path(f"/proc/{number}/fd").iterdir()]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_405_with_the_allowed_ones(site: Site, method: str) -> None:
    answer = site.get("/", method=method)
    assert (answer.status, answer.headers["Allow"], answer.body) == (
        405,
        "GET, HEAD",
        b"method not allowed\n",
    )


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/..%2f..%2f..%2f..%2fetc/passwd",
        "/%2fetc/passwd",
        "//etc/passwd",
        "/secret.txt",
        "/secrets/passwd",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/..data/config.js",
        "/favicon.svg/x",
        "/" + "a" * 300 + ".js",
    ],
)
def test_nothing_outside_the_root_and_no_dotfile_is_sent(site: Site, path: str) -> None:
    answer = site.get(path)
    assert (answer.status, answer.body) == (404, b"not found\n")


@pytest.mark.parametrize("path", ["/%00", "/index.html%00.js", "/%", "/%zz", "/%c3%28", "http://other/", "*"])
def test_a_malformed_path_is_400(site: Site, path: str) -> None:
    answer = site.get(path, BROWSER)
    assert (answer.status, answer.body) == (400, b"bad request\n")


def test_an_escaped_name_is_decoded_once(site: Site) -> None:
    assert site.get("/with%20space.txt").body == b"space"
    assert site.get("/with%2520space.txt").status == 404


def test_links_inside_the_root_work_as_a_mounted_configmap_needs(site: Site) -> None:
    assert site.get("/config.js").body == b"window.config = {}"


def test_well_known_files_are_sent(site: Site) -> None:
    assert site.get("/.well-known/security.txt").status == 200


def test_the_health_path_answers_ok(site: Site) -> None:
    answer = site.get("/healthz")
    assert (answer.status, answer.body, answer.headers["Cache-Control"]) == (200, b"ok", "no-store")
    assert site.get("/healthz?probe=1").body == b"ok"
    assert site.get("/healthz", method="HEAD").body == b""


def test_the_health_path_can_be_moved(configured: Site) -> None:
    assert configured.get("/live").body == b"ok"
    assert configured.get("/healthz").status == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_even_while_a_client_keeps_its_connection(tmp_path: Path, number: int) -> None:
    with serving(make_site(tmp_path)) as site:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok"
        assert site.stop(number) == (0, "")
        connection.close()


def test_the_access_log_is_one_json_line_per_request(tmp_path: Path) -> None:
    with serving(make_site(tmp_path), ACCESS_LOG="1") as site:
        site.get("/jobs/17?tab=a%22b", BROWSER)
        site.get("/nothing.js", method="HEAD")
        status, out = site.stop()
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [(line["method"], line["url"], line["status"]) for line in lines] == [
        ("GET", "/jobs/17?tab=a%22b", 200),
        ("HEAD", "/nothing.js", 404),
    ]


def test_an_unreadable_file_is_500_and_the_server_lives_on(tmp_path: Path) -> None:
    (tmp_path / "locked.js").write_text("x")
    (tmp_path / "locked.js").chmod(0)
    with serving(tmp_path, prefix=WITHOUT_CAPABILITIES) as site:
        assert site.get("/locked.js").status == 500
        assert site.get("/healthz").status == 200
        site.process.kill()
        _, err = site.process.communicate(timeout=10)
    assert json.loads(err) == {
        "msg": "failed",
        "method": "GET",
        "url": "/locked.js",
        "error": f"EACCES: permission denied, open '{tmp_path / 'locked.js'}'",
    }


def failure(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    process = node(*arguments, prefix=(), **environment)
    _, err = process.communicate(timeout=10)
    return process.returncode, err


def test_a_missing_root_is_one_line_and_status_1(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert failure() == (1, "serve: no folder given; usage: node serve.mjs ROOT\n")
    assert failure(tmp_path / "file") == (1, f"serve: {tmp_path / 'file'}: no such folder\n")


def test_a_bad_or_taken_port_is_one_line_and_status_1(tmp_path: Path) -> None:
    assert failure(tmp_path, PORT="http") == (1, "serve: PORT=http: not a port number\n")
    assert failure(tmp_path, STALL_SECONDS="0") == (1, "serve: STALL_SECONDS=0: not a number of seconds\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, err = failure(tmp_path, PORT=str(port), HOST="127.0.0.1")
    assert (status, err) == (1, f"serve: 127.0.0.1:{port}: port is taken\n")


UPSTREAM = """
const server = require('http').createServer((q, r) => {
  q.resume().on('end', () => {
    r.writeHead(q.url.includes('made') ? 201 : 200, { 'X-Api': 'yes' });
    const { host, 'x-forwarded-host': asked, 'x-forwarded-for': from } = q.headers;
    r.end([q.method, q.url, host, asked, from].join(' '));
  });
});
const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: chat', 'Connection: Upgrade', '', ''].join('\\r\\n');
server.on('upgrade', (q, s) => s.end(head + 'hi ' + q.url));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


@contextmanager
def upstream() -> Iterator[int]:
    with subprocess.Popen(["node", "-e", UPSTREAM], text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def test_paths_are_handed_on_to_another_server_as_nginx_does(tmp_path: Path) -> None:
    with upstream() as port:
        to = f"http://127.0.0.1:{port}"
        proxies = json.dumps({"/api/": f"{to}/", "/api/v2/": to, "/old": f"{to}/new"})
        with serving(make_site(tmp_path), PROXY=proxies) as site:
            tail = f"127.0.0.1:{port} 127.0.0.1:{site.port} 127.0.0.1"
            answers = {path: site.get(path) for path in ("/api/x?a=1", "/api/v2/x", "/old/x", "/api")}
            made = site.get("/api/made", method="DELETE")
            assert answers["/api/x?a=1"].body.decode() == f"GET /x?a=1 {tail}"
            assert answers["/api/v2/x"].body.decode() == f"GET /api/v2/x {tail}"
            assert answers["/old/x"].body.decode() == f"GET /new/x {tail}"
            assert (made.status, made.headers["x-api"], made.body[:12]) == (201, "yes", b"DELETE /made")
            assert answers["/api"].status == 404
            assert site.get("/", BROWSER).body.decode() == INDEX


def test_no_path_leaves_the_part_of_the_other_server_that_it_stands_for(tmp_path: Path) -> None:
    ways = ("/api/../admin", "/api/%2e%2E/admin", "/api/..\\admin", "/api/x/../../admin")
    with upstream() as port:
        proxies = json.dumps({"/api/": f"http://127.0.0.1:{port}/public/", "/x": f"http://127.0.0.1:{port}/x"})
        with serving(make_site(tmp_path), PROXY=proxies) as site:
            assert {way: site.get(way).status for way in ways} == dict.fromkeys(ways, 404)
            kept = site.get("/api/a/%2e/../b%2Fc?d=../e").body.decode()
            assert kept.startswith("GET /public/b%2Fc?d=../e ")
            assert site.get("/x/../../y").status == 404


def test_a_websocket_is_joined_to_the_other_server(tmp_path: Path) -> None:
    ask = b"GET /api/room HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
    with (
        upstream() as port,
        serving(make_site(tmp_path), PROXY=json.dumps({"/api/": f"http://127.0.0.1:{port}/"})) as site,
        socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection,
    ):
        connection.sendall(ask)
        text = b"".join(iter(lambda: connection.recv(4096), b""))
    assert text.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert text.endswith(b"\r\n\r\nhi /room")


def test_another_server_that_does_not_answer_is_a_bad_gateway(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with serving(make_site(tmp_path), PROXY=json.dumps({"/api/": f"http://127.0.0.1:{port}/"})) as site:
        answer = site.get("/api/x")
        assert (answer.status, answer.body) == (502, b"bad gateway\n")
        assert site.get("/healthz").status == 200


def test_a_bad_proxy_is_one_line_and_status_1(tmp_path: Path) -> None:
    assert failure(tmp_path, PROXY='{"api": "http://x"}') == (1, "serve: PROXY: api: not a path and a URL\n")
    assert failure(tmp_path, PROXY='{"/api": "ftp://x"}') == (1, "serve: PROXY: /api: not a path and a URL\n")
    assert failure(tmp_path, PROXY='{"/api": "x"}') == (1, "serve: PROXY: Invalid URL\n")
