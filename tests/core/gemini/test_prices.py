from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SettingError
from core.gemini.prices import PRICES, PricedUsage, TokenRates, TokenUsage, load_prices
from core.setting_kinds import PriceCeiling
from core.settings import Settings

CEILING = PriceCeiling(20.0, 100.0)
TABLE, REFUSING = load_prices(CEILING), load_prices("refuse")
TODAY = date(2026, 11, 20)
MODELS = sorted({row["model"] for row in tomllib.loads(PRICES.read_text(encoding="utf-8"))["price"]})
TOKENS = st.integers(0, 150_000)


@st.composite
def usages(draw: st.DrawFn) -> TokenUsage:
    prompt = draw(TOKENS)
    return TokenUsage(prompt, draw(st.integers(0, prompt)), draw(TOKENS), draw(TOKENS))


def cost(model: str, usage: TokenUsage, day: date = TODAY) -> PricedUsage:
    priced = TABLE.cost(model, usage, day)
    assert priced is not None
    return priced


def test_a_request_costs_prompt_and_output_each_at_its_rate() -> None:
    assert cost("gemini-3.5-flash-lite", TokenUsage(prompt=1_000_000)) == PricedUsage(0.30, known=True)
    assert cost("gemini-3.5-flash-lite", TokenUsage(output=1_000_000)) == PricedUsage(2.50, known=True)


def test_ten_pictures_cost_what_the_published_example_says() -> None:
    assert cost("gemini-3.5-flash-lite", TokenUsage(10 * 1_120 + 500, 0, 300)).usd == pytest.approx(0.0043, abs=5e-5)


def test_thoughts_cost_as_much_as_output() -> None:
    assert cost("gemini-3.8-flash", TokenUsage(thoughts=700)) == cost("gemini-3.8-flash", TokenUsage(output=700))


def test_cached_tokens_are_part_of_the_prompt_and_counted_once() -> None:
    assert cost("gemini-3.8-flash", TokenUsage(1_000_000, cached=400_000)).usd == pytest.approx(
        0.6 * 0.75 + 0.4 * 0.075
    )
    assert cost("gemini-3.8-flash", TokenUsage(1_000_000, cached=1_000_000)).usd == pytest.approx(0.075)


def test_without_a_price_for_the_cache_its_tokens_cost_as_much_as_others() -> None:
    assert cost("gemini-3.5-flash", TokenUsage(900, cached=900)) == cost("gemini-3.5-flash", TokenUsage(900))


@pytest.mark.parametrize(
    ("day", "usd"),
    [(date(2026, 1, 1), 0.75), (date(2026, 12, 31), 0.75), (date(2027, 1, 1), 1.50), (date(2030, 1, 1), 1.50)],
)
def test_a_price_holds_from_its_day_until_the_next_one_begins(day: date, usd: float) -> None:
    assert cost("gemini-3.8-flash", TokenUsage(1_000_000), day) == PricedUsage(usd, known=True)


def test_long_prompts_have_a_price_of_their_own_for_all_of_the_request() -> None:
    assert cost("gemini-3.1-pro-preview", TokenUsage(200_000, 0, 1_000)).usd == pytest.approx(0.4 + 0.012)
    assert cost("gemini-3.1-pro-preview", TokenUsage(200_001, 0, 1_000)).usd == pytest.approx(0.800004 + 0.018)


BEFORE, FIRST, LAST, NEXT_YEAR = date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 31), date(2027, 1, 1)


@pytest.mark.parametrize(
    ("model", "day", "rates"),
    [
        ("gemini-3.5-flash-lite", BEFORE, TokenRates(0.30, 2.50, 0.03)),
        ("gemini-3.5-flash-lite", NEXT_YEAR, TokenRates(0.30, 2.50, 0.03)),
        ("gemini-3.8-flash", LAST, TokenRates(0.75, 3.75, 0.075)),
        ("gemini-3.8-flash", NEXT_YEAR, TokenRates(1.50, 7.50, 0.075)),
        ("gemini-3.5-flash", NEXT_YEAR, TokenRates(1.50, 9.00, 1.50)),
        ("gemini-3.1-flash-lite", LAST, TokenRates(0.25, 1.50, 0.25)),
        ("gemini-2.5-flash-lite", FIRST, TokenRates(0.10, 0.40, 0.10)),
        ("gemini-2.5-flash", BEFORE, None),
        ("gemini-2.5-flash", FIRST, TokenRates(0.30, 2.50, 0.03)),
        ("gemini-2.5-flash", NEXT_YEAR, TokenRates(0.30, 2.50, 0.03)),
        ("gemini-2.5-pro", BEFORE, None),
        ("gemini-2.5-pro", FIRST, TokenRates(0.75, 3.75, 0.075)),
        ("gemini-2.5-pro", LAST, TokenRates(0.75, 3.75, 0.075)),
        ("gemini-2.5-pro", NEXT_YEAR, TokenRates(1.50, 7.50, 0.075)),
        ("gemini-3.6-flash", LAST, TokenRates(0.75, 3.75, 0.75)),
        ("gemini-3.7-flash", NEXT_YEAR, TokenRates(1.50, 7.50, 1.50)),
        ("gemini-4-hydrogen", LAST, TokenRates(1.50, 7.50, 0.075)),
        ("gemini-4-neon", FIRST, TokenRates(3.00, 15.00, 0.15)),
        ("gemini-4-argon", BEFORE, TokenRates(2.00, 10.00, 0.10)),
        ("gemini-4-argon", FIRST, TokenRates(2.00, 20.00, 0.10)),
        ("gemini-4-carbon", BEFORE, TokenRates(2.00, 10.00, 0.10)),
        ("gemini-4-carbon", NEXT_YEAR, TokenRates(2.00, 20.00, 0.10)),
    ],
)
def test_each_price_is_that_of_its_day(model: str, day: date, rates: TokenRates | None) -> None:
    price = TABLE.price(model, day)
    assert (price.rates if price else None) == rates


