import pytest
from hypothesis import given
from hypothesis import strategies as st

from bake.config import parse_config, parse_size, size, size_difference
from bake.errors import ConfigError

CONFIG = """
[project]
name = "x"
[services.a]
package = "a"
budget = "{size}"
[budget]
image = "{size}"
fleet = "{size}"
[cache]
budget = "{size}"
[smoke]
memory = "{size}"
"""


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("40 MB", 40_000_000),
        ("20GB", 20_000_000_000),
        ("1.5TB", 1_500_000_000_000),
        ("900 kB", 900_000),
        ("900kb", 900_000),
        ("512m", 512 * 1024**2),
        ("512 MiB", 512 * 1024**2),
        ("1Gi", 1024**3),
        ("2g", 2 * 1024**3),
        ("0B", 0),
        ("17 b", 17),
        ("1.024e+03kB", 1_024_000),
    ],
)
def test_a_size_is_a_number_and_a_unit(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "40", "MB", "-1 MB", "much", "40  MB", "40 MB left", "1i", "40 PB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole message is compared
        parse_size(text)
    assert str(error.value) == f"{text!r} is not a size like 40 MB, 20GB or 512m"


@pytest.mark.parametrize("text", ["40 MB", "20GB", "1.5TB", "512m", "512MB", "1GiB"])
def test_every_size_in_bake_toml_has_one_grammar(text: str) -> None:
    config = parse_config(CONFIG.format(size=text))
    assert {config.budget.image, config.budget.fleet, config.cache.budget, config.smoke.memory} == {text}
    assert config.services["a"].budget == text


def test_each_key_complains_alike_of_what_is_no_size() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(CONFIG.format(size="40"))
    assert caught.value.complaints == tuple(
        f"bake.toml: {key}: '40' is not a size like 40 MB, 20GB or 512m"
        for key in ("cache.budget", "services.a.budget", "smoke.memory", "budget.image", "budget.fleet")
    )


def test_less_memory_than_an_engine_takes_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(CONFIG.format(size="5 MB"))
    assert caught.value.complaints == ("bake.toml: smoke.memory: '5 MB' is less than an engine takes, 6m",)


@given(st.integers(min_value=0, max_value=10**15))
def test_a_size_that_was_printed_is_read_again_within_what_is_shown(count: int) -> None:
    assert abs(parse_size(size(count)) - count) <= max(count * 0.05, 0.5)


def test_a_difference_has_a_sign() -> None:
    assert [size_difference(count) for count in (1500, -1500, 0)] == ["+1.5 kB", "-1.5 kB", "0 B"]
