"""The shipped prices, and what usage costs by them."""

from __future__ import annotations

import json
from datetime import date
from importlib.resources import files

import pytest

from veriloop.core.messages import Usage
from veriloop.core.provider import Price
from veriloop.models.prices import price_of, table


def test_every_table_says_when_and_where_its_prices_were_read():
    tables = json.loads((files("veriloop.models") / "prices.json").read_text())
    for shipped in tables:
        assert date.fromisoformat(shipped["as_of"]) > date(2025, 1, 1)
        assert "US dollars per million tokens" in shipped["source"]
    assert sum(len(shipped["prices"]) for shipped in tables) == len(table()), "a model is priced twice"


def test_what_comes_from_the_cache_is_cheaper_and_what_goes_into_it_dearer():
    for name, price in table().items():
        assert 0 < price.input < price.output, name
        assert price.cached is not None, name
        assert price.cached < price.input, name
        assert price.stored is None or price.stored == pytest.approx(1.25 * price.input), name


def test_each_kind_of_token_has_its_price():
    price = price_of("anthropic:claude-opus-5-5", {})
    assert price
    usage = Usage(tokens_in=1_000_000 + 2_000_000 + 4_000_000, tokens_out=1_000_000, cached=2_000_000, stored=4_000_000)
    assert price.of(usage) == pytest.approx(4.0 + 2 * 0.2 + 4 * 5.0 + 20.0)


def test_a_call_that_reads_much_costs_more_in_all_of_it():
    price = price_of("anthropic:claude-haiku-5-5", {})
    assert price
    assert price.of(Usage(100_000, 1000)) == pytest.approx(0.01 + 0.0005)
    assert price.of(Usage(100_001, 1000, cached=100_001)) == pytest.approx(5 * (100_001 * 0.01 + 500) / 1e6)
    assert price.worst(100_001, 1000) == pytest.approx(5 * (100_001 * 0.125 + 500) / 1e6)


def test_what_a_long_call_writes_may_have_a_factor_of_its_own():
    price = price_of("openai-responses:gpt-5.5", {})
    assert price
    assert price.of(Usage(272_000, 1_000_000)) == pytest.approx(0.272 * 5 + 30.0)
    assert price.of(Usage(272_001, 1_000_000)) == pytest.approx(2 * 0.272001 * 5 + 1.5 * 30.0)


def test_the_worst_case_is_never_below_the_bill():
    for price in table().values():
        for usage in (Usage(150_000, 10), Usage(150_000, 10, cached=150_000), Usage(150_000, 10, stored=150_000)):
            assert price.worst(150_000, 10) >= price.of(usage)


def test_settings_override_the_table_and_what_runs_here_is_free():
    assert price_of("anthropic:claude-opus-5-5", {"anthropic:claude-opus-5-5": Price(1, 2)}) == Price(1, 2)
    assert price_of("anthropic:claude-nobody-knows", {}) is None
    assert price_of("embedded:sql", {}) == Price(0, 0)
