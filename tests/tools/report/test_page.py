"""The page of a build: what it tells, that it is safe, complete and well-formed, and how Chromium shows it."""

import dataclasses
import os
import re
import shutil
import struct
import subprocess
import zlib
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bake import cli
from bake.build import Leg
from bake.build.account import write_account
from bake.errors import EngineError
from bake.images import Block, Held, Size, Stored, layer_map, measure, measure_fleet
from bake.images.blobs import Contents
from bake.render import template_text
from bake.report import TEMPLATE, Advice, Big, Page, SlowStep, render_markdown, render_page
from bake.report.big import Brought
from tests.unit.images.test_sizes import FLEET, SERVICES, UNPACKED, image, layer
from tests.unit.report.test_summary import ACCOUNT, built, ran

EVIL = "<script>alert('x')</script>&\""
VOID = frozenset({"meta", "link", "img", "br", "line", "rect", "path"})


BIG = Big(
    service="shop",
    images=("api", "worker"),
    size=measure(FLEET, SERVICES, UNPACKED)[0],
    brought=(
        Brought(
            name="tsx",
            by="shop",
            bytes=90,
            held=(
                Held(path="node_modules/esbuild", version="1.0.0", bytes=70, via=("shop", "node_modules/esbuild")),
                Held(path="node_modules/tsx", version="4.0.0", bytes=20, via=("shop", "node_modules/tsx")),
            ),
        ),
        Brought(name="shop", by="", bytes=10, held=()),
    ),
    held=(Held(path="node_modules/esbuild", version="1.0.0", bytes=70, via=("shop", "node_modules/esbuild")),),
    rest=0,
)


def page(**changes: object) -> Page:
    images = tuple(built(t, service=s) for t, s in SERVICES.items())
    whole = Page(
        account=dataclasses.replace(ACCOUNT, images=images),
        when="2026-01-01 10:00 UTC",
        version="1.2.3",
        slow=(SlowStep(title="shop: npm run build", seconds=3.0, reason="shop/x.ts", before=None),),
        big=(BIG,),
        advice=(Advice(what="tsx brings 9.5 MB into api", remedy="compile it; `bake inspect api tsx` shows why"),),
        blocks=layer_map(FLEET, UNPACKED),
        sizes=measure(FLEET, SERVICES, UNPACKED),
        fleet=measure_fleet(FLEET, FLEET, SERVICES, UNPACKED),
    )
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


def html(shown: Page) -> str:
    return render_page(template_text(TEMPLATE), shown)


