"""Whatever usage a reply reports, over the real client: spending never falls, and is never below what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.gemini.breaker import MAX_PAUSE_S
from core.gemini.calls import GeminiCalls
from core.gemini.client import GeminiClient
from core.gemini.failures import GeminiError
from core.gemini.prices import TokenRates, load_prices
from core.gemini.transport import GeminiRequest
from core.settings import Secret
from core.store.sql.database import Database
from core.store.sql.spend_store import Budgets, SpendStore
from tests.fakes.gemini import MockGeminiServer
from tests.fakes.gemini_client import KEY
from tests.fakes.gemini_faults import quota
from tests.fakes.gemini_steps import AnswerStep, ErrorStep
from tests.fakes.trials import trials

RATES, MODEL = TokenRates(1.50, 9.00, 1.50), "gemini-3.5-flash"
REQUEST = GeminiRequest("Rank.", ('QUERY:\n"red"',), {"type": "OBJECT"}, 500)
LARGEST = 10_000_000  # tokens that any model takes and gives in one request
FIELDS = ("promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "totalTokenCount")
ODD = st.sampled_from([None, "NaN", "7", "many", 0.5, 3.0, float("nan"), float("inf"), 10**30, -(10**30), [], {}, True])
COUNTS = st.one_of(
    st.integers(0, 5_000), st.integers(0, 5_000), st.integers(-(2**31), 2**31 - 1), st.integers(-9, 9), ODD
)


@pytest.fixture(scope="module")
def server() -> Iterator[MockGeminiServer]:
    with MockGeminiServer(key=KEY) as mock_server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield mock_server


@pytest.fixture
def client(server: MockGeminiServer) -> GeminiClient:
    return GeminiClient(Secret(KEY), server.address)


@pytest.fixture
def spend(tmp_path: Path) -> SpendStore:
    return SpendStore(Database(tmp_path / "spend.db", durable=False), Budgets(90_000.0, 900_000.0))


@st.composite
def likely_counts(draw: st.DrawFn) -> dict[str, Any]:
    """Counts as a reply may well report them; thoughts are in the total alone."""
    prompt, output, thoughts = (draw(st.integers(low, 50_000)) for low in (1, 0, 0))
    return dict(zip(FIELDS, (prompt, draw(st.integers(0, prompt)), output, prompt + output + thoughts), strict=True))


def is_possible(counts: dict[str, Any]) -> bool:
    if not all(type(count) is int for count in counts.values()):
        return False
    prompt, cached, output, total = (counts[field] for field in FIELDS)
    return prompt > 0 and 0 <= cached <= prompt and output >= 0 and prompt + output <= total <= LARGEST


def cost_usd(counts: dict[str, Any]) -> float:
    prompt, cached, _, total = (counts[field] for field in FIELDS)
    return ((prompt - cached) * RATES.input + cached * RATES.cached + (total - prompt) * RATES.output) / 1e6


@settings(
    max_examples=trials(1_000, at_least=150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.one_of(likely_counts(), st.fixed_dictionaries(dict.fromkeys(FIELDS, COUNTS))))
def test_spending_never_falls_and_never_is_less_than_what_a_possible_usage_costs(
    server: MockGeminiServer, client: GeminiClient, spend: SpendStore, counts: dict[str, Any]
) -> None:
    server.script(AnswerStep(usage=counts))
    before_usd = spend.spent().day_usd
    outcome = GeminiCalls(client, MODEL, load_prices("refuse"), spend).send(REQUEST, 20.0)
    grown_usd = spend.spent().day_usd - before_usd
    assert outcome.requests == 1
    assert grown_usd == pytest.approx(outcome.usd + outcome.unknown_usd, abs=1e-6)
    if is_possible(counts):
        assert (outcome.usd, outcome.unknown_usd) == (pytest.approx(cost_usd(counts)), 0)
    elif outcome.unknown_usd:
        max_usage = REQUEST.max_usage
        assert outcome.unknown_usd == pytest.approx(RATES.cost_usd(max_usage))
        assert outcome.usd == 0
    else:  # the client's library takes "7", 3.0 and null for numbers
        assert outcome.usd > 0
        assert min(outcome.usage.prompt, outcome.usage.cached, outcome.usage.output, outcome.usage.thoughts) >= 0


@pytest.mark.parametrize(
    ("asked", "waited_s"),
    [
        ("37s", 37.0),
        ("0.25s", 0.25),
        ("0s", 0.0),
        ("999999s", MAX_PAUSE_S),
        ("1e5s", MAX_PAUSE_S),
        ("1e400s", MAX_PAUSE_S),
        ("infs", MAX_PAUSE_S),
        ("9" * 5_000 + "s", MAX_PAUSE_S),
        ("-5s", None),
        ("-infs", None),
        ("nans", None),
        ("soon", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("step", [quota("minute"), ErrorStep(503, "UNAVAILABLE", "The model is overloaded.")])
def test_nobody_is_waited_for_longer_than_the_longest_pause(
    server: MockGeminiServer, client: GeminiClient, step: ErrorStep, asked: str, waited_s: float | None
) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": asked}
    server.script(ErrorStep(step.code, step.status, step.message, (*step.details, info)))
    with pytest.raises(GeminiError, match="HTTP") as raised:
        client.generate(MODEL, REQUEST, 20.0)
    assert raised.value.retry_after_s == waited_s