def test_a_retired_model_costs_what_the_one_that_answers_for_it_costs() -> None:
    for day in (FIRST, LAST, NEXT_YEAR):
        for retired, answering in (("2.5-flash", "3.5-flash-lite"), ("2.5-pro", "3.8-flash")):
            usage = TokenUsage(90_000, 30_000, 700, 300)
            assert cost(f"gemini-{retired}", usage, day) == cost(f"gemini-{answering}", usage, day)


@given(usages(), st.sampled_from(MODELS), st.dates(date(2026, 12, 1), date(2030, 1, 1)))
def test_an_unknown_model_is_flagged_and_at_the_default_ceiling_costs_more_than_any_known_one(
    usage: TokenUsage, model: str, day: date
) -> None:
    known, unknown = cost(model, usage, day), cost("gemini-of-tomorrow", usage, day)
    assert (known.known, unknown.known) == (True, False)
    assert unknown.usd >= known.usd >= 0
    assert unknown.usd > 0 or usage.total == 0


def test_a_model_without_a_price_costs_the_ceiling_or_is_refused() -> None:
    usage = TokenUsage(1_000_000, 1_000_000, 1_000_000)
    assert cost("gemini-of-tomorrow", usage) == PricedUsage(120.0, known=False)
    assert REFUSING.cost("gemini-of-tomorrow", usage, TODAY) is None
    assert REFUSING.cost("gemini-3.5-flash", usage, TODAY) == cost("gemini-3.5-flash", usage)


def test_a_model_whose_price_does_not_hold_yet_is_unknown() -> None:
    assert cost("gemini-2.5-flash", TokenUsage(1_000), BEFORE) == PricedUsage(0.02, known=False)
    assert REFUSING.cost("gemini-2.5-flash", TokenUsage(1_000), BEFORE) is None
    assert REFUSING.cost("gemini-2.5-flash", TokenUsage(1_000), FIRST) == PricedUsage(0.0003, known=True)


def test_a_row_that_google_does_not_publish_says_so() -> None:
    for model in MODELS:
        price = TABLE.price(model, NEXT_YEAR)
        assert price is not None
        quoted = model.startswith(("gemini-4", "gemini-3.6", "gemini-3.7"))
        assert price.source.startswith("third-party pages") == quoted


def test_a_model_may_be_named_with_its_path() -> None:
    assert cost("models/gemini-3.5-flash", TokenUsage(9)) == cost("gemini-3.5-flash", TokenUsage(9))


@given(usages(), usages(), st.builds(TokenRates, *[st.floats(0, 50)] * 3))
def test_at_one_rate_the_cost_of_a_sum_is_the_sum_of_the_costs(a: TokenUsage, b: TokenUsage, rates: TokenRates) -> None:
    assert rates.cost_usd(a + b) == pytest.approx(rates.cost_usd(a) + rates.cost_usd(b), abs=1e-9)
    assert (a + b).total == a.total + b.total


@given(usages(), st.sampled_from(MODELS))
def test_no_request_costs_less_than_nothing(usage: TokenUsage, model: str) -> None:
    assert cost(model, usage).usd >= 0


def test_the_default_model_has_a_price() -> None:
    assert cost(Settings().gemini_model, TokenUsage(1)).known


ROW = 'model = "m"\nfrom = 2026-01-01\ninput = 1\noutput = 2\nsource = "a page"\nchecked = 2026-11-20\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cannot be read as a table of prices"),
        ("[[price", "cannot be read as a table of prices"),
        ("price = []", "holds no prices"),
        ("price = 3", "holds no prices"),
        ("price = [3]", "has a row that is not a price"),
        ("[[price]]\n" + ROW.replace("model", "name"), r"not a price \(.*KeyError"),
        ("[[price]]\n" + ROW.replace("output = 2", "output = -2"), "holds something that is not a price"),
        ("[[price]]\n" + ROW.replace("input = 1", "input = nan"), "holds something that is not a price"),
        ("[[price]]\n" + ROW.replace("input = 1", "input = inf"), "holds something that is not a price"),
        ("[[price]]\n" + ROW + "cached = -1\n", "holds something that is not a price"),
        ("[[price]]\n" + ROW.replace("2026-01-01", '"soon"'), "from is 'soon', not a date"),
        ("[[price]]\n" + ROW.replace("2026-01-01", "2026-01-01T00:00:00Z"), "not a date"),
        ("[[price]]\n" + ROW.replace("source", "origin"), r"not a price \(.*KeyError\('source'"),
        ("[[price]]\n" + ROW.replace('"a page"', '" "'), "source is ' ', not a text"),
        ("[[price]]\n" + ROW.replace("checked", "seen"), r"not a price \(.*KeyError\('checked'"),
        ("[[price]]\n" + ROW.replace("2026-11-20", '"lately"'), "checked is 'lately', not a date"),
        ("[[price]]\n" + ROW + "above = { input = 1, output = 2 }\n", "prompt_tokens"),
    ],
)
def test_a_table_that_is_no_table_says_which_row_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(SettingError, match=problem):
        load_prices(CEILING, tmp_path / "prices.toml")


def test_a_missing_table_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="restore it"):
        load_prices(CEILING, tmp_path / "none.toml")