class Reader(HTMLParser):
    """Checks that tags nest; keeps each table as rows of (tag, text)."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[tuple[str, str]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"}.intersection(self.open):
            tag, text = self.tables[-1][-1][-1]
            self.tables[-1][-1][-1] = (tag, text + data.strip())


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_a_map_has_the_base_first_then_what_most_images_share() -> None:
    assert layer_map(FLEET, UNPACKED) == (
        Block(
            kind="base", name="base", images=("api", "web", "worker"), size=Size(stored=100, unpacked=300), holders={}
        ),
        Block(
            kind="dependencies",
            name="common",
            images=("api", "web", "worker"),
            size=Size(stored=20, unpacked=60),
            holders={},
        ),
        Block(kind="dependencies", name="shop", images=("api", "worker"), size=Size(stored=5, unpacked=15), holders={}),
        Block(kind="dependencies", name="web", images=("web",), size=Size(stored=7, unpacked=21), holders={}),
    )


def test_the_blobs_of_several_platforms_are_one_block_and_folders_alone_are_none() -> None:
    one, other, folder = layer("n1", 5, "packages"), layer("n2", 6, "packages"), layer("wd", 1, "settings")
    stored = (image("api", one, folder), image("api", other, folder, platform="linux/arm64"))
    unnamed = tuple(_unnamed(s) for s in stored)
    contents = {
        "sha256:n1": Contents(unpacked=10, files=2, holders={"a": 3, "b": 7}),
        "sha256:n2": Contents(unpacked=12, files=2, holders={"a": 5, "b": 7}),
        "sha256:wd": Contents(unpacked=0, files=0),
    }
    (block,) = layer_map(unnamed, contents)
    assert (block.kind, block.size) == ("packages", Size(stored=11, unpacked=22))
    assert list(block.holders.items()) == [("b", 7), ("a", 5)]
    assert ">b and 1 more</th>" in html(page(blocks=(block,)))


def _unnamed(stored: Stored) -> Stored:
    return dataclasses.replace(stored, layers=tuple(dataclasses.replace(n, name="") for n in stored.layers))


def test_a_page_has_the_build_the_map_and_the_sizes_as_tables() -> None:
    _slow, _big, images, stages, layers, sizes = read(html(page())).tables
    assert [c for _, c in images[1]] == [
        "api",
        "shop-api:main",
        "sha256:abababababab",
        "12.3 MB",
        "4.2",
        "6 of 9",
    ]
    assert [c for _, c in stages[3]] == ["build-api", "linux/amd64", "3.0", "0 of 2"]
    assert [[c for _, c in row] for row in layers] == [
        ["Layer", "Compressed", "Unpacked", "api", "worker", "web", "Packages"],
        ["base image", "100 B", "300 B", "yes", "yes", "yes", ""],
        ["common", "20 B", "60 B", "yes", "yes", "yes", ""],
        ["shop", "5 B", "15 B", "yes", "yes", "", ""],
        ["web", "7 B", "21 B", "", "", "yes", ""],
    ]
    assert [c for _, c in sizes[3]] == ["web", "linux/amd64", "100 B", "20 B", "7 B", "127 B", "381 B", ""]
    assert [c for _, c in sizes[-1]] == ["each layer once", "", "100 B", "20 B", "12 B", "132 B", "396 B", ""]
    assert "377 B if nothing were shared, 132 B with each layer once." in html(page())


def test_a_page_begins_with_what_was_slow_what_is_big_and_what_next() -> None:
    text = html(page())
    slow, big, *_ = read(text).tables
    assert [[c for _, c in row] for row in slow] == [
        ["Step", "Seconds", "Build before", "Ran because of"],
        ["shop: npm run build", "3.0", "", "shop/x.ts"],
    ]
    assert [c for _, c in big[1]] == ["esbuild", "1.0.0", "70 B", "shop > esbuild"]
    assert (
        'title="tsx, declared by shop: 90 B" style="left:0.00%;top:0.00%;width:90.00%;height:100.00%">tsx 90 B' in text
    )
    assert 'title="esbuild 1.0.0: 70 B"' in text
    assert "<li>tsx brings 9.5 MB into api: compile it; <code>bake inspect api tsx</code> shows why.</li>" in text
    assert text.index('id="slow"') < text.index('id="big"') < text.index('id="next"') < text.index('id="images"')


def test_a_comment_has_the_three_answers_and_a_mark_to_find_it_by() -> None:
    account = dataclasses.replace(page().account, path=(Leg(title="shop: npm run build", seconds=3.0, waited=0.0),))
    assert (
        render_markdown(page(account=account))
        == """\
<!-- bake: shop -->

### shop: 3 images in 12.3 s

#### What made it slow

It waited for shop: npm run build (3.0 s); all else on the way took 9.3 s.

| step | seconds | ran because of |
| --- | ---: | --- |
| shop: npm run build | 3.0 | shop/x.ts |

#### Why images are big

| images | size | above base | largest packages, unpacked |
| --- | ---: | ---: | --- |
| api, worker | 125 B | 25 B | esbuild 70 B |

#### What next

- tsx brings 9.5 MB into api: compile it; `bake inspect api tsx` shows why.
"""
    )
    nothing = page(slow=(), big=(), advice=())
    assert render_markdown(nothing).endswith("Nothing made it slow: no step took a tenth of a second.\n")


def test_every_table_has_a_caption_and_heads_of_rows_and_columns() -> None:
    reader = read(html(page()))
    assert sum(tag == "caption" for tag, _ in reader.tags) == len(reader.tables) == 6
    heads = [attrs.get("scope") for tag, attrs in reader.tags if tag == "th"]
    assert set(heads) == {"row", "col"}
    assert all(row[0][0] == "th" for table in reader.tables for row in table)
    assert all(len(row) == len(table[0]) for table in reader.tables for row in table)
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = [attrs.get("aria-labelledby") or "" for _, attrs in reader.tags]
    assert {word for names in named for word in names.split()} <= set(ids)


def test_landmarks_have_names_of_their_own_and_what_scrolls_is_reached_by_keyboard_and_named() -> None:
    tags = read(html(page())).tags
    landmarks = [attrs.get("aria-labelledby") or attrs.get("aria-label") for tag, attrs in tags if tag == "section"]
    assert len(landmarks) == len(set(landmarks)) == 8
    wide = [attrs for _, attrs in tags if attrs.get("class") == "wide"]
    assert {(attrs.get("role"), attrs.get("tabindex")) for attrs in wide} == {("group", "0")}
    assert all(attrs.get("aria-label") or attrs.get("aria-labelledby") for attrs in wide)


def test_what_a_map_shows_is_there_as_a_list_too() -> None:
    own = Held(path="shop", version="", bytes=10, via=("shop",), files={"dist/a.js": 8, "dist/b.js": 1})
    shop = dataclasses.replace(BIG.brought[1], held=(own,))
    text = html(page(big=(dataclasses.replace(BIG, brought=(BIG.brought[0], shop)),)))
    listed = re.sub(r"\s*<[^>]+>\s*", " ", text.split("The same as a list", 1)[1].split("<table", 1)[0]).split("  ")
    assert [line.strip() for line in listed if ": " in line] == [
        "tsx, declared by shop: 90 B",
        "esbuild 1.0.0: 70 B",
        "tsx 4.0.0: 20 B",
        "shop: 10 B",
        "dist/a.js: 8 B",
        "dist/b.js: 1 B",
        "other files: 1 B",
    ]


def test_what_is_above_the_base_has_a_column_where_it_is_known() -> None:
    assert "Above base" not in html(page())
    account = dataclasses.replace(ACCOUNT, images=(built("api", above=2_300_000), built("web")))
    assert '<td data-head="above base" class="number">2.3 MB</td>' in html(page(account=account))


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    text = html(page())
    assert """content="default-src 'none'; style-src 'unsafe-inline'\"""" in text
    for tag, attrs in read(text).tags:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        assert not [k for k in attrs if k.startswith("on") or k == "src"]
        assert (attrs.get("href") or "#").startswith("#")
    assert "url(" not in text
    assert "@import" not in text


