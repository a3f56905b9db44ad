"""What files say, remembered from run to run: never what they do not say any more."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from bake.texts import CHOSEN, GLOBS, IMPORTS, NAMES, PATHS, QUOTED, WRITES, Reader, Texts

Said: TypeAlias = Callable[..., list[str]]
STORE = "folder/cache/texts.json"


@pytest.fixture
def parsed() -> list[str]:
    """The text of every file that is read by the reader of `said`."""
    return []


@pytest.fixture
def said(tmp_path: Path, parsed: list[str]) -> Said:
    """A run: what some files say, to a reader of words."""

    def parse(_path: str, text: bytes) -> frozenset[str]:
        parsed.append(text.decode())
        return frozenset(text.decode().split())

    words = Reader(name="words", parse=parse, unpack=frozenset[str])

    def run(*files: str, folder: Path | None = tmp_path / "folder") -> list[str]:
        texts = Texts(tmp_path, folder)
        found = sorted(word for file in files for word in texts.of(words, file))
        texts.save()
        return found

    return run


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as if they had been changed long ago."""
    monkeypatch.setattr("bake.texts.store._RACY", -(1 << 62))


def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody read a file but the store."""
    read = Path.read_bytes
    ours = Path(__file__).parents[3]
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: read(path) if path.is_relative_to(ours) else pytest.fail(str(path))
    )


@pytest.mark.usefixtures("settled")
def test_a_file_that_is_the_same_is_not_opened_again(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.ts").write_text("one two")
    first = said("a.ts")
    keep(tmp_path, monkeypatch)

    assert said("a.ts") == first == ["one", "two"]


def test_a_file_that_was_changed_just_now_is_read_again(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.ts").write_text("one")
    said("a.ts")
    stamp = Texts._stamp
    state = Texts(tmp_path)._stamp("a.ts")
    (tmp_path / "a.ts").write_text("two")
    monkeypatch.setattr(Texts, "_stamp", lambda texts, path: state if path == "a.ts" else stamp(texts, path))

    assert said("a.ts") == ["two"]


@pytest.mark.usefixtures("settled")
def test_only_a_changed_file_is_parsed_again(tmp_path: Path, said: Said, parsed: list[str]) -> None:
    for name in ("a.ts", "b.ts"):
        (tmp_path / name).write_text(name)
    said("a.ts", "b.ts")
    parsed.clear()
    (tmp_path / "a.ts").write_text("4our")

    assert said("a.ts", "b.ts") == ["4our", "b.ts"]
    assert parsed == ["4our"]


@pytest.mark.usefixtures("settled")
def test_a_change_that_keeps_size_and_time_is_seen(tmp_path: Path, said: Said) -> None:
    file = tmp_path / "a.ts"
    file.write_text("one")
    said("a.ts")
    before = file.stat()
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert said("a.ts") == ["two"]


@pytest.mark.usefixtures("settled")
def test_a_link_that_leads_to_another_file_now_is_seen(tmp_path: Path, said: Said) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    (tmp_path / "a.ts").symlink_to("one")
    said("a.ts")
    (tmp_path / "a.ts").unlink()
    (tmp_path / "a.ts").symlink_to("two")

    assert said("a.ts") == ["two"]


@pytest.mark.usefixtures("settled")
def test_a_fresh_checkout_of_the_same_texts_is_not_parsed_again(
    tmp_path: Path, said: Said, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.ts").write_text("one")
    said("a.ts")
    (tmp_path / "a.ts").unlink()
    (tmp_path / "a.ts").write_text("one")

    assert said("a.ts") == ["one"]
    assert parsed == ["one"]
    keep(tmp_path, monkeypatch)
    assert said("a.ts") == ["one"]


def test_a_file_that_changes_while_it_is_read_is_not_stored(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.ts").write_text("three")
    states = iter([b"one", b"two"])
    with monkeypatch.context() as patch:
        patch.setattr(Texts, "_text", lambda *_: next(states))
        assert said("a.ts") == ["two"]

    assert not (tmp_path / STORE).exists() or '"a.ts"' not in (tmp_path / STORE).read_text()
    assert said("a.ts") == ["three"]


@pytest.mark.usefixtures("settled")
def test_a_file_that_is_gone_is_forgotten_and_one_that_nobody_asked_for_is_kept(tmp_path: Path, said: Said) -> None:
    for name in ("a.ts", "b.ts", "c.ts"):
        (tmp_path / name).write_text(name)
    said("a.ts", "b.ts")
    (tmp_path / "a.ts").unlink()

    assert said("a.ts", "c.ts") == ["c.ts"]
    assert json.loads((tmp_path / STORE).read_bytes().partition(b"\n")[2]).keys() == {"b.ts", "c.ts"}


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\x00", b"bake texts 1 0\n{}", None])
def test_a_damaged_store_costs_time_only(tmp_path: Path, said: Said, damage: bytes | None) -> None:
    (tmp_path / "a.ts").write_text("one")
    said("a.ts")
    store = tmp_path / STORE
    whole = store.read_bytes()
    store.write_bytes(whole.replace(b"one", b"two") if damage is None else damage)

    assert said("a.ts") == ["one"]
    assert store.read_bytes() == whole


@pytest.mark.usefixtures("settled")
def test_what_other_readers_stored_is_read_again(
    tmp_path: Path, said: Said, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.ts").write_text("one")
    said("a.ts")
    monkeypatch.setattr("bake.texts.store._readers", lambda: "others")

    assert said("a.ts") == ["one"]
    assert parsed == ["one", "one"]


def test_a_store_that_cannot_be_written_is_done_without(tmp_path: Path, said: Said) -> None:
    (tmp_path / "a.ts").write_text("one")
    (tmp_path / "folder").write_text("a file where the folder should be")

    assert said("a.ts") == said("a.ts", folder=None) == ["one"]


@pytest.mark.usefixtures("settled")
def test_concurrent_writers_leave_a_whole_store(tmp_path: Path, said: Said, parsed: list[str]) -> None:
    names = [f"{number}.ts" for number in range(9)]
    for name in names:
        (tmp_path / name).write_text(name)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: said(*names), range(16))) == [names] * 16
    parsed.clear()

    assert said(*names) == names
    assert parsed == []
    assert [file.name for file in (tmp_path / STORE).parent.iterdir()] == ["texts.json"]


def test_what_is_no_file_has_no_text_and_nothing_is_stored_of_it(tmp_path: Path, said: Said) -> None:
    (tmp_path / "x.ts").mkdir()
    (tmp_path / "y.ts").symlink_to("nowhere.ts")
    os.mkfifo(tmp_path / "z.ts")

    assert said("x.ts", "y.ts", "z.ts", "none.ts") == []
    assert not (tmp_path / STORE).exists()


TEXT = """import { a } from "a"; const b = require("../b.js"); import("./c/" + d)
new Worker("./e.js"); mkdirSync(join(__dirname, "f")); new Database("g/h.db"); pino({ target: 'i' })
import "@x/y/z?raw"; join('..', 'proto'); process.env.npm_package_name; fetch("/etc/app/x.json")
import.meta.glob("./*.ts")
"""


@pytest.mark.parametrize("reader", [CHOSEN, GLOBS, IMPORTS, NAMES, PATHS, QUOTED, WRITES], ids=lambda one: one.name)
@pytest.mark.parametrize("text", ["", TEXT])
def test_what_is_stored_comes_back_as_it_was(tmp_path: Path, reader: Reader[Any], text: str) -> None:
    (tmp_path / "a.ts").write_text(text)
    first = Texts(tmp_path, tmp_path / "folder")
    value = first.of(reader, "a.ts")
    first.save()
    second = Texts(tmp_path, tmp_path / "folder")

    assert second.of(reader, "a.ts") == value == reader.parse("a.ts", text.encode())
    assert second._rows["a.ts"].stored.keys() == {reader.name}
    assert (value if reader is GLOBS else any(value)) == bool(text)


def test_a_large_file_is_no_text_but_for_its_imports(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import "a"\n' + "x" * (1 << 18))
    texts = Texts(tmp_path)

    assert texts.of(QUOTED, "a.js") == frozenset()
    assert [found.specifier for found in texts.of(IMPORTS, "a.js")] == ["a"]
