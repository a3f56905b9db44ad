"""Results as text: tables for a terminal and for Markdown, bytes in words."""

import pytest

from bake.config import size
from bake.table import markdown, show, table

ROWS = (
    {"package": "services/api", "images": 12, "lost": 0, "ready": "12.1 s", "note": ""},
    {"package": "apps/cli", "images": 1, "lost": 10, "ready": "3.1 s", "note": "a|b"},
)


def test_numbers_and_measures_stand_to_the_right() -> None:
    assert table(ROWS).splitlines() == [
        "PACKAGE       IMAGES  LOST   READY  NOTE",
        "services/api      12     0  12.1 s",
        "apps/cli           1    10   3.1 s  a|b",
    ]
    assert markdown(ROWS).splitlines() == [
        "| package | images | lost | ready | note |",
        "| --- | ---: | ---: | ---: | --- |",
        "| services/api | 12 | 0 | 12.1 s |  |",
        "| apps/cli | 1 | 10 | 3.1 s | a\\|b |",
    ]


def test_a_table_without_rows_is_empty() -> None:
    assert (table(()), markdown(())) == ("", "")


def test_sizes_are_in_the_unit_that_a_person_reads() -> None:
    assert [size(n) for n in (0, 999, 1000, 12_345_678, 5e12)] == ["0 B", "999 B", "1.0 kB", "12.3 MB", "5000.0 GB"]


def test_to_a_user_who_wants_quiet_a_deed_is_told_as_json_only(capsys: pytest.CaptureFixture[str]) -> None:
    show("table", {"a": 1}, "a table", quiet=True)
    assert capsys.readouterr().out == ""
    show("json", {"a": 1}, "a table", quiet=True)
    assert capsys.readouterr().out == '{\n  "a": 1\n}\n'