def test_everything_on_a_page_is_escaped() -> None:
    block = Block(kind="dependencies", name=EVIL, images=(EVIL,), size=Size(), holders={EVIL: 1})
    evil = built(EVIL, service=EVIL, references=(EVIL,), digest=EVIL)
    account = dataclasses.replace(
        ACCOUNT,
        project=EVIL,
        platforms=(EVIL,),
        revision=EVIL,
        branch=EVIL,
        images=(evil,),
        steps=(ran(EVIL, 0.0, 1.0, platform=EVIL, what=f"RUN {EVIL}"),),
        warnings=(EVIL,),
    )
    size = dataclasses.replace(page().sizes[0], image=EVIL, platform=EVIL)
    held = Held(path=f"node_modules/{EVIL}", version=EVIL, bytes=1, via=(EVIL,))
    big = dataclasses.replace(
        BIG,
        service=EVIL,
        images=(EVIL,),
        brought=(Brought(name=EVIL, by=EVIL, bytes=2, held=(held, held)),),
        held=(held,),
    )
    answers: dict[str, object] = {"slow": (SlowStep(title=EVIL, seconds=1.0, reason=EVIL, before=None),), "big": (big,)}
    answers["advice"] = (Advice(what=f"`{EVIL}`", remedy=EVIL),)
    text = html(page(account=account, when=EVIL, version=EVIL, blocks=(block,), sizes=(size,), **answers))
    assert "<script" not in text
    assert "script" not in {tag for tag, _ in read(text).tags}
    assert text.count("&lt;script&gt;") > 15
    assert html(page(blocks=(), sizes=(), without=EVIL)).count("<script") == 0
    assert not re.search(r"(?<![\\`])<script", render_markdown(page(account=account, **answers)))


def test_without_images_a_page_says_why_and_keeps_the_timeline() -> None:
    text = html(page(big=(), blocks=(), sizes=(), fleet=None, without="the engine is down"))
    assert text.count("<p>the engine is down</p>") == 3
    assert text.count("<svg") == 1
    assert len(read(text).tables) == 3


def test_a_build_that_had_nothing_to_do_has_no_timeline() -> None:
    text = html(page(account=dataclasses.replace(page().account, steps=(), warnings=())))
    assert "<p>Nothing was built.</p>" in text
    assert "<svg" not in text
    assert 'href="#warnings"' not in text


def test_a_report_without_a_build_asks_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace(tmp_path, monkeypatch)
    assert cli.main(["report", "--html", "page.html"]) == 2
    assert capsys.readouterr().err == (
        "bake: error: report: there is no account of a build here; run `bake build` first\n"
    )


