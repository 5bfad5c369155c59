"""Sentences read as queries: by rules, by Gemini where they hint at more, and what may come of its answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import OPERATOR, Access
from core.gemini.calls import GeminiCalls
from core.gemini.failures import GeminiError
from core.gemini.prices import TokenUsage, load_prices
from core.gemini.replies import SentenceParts, parse_sentence_parts
from core.gemini.transport import GeminiReply
from core.search import prompts
from core.search.filters import Facets
from core.search.interpretation import (
    INTERPRETATION_SCHEMA,
    MAX_DEADLINE_S,
    Interpretation,
    Interpretations,
    hints_at_more,
    query_of_parts,
)
from core.search.query_language.collection_names import CollectionNames
from core.search.query_language.parser import parse
from core.search.query_language.writer import write
from core.search.search_limits import SearchLimits
from core.settings import Settings
from core.store.sql.database import Database
from core.store.sql.event_log import EventLog
from core.store.sql.rate_limits import RateLimits
from core.store.sql.spend_store import Budgets, SpendStore
from tests.fakes.gemini_client import MODEL
from tests.fakes.gemini_transport import FakeClock, FakeTransport

KEY = FakeTransport.key.reveal()
NAMES = CollectionNames(
    Facets(
        (),
        (),
        (),
        None,
        None,
        people=(("Ada Lovelace", 2), ("Bob", 1)),
        places=(("Lisbon", 3),),
        years=((2004, 2),),
        rated=2,
    )
)
SENTENCE = "boats near Lisbon harbour in the year of the 2004 floods, never any people"
EMPTY = {"words": "", "not_words": [], "places": [], "people": [], "since": "", "until": "", "min_rating": 0}


@pytest.fixture
def events(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path / "events.db")


@pytest.fixture
def interpretations(events: EventLog, tmp_path: Path) -> Callable[..., Interpretations]:
    def build(client: FakeTransport | None, deadline_s: float = 8.0, usd: float = 1.0) -> Interpretations:
        clock = FakeClock()
        spend = SpendStore(Database(tmp_path / "spend.db"), Budgets(usd, usd), clock.now)
        calls = GeminiCalls(client, MODEL, load_prices("refuse"), spend, times=clock.times)
        limits = SearchLimits(Access(), RateLimits(tmp_path / "limits.db"), Settings())
        return Interpretations(calls, events, deadline_s, limits, clock.now)

    return build


def saying(**parts: object) -> GeminiReply:
    return GeminiReply(json.dumps({**EMPTY, **parts}), TokenUsage(200, 0, 10, 5))


def test_gemini_takes_a_sentence_apart_and_it_is_logged(
    interpretations: Callable[..., Interpretations], events: EventLog
) -> None:
    client = FakeTransport(
        saying(words="boats harbour floods", not_words=["people"], places=["lisbon"], since="2004", until="2004")
    )
    read = interpretations(client).interpret(OPERATOR, SENTENCE, NAMES)
    assert (read.typed, read.by) == (SENTENCE, "gemini")
    assert read.parsed.text == "boats harbour floods -people place:Lisbon date:2004"
    assert [part.label for part in read.parsed.parts] == ["boats harbour floods", "not people", "place: Lisbon", "2004"]
    (event,) = events.latest()
    assert (event.kind, event.outcome, event.model, event.prompt_tokens) == ("refine", "ok", MODEL, 200)
    assert event.gemini_usd > 0


def test_all_it_sends_is_the_sentence_and_its_own_instruction(interpretations: Callable[..., Interpretations]) -> None:
    client = FakeTransport(saying(words="boats"))
    interpretations(client, 8.0).interpret(OPERATOR, SENTENCE, NAMES)
    (sent,) = client.requests
    assert (sent.instruction, sent.schema) == (prompts.INTERPRETATION, INTERPRETATION_SCHEMA)
    assert sent.parts == (f"SENTENCE:\n{json.dumps(SENTENCE)}",)
    assert client.timeouts_s == [MAX_DEADLINE_S]


@pytest.mark.parametrize(
    "text",
    [
        "red boats",
        "a dog on the beach with a ball",
        "red boats in Lisbon 2004",
        "portraits of Ada Lovelace",
        "boats -people from nobody",
        "boats \\from somewhere",
        "DSC_0004",
        "boats by Carol " + "and more " * 40,
    ],
)
def test_an_ordinary_query_costs_nothing(interpretations: Callable[..., Interpretations], text: str) -> None:
    client = FakeTransport()
    read = interpretations(client).interpret(OPERATOR, text, NAMES)
    assert read == Interpretation(text, parse(text, NAMES))
    assert client.requests == []


@pytest.mark.parametrize("text", [SENTENCE, "boats by Carol", "boats in Porto harbour", "boats of the 1987 regatta"])
def test_a_sentence_that_says_who_where_or_when_hints_at_more(text: str) -> None:
    assert hints_at_more(parse(text, NAMES))


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (saying(), "malformed"),
        (saying(words="a harbour that nobody spoke of"), "malformed"),
        (saying(places=["Porto"]), "malformed"),
        (saying(words=["boats"]), "malformed"),
        (saying(not_words="people"), "malformed"),
        (saying(words=f"boats {KEY}"), "malformed"),
        (saying(words=prompts.INTERPRETATION), "malformed"),
        (GeminiReply("[]", TokenUsage(200)), "malformed"),
        (GeminiReply("nonsense", TokenUsage(200)), "malformed"),
        (GeminiError("blocked", usage=TokenUsage(200)), "blocked"),
        (ZeroDivisionError(), "malformed"),
    ],
)
def test_after_any_failure_rules_decide_and_it_is_logged(
    interpretations: Callable[..., Interpretations], events: EventLog, step: GeminiReply | Exception, reason: str
) -> None:
    read = interpretations(FakeTransport(step)).interpret(OPERATOR, SENTENCE, NAMES)
    assert read == Interpretation(SENTENCE, parse(SENTENCE, NAMES))
    (event,) = events.latest()
    assert (event.kind, event.outcome, event.reason) == ("refine", "fallback", reason)


def test_without_a_key_or_money_rules_decide(interpretations: Callable[..., Interpretations], events: EventLog) -> None:
    for made in (interpretations(None), interpretations(FakeTransport(), usd=0.0)):
        assert made.interpret(OPERATOR, SENTENCE, NAMES) == Interpretation(SENTENCE, parse(SENTENCE, NAMES))
    assert events.latest() == []


@pytest.mark.parametrize(
    ("parts", "written"),
    [
        (SentenceParts("boats", places=("Lisbon",)), "boats place:Lisbon"),
        (SentenceParts("boats", places=("Porto",)), "boats Porto"),
        (SentenceParts("boats", people=("lovelace",)), 'boats person:"Ada Lovelace"'),
        (SentenceParts("boats", people=("Carol",)), "boats Carol"),
        (SentenceParts("boats", not_words=("big dogs",)), 'boats -"big dogs"'),
        (SentenceParts("boats", since="2004", until="2004"), "boats date:2004"),
        (SentenceParts("boats", since="2004-05"), "boats since:2004-05"),
        (SentenceParts("boats", since="1890", until="1890"), "boats \\1890"),
        (SentenceParts("boats", since="soon"), "boats"),
        (SentenceParts("boats", since="2005", until="2003"), "boats"),
        (SentenceParts("boats", min_rating=4), "boats rating:>=4"),
        (SentenceParts("without dogs"), "\\without \\dogs"),
    ],
)
def test_what_the_collection_has_becomes_a_condition_and_the_rest_stays_words(
    parts: SentenceParts, written: str
) -> None:
    query = query_of_parts(parts, "boats Lisbon Porto Lovelace Carol without big dogs 1890", NAMES)
    assert query is not None
    assert write(query) == written


def test_an_answer_is_lines_of_bounded_length_and_number() -> None:
    given_parts = {
        **EMPTY,
        "words": " red\nboats\u0000 " + "x" * 999,
        "places": [f"{n}{'a' * 200}" for n in range(20)],
        "min_rating": 9,
    }
    parts = parse_sentence_parts(json.dumps(given_parts))
    assert parts.words.startswith("red boats x")
    assert (len(parts.words), len(parts.places), len(parts.places[0]), parts.min_rating) == (300, 8, 80, 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(EMPTY, JSON)), st.text())
def test_whatever_gemini_says_it_adds_no_word(answer: dict[str, object], sentence: str) -> None:
    try:
        parts = parse_sentence_parts(json.dumps(answer))
    except GeminiError:
        return
    query = query_of_parts(parts, sentence, NAMES)
    if query is not None:
        assert parse(write(query)).problems == ()
        assert all(word in f"{sentence} {parts.words}" for wish in query.wishes for word in wish.text.split())