def test_a_report_is_written_even_where_the_images_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace(tmp_path, monkeypatch)

    def gone(*_: object) -> None:
        raise EngineError("api", "the engine does not have shop-api:main", "build it")

    monkeypatch.setattr("bake.images.load_engine_images", gone)
    (tmp_path / ".bake").mkdir()
    write_account(tmp_path / ".bake", ACCOUNT)
    assert cli.main(["report", "--html", "out/page.html"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()[-1]) == ("", "out/page.html: 2 images")
    missing = "api: the engine does not have shop-api:main; build it"
    assert f"bake: warning: without layers and sizes: {missing}\n" in said.err
    text = (tmp_path / "out" / "page.html").read_text("utf-8")
    assert "1970-01-01 00:16 UTC" in text
    assert f"<p>{missing}</p>" in text


def workspace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bake.toml").write_text('[project]\nname = "shop"\n\n[services.api]\npackage = "api"\n')
    (folder / "package.json").write_text('{"name": "shop", "workspaces": ["api"]}')
    (folder / "api").mkdir()
    (folder / "api" / "package.json").write_text('{"name": "api", "version": "1.0.0", "main": "x.js"}')
    (folder / "package-lock.json").write_text(
        '{"name": "shop", "lockfileVersion": 3, "packages": {"": {"name": "shop", "workspaces": ["api"]},'
        ' "api": {"version": "1.0.0"}, "node_modules/api": {"resolved": "api", "link": true}}}'
    )
    monkeypatch.chdir(folder)
    for key in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(key, raising=False)


# --- a real browser --------------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def chromium(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    assert CHROMIUM
    # Containers run as root and have a small /dev/shm.
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
    command += [f"--user-data-dir={folder / 'profile'}", *words]
    environment = {**os.environ, "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=180)


def pixels(file: Path) -> list[bytes]:
    """The lines of a PNG of eight bits per channel. Source: W3C, Portable Network Graphics, sections 9 and 11."""
    data, place, packed = file.read_bytes(), 8, b""
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert depth == 8
    step = {2: 3, 6: 4}[kind]
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            packed += data[place + 8 : place + 8 + length]
        place += length + 12
    raw, lines, before = zlib.decompress(packed), [], bytearray(width * step)
    for y in range(height):
        start = y * (width * step + 1)
        line = bytearray(raw[start + 1 : start + 1 + width * step])
        _unfilter(raw[start], line, before, step)
        lines.append(b"".join(bytes(line[x : x + 3]) for x in range(0, len(line), step)))
        before = line
    return lines


def _unfilter(method: int, line: bytearray, before: bytearray, step: int) -> None:
    for x in range(len(line)):
        left = line[x - step] if x >= step else 0
        corner = before[x - step] if x >= step else 0
        up = before[x]
        guess = left + up - corner
        nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
        line[x] = (line[x] + (0, left, up, (left + up) // 2, nearest)[method]) & 255


@pytest.mark.engine
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here (Debian: apt-get install chromium)")
@pytest.mark.parametrize(
    ("scheme", "back", "run"),
    [("light", "ffffff", "1f6fb2"), ("dark", "14191f", "5aa9e6")],
)
def test_chromium_draws_the_page_light_and_dark_with_scripts_off(
    scheme: str, back: str, run: str, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text(html(page()), encoding="utf-8")
    # A sandboxed frame runs no scripts; the browser's own switch would stop headless screenshots too.
    frame = '<iframe sandbox src="page.html" style="border: 0; width: 900px; height: 900px"></iframe>'
    (tmp_path / "frame.html").write_text(
        f'<!doctype html><html style="color-scheme: light dark"><body style="margin: 0">{frame}', encoding="utf-8"
    )
    wish = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    # In a process of its own, the frame may come after the picture.
    together = "--disable-features=IsolateSandboxedIframes,IsolateOrigins,site-per-process"
    chromium(tmp_path, wish, together, "--window-size=900,900", "--screenshot=page.png", "frame.html")
    lines = pixels(tmp_path / "page.png")
    colours = [line[x : x + 3].hex() for line in lines for x in range(0, len(line), 3)]
    assert len(colours) == 900 * 900
    assert colours.count(back) > len(colours) / 2
    assert colours.count(run) > 500, "the bars of the timeline"


@pytest.mark.engine
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here (Debian: apt-get install chromium)")
def test_a_page_is_no_wider_than_a_telephone(tmp_path: Path) -> None:
    # A frame whose text is given with it is of the same origin, so its width can be asked for.
    frame = f'<iframe srcdoc="{escape(html(page()))}" style="width: 390px; height: 900px; border: 0"></iframe>'
    ask = "document.title = document.querySelector('iframe').contentDocument.documentElement.scrollWidth"
    text = f'<!doctype html><html><body onload="{ask}">{frame}'
    (tmp_path / "frame.html").write_text(text, encoding="utf-8")
    shown = chromium(tmp_path, "--dump-dom", "frame.html").stdout
    assert re.findall(r"<title>(\d+)</title>", shown)[0] == "390"


@pytest.mark.engine
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here (Debian: apt-get install chromium)")
def test_chromium_keeps_the_page_as_it_was_written(tmp_path: Path) -> None:
    text = html(page())
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    shown = chromium(tmp_path, "--dump-dom", "page.html").stdout
    # What the parser of a browser would have moved or closed by itself shows as a tag more or less.
    for tag in ("table", "tr", "td", "th", "caption", "section", "details", "rect", "g"):
        assert len(re.findall(rf"<{tag}[ >]", shown)) == len(re.findall(rf"<{tag}[ >]", text)), tag
