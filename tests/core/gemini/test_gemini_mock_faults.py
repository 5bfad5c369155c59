"""Every fault of the Gemini mock server through the real client over REST: what the client raises or returns."""

from __future__ import annotations

import json
import math
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from google.protobuf.json_format import ParseError

from tests.fakes.gemini import MockGeminiServer, nothing_listening
from tests.fakes.gemini_client import KEY, QUERY, Ask, asker, exceptions, order
from tests.fakes.gemini_faults import BLOCK_REASONS, BLOCKED_FINISHES, FAULTS, MARKUP, ODD, QUOTA_IDS
from tests.fakes.gemini_hostile import HOSTILE, IMPOSSIBLE_USAGES, UNREADABLE_USAGES
from tests.fakes.gemini_steps import AnswerStep

# What the client's own libraries warn of when it meets a number that it does not know, or is printed.
pytestmark = [pytest.mark.filterwarnings(f"ignore:{text}") for text in ("Unrecognized", "The argument `including")]
# Short enough to wait for, long enough for a machine that is busy.
DEADLINE_S, LATE_S = 0.6, 1.2
# What the SDK by itself waits for, or reads, without end.
SLOW = {"dripped", "late", *HOSTILE}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[MockGeminiServer]:
    with MockGeminiServer(key=KEY) as mock_server:
        yield mock_server


@pytest.fixture
def ask(server: MockGeminiServer) -> Ask:
    return asker(server.address)


REFUSALS: dict[str, tuple[type[exceptions.GoogleAPICallError], str]] = {
    **{name: (exceptions.TooManyRequests, "exceeded your current quota") for name in FAULTS if name.startswith("429")},
    "400-key": (exceptions.BadRequest, "API key not valid"),
    "400-argument": (exceptions.BadRequest, "invalid argument"),
    "400-precondition": (exceptions.BadRequest, "location is not supported"),
    "401": (exceptions.Unauthorized, "invalid authentication"),
    "403": (exceptions.Forbidden, "denied access"),
    "404": (exceptions.NotFound, "is not found for API version v1beta"),
    "499": (exceptions.Cancelled, "was cancelled"),
    "500": (exceptions.InternalServerError, "internal error"),
    "503": (exceptions.ServiceUnavailable, "overloaded"),
    "504": (exceptions.GatewayTimeout, "timed out"),
    "502-html": (exceptions.BadGateway, "<h1>502 Bad Gateway</h1>"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_the_exception_of_its_http_status(server: MockGeminiServer, ask: Ask, name: str) -> None:
    kind, message = REFUSALS[name]
    server.always(FAULTS[name])
    with pytest.raises(exceptions.GoogleAPICallError, match=message) as raised:
        ask()
    assert type(raised.value) is kind
    assert raised.value.response.status_code == raised.value.code == int(name[:3])
    assert all((row.prompt_tokens, row.reported) == (0, False) for row in server.ledger)
    # The one refusal that the client tries again by itself, whatever `retry` says.
    assert len(server.ledger) == (3 if name == "401" else 1)


@pytest.mark.parametrize(
    ("name", "exceeded", "retry_after"),
    [
        ("429", [], None),
        ("429-minute", ["minute"], "37s"),
        ("429-minute-no-retry", ["minute"], None),
        ("429-minute-short", ["minute"], "0.25s"),
        ("429-tokens", ["tokens"], "12.5s"),
        ("429-day", ["day"], "41s"),
        ("429-both", ["minute", "day"], "37s"),
        ("429-retry-only", [], "3s"),
    ],
)
def test_quotas_and_waiting_times_are_plain_dicts_in_the_details(
    server: MockGeminiServer, ask: Ask, name: str, exceeded: list[str], retry_after: str | None
) -> None:
    server.script(FAULTS[name])
    with pytest.raises(exceptions.TooManyRequests, match="quota") as raised:
        ask()
    details = {detail["@type"].rpartition(".")[2]: detail for detail in raised.value.details}
    violations = details.get("QuotaFailure", {}).get("violations", [])
    assert [violation["quotaId"] for violation in violations] == [QUOTA_IDS[key] for key in exceeded]
    assert details.get("RetryInfo", {}).get("retryDelay") == retry_after


def test_the_reason_of_a_bad_key_is_in_the_details_alone(server: MockGeminiServer, ask: Ask) -> None:
    server.script(FAULTS["400-key"])
    with pytest.raises(exceptions.BadRequest, match="not valid") as raised:
        ask()
    assert raised.value.details[0]["reason"] == "API_KEY_INVALID"
    with pytest.raises(AttributeError, match="'dict' object has no attribute 'reason'"):
        _ = raised.value.reason


@pytest.mark.parametrize("name", [name for name in FAULTS if name.startswith("prompt-")] + ["no-candidates"])
def test_a_blocked_prompt_has_no_candidates_and_is_billed(server: MockGeminiServer, ask: Ask, name: str) -> None:
    server.script(FAULTS[name])
    response = ask()
    reason = response.prompt_feedback.block_reason
    names = {"prompt-unknown-number": "99"} | {f"prompt-{known}": known for known in BLOCK_REASONS}
    assert getattr(reason, "name", str(reason)) == names.get(name, "BLOCK_REASON_UNSPECIFIED")
    assert len(response.candidates) == 0
    with pytest.raises(ValueError, match=r"response\.candidates` is empty"):
        _ = response.text
    assert response.usage_metadata.prompt_token_count == server.ledger[0].prompt_tokens > 0


FINISHES: dict[str, str] = {
    **{f"finish-{reason}{form}": reason for reason in BLOCKED_FINISHES for form in ("", "-empty")},
    "finish-unknown-name": "FINISH_REASON_UNSPECIFIED",
    "finish-unknown-number": "99",
    "max-tokens-thoughts": "MAX_TOKENS",
    "no-content": "STOP",
    "no-parts": "STOP",
}


@pytest.mark.parametrize("name", FINISHES)
def test_an_answer_without_text_says_why_and_is_billed(server: MockGeminiServer, ask: Ask, name: str) -> None:
    server.script(FAULTS[name])
    response = ask()
    reason = response.candidates[0].finish_reason
    assert getattr(reason, "name", str(reason)) == FINISHES[name]
    assert len(response.candidates[0].content.parts) == 0
    with pytest.raises(ValueError, match="requires the response to contain a valid `Part`"):
        _ = response.text
    usage, row = response.usage_metadata, server.ledger[0]
    assert (usage.prompt_token_count, usage.candidates_token_count) == (row.prompt_tokens, 0)
    assert usage.total_token_count - usage.prompt_token_count == row.thoughts_tokens == 512 * (row.thoughts_tokens > 0)


def test_a_reason_may_come_with_text(server: MockGeminiServer, ask: Ask) -> None:
    server.script(FAULTS["finish-SAFETY-partial"], FAULTS["finish-unknown-with-text"], FAULTS["max-tokens"])
    partial, unknown, cut = (ask() for _ in range(3))
    reasons = [response.candidates[0].finish_reason for response in (partial, unknown, cut)]
    assert [getattr(reason, "name", reason) for reason in reasons] == ["SAFETY", 99, "MAX_TOKENS"]
    assert order(unknown) == [2, 1, 3]
    for response in (partial, cut):
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            json.loads(response.text)


def rows(test: Callable[[list[Any]], bool]) -> Callable[[str], bool]:
    return lambda text: test(json.loads(text)["ranking"])


def each(test: Callable[[dict[str, Any]], bool]) -> Callable[[str], bool]:
    return rows(lambda found: bool(found) and all(map(test, found)))


def is_no_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False


TEXTS: dict[str, Callable[[str], bool]] = {
    "invalid-json": is_no_json,
    "fenced-json": lambda text: is_no_json(text) and text.startswith("```json"),
    "nested-json": is_no_json,
    "two-parts": is_no_json,  # the client joins parts with a line break, which JSON does not bear inside a string
    "list-of-strings": each(lambda row: isinstance(row, str)),
    "ranking-no-list": lambda text: isinstance(json.loads(text)["ranking"], dict),
    "ranking-missing": lambda text: json.loads(text) == {},
    "answer-is-a-list": lambda text: isinstance(json.loads(text), list),
    "n-as-text": each(lambda row: isinstance(row["n"], str)),
    "n-as-fraction": each(lambda row: row["n"] % 1 == 0.5),
    "n-as-truth": each(lambda row: row["n"] is True),
    "score-missing": each(lambda row: "score" not in row),
    "score-nan": each(lambda row: math.isnan(row["score"])),
    "score-infinite": each(lambda row: math.isinf(row["score"])),
    "score-too-large": each(lambda row: row["score"] == 7.5),
    "score-huge": each(lambda row: row["score"] == 10**400),
    "score-negative": each(lambda row: row["score"] == -1),
    "score-as-text": each(lambda row: row["score"] == "high"),
    "reason-missing": each(lambda row: "reason" not in row),
    "reason-long": each(lambda row: len(row["reason"]) == 100_000),
    "reason-odd": each(lambda row: row["reason"] == ODD),
    "reason-markup": each(lambda row: row["reason"] == MARKUP),
    "reason-no-text": each(lambda row: isinstance(row["reason"], dict)),
    "extra-fields": each(lambda row: row["html"] == MARKUP),
    "foreign-ids": rows(lambda found: [row["n"] for row in found] == [0, -1, 99, 10**400, 2, 1, 3]),
    "duplicate-ids": rows(lambda found: [row["n"] for row in found] == [2, 2, 2, 2, 1, 3]),
    "missing-ids": rows(lambda found: [row["n"] for row in found] == [2]),
    "no-rows": rows(lambda found: found == []),
}
QUERIES: dict[str, Callable[[Any], bool]] = {
    "query-empty": lambda query: query == " ",
    "query-no-text": lambda query: query == ["a", "b"],
    "query-long": lambda query: len(query) == 10_000,
    "query-markup": lambda query: query == MARKUP,
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_not_what_was_asked_for_reaches_the_caller_as_it_is(
    server: MockGeminiServer, ask: Ask, name: str
) -> None:
    server.script(FAULTS[name])
    response = ask()
    assert response.candidates[0].finish_reason.name == "STOP"
    assert TEXTS[name](response.text)


@pytest.mark.parametrize("name", QUERIES)
def test_a_rewritten_query_may_be_wrong_too(server: MockGeminiServer, name: str) -> None:
    server.script(FAULTS[name])
    response = asker(server.address, schema=QUERY)([{"text": 'PREVIOUS:\n["a"]\nFOLLOW-UP:\n"b"'}])
    assert QUERIES[name](json.loads(response.text)["query"])


def test_missing_usage_is_all_zeros_and_billed_all_the_same(server: MockGeminiServer, ask: Ask) -> None:
    server.script(FAULTS["no-usage"])
    response = ask()
    assert (order(response), response.usage_metadata.total_token_count) == ([2, 1, 3], 0)
    assert (server.ledger[0].prompt_tokens > 0, server.ledger[0].reported) == (True, False)


BROKEN: dict[str, tuple[type[Exception], str]] = {
    "reset": (requests.ConnectionError, "reset by peer"),
    "reset-halfway": (requests.exceptions.ChunkedEncodingError, "reset by peer"),
    "200-html": (ParseError, "Failed to load JSON"),
    "200-empty": (ParseError, "Failed to load JSON"),
    "200-other-types": (ParseError, "Failed to parse candidates field"),
    "200-bytes": (UnicodeDecodeError, "can't decode byte 0xff"),
    "502-odd-json": (AttributeError, "'str' object has no attribute 'get'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_reply_raises_what_the_layer_below_raises(server: MockGeminiServer, ask: Ask, name: str) -> None:
    kind, message = BROKEN[name]
    server.script(FAULTS[name])
    with pytest.raises(Exception, match=message) as raised:
        ask()
    assert type(raised.value) is kind
    assert not server.ledger[0].reported
    assert (server.ledger[0].prompt_tokens > 0) == (name == "reset-halfway")
    assert order(ask()) == [2, 1, 3]


def test_a_list_is_taken_for_a_response_without_anything(server: MockGeminiServer, ask: Ask) -> None:
    server.script(FAULTS["200-list"])
    response = ask()
    assert (len(response.candidates), response.usage_metadata.total_token_count) == (0, 0)


def test_a_refused_connection_is_an_error_of_requests() -> None:
    with nothing_listening() as address, pytest.raises(requests.ConnectionError, match="Connection refused"):
        asker(address)()


def test_a_timeout_does_not_cut_a_reply_that_drips(server: MockGeminiServer, ask: Ask) -> None:
    server.script(AnswerStep(drip_s=LATE_S))
    began = time.monotonic()
    assert order(ask(timeout_s=DEADLINE_S)) == [2, 1, 3]
    assert time.monotonic() - began >= LATE_S > DEADLINE_S
    assert server.ledger[0].reported


def test_a_reply_that_begins_late_is_a_read_timeout_and_billed(server: MockGeminiServer, ask: Ask) -> None:
    server.script(AnswerStep(delay_s=LATE_S))
    with pytest.raises(requests.ReadTimeout, match="Read timed out") as raised:
        ask(timeout_s=DEADLINE_S)
    assert KEY not in "".join(traceback.format_exception(raised.value))
    while not server.ledger:
        time.sleep(0.01)
    assert (server.ledger[0].prompt_tokens > 0, server.ledger[0].reported) == (True, False)


@pytest.mark.parametrize("name", sorted(set(FAULTS) - SLOW))
def test_no_fault_makes_the_client_say_its_key(server: MockGeminiServer, ask: Ask, name: str) -> None:
    server.script(FAULTS[name])
    try:
        shown = str(ask())
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not hold the key
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)
    assert KEY not in shown


def test_every_fault_is_tried_here() -> None:
    others = {"finish-SAFETY-partial", "finish-unknown-with-text", "max-tokens", "no-usage", "200-list"}
    blocked = {f"prompt-{reason}" for reason in (*BLOCK_REASONS, "unknown-name", "unknown-number")} | {"no-candidates"}
    others |= {*IMPOSSIBLE_USAGES, *UNREADABLE_USAGES}
    assert set(FAULTS) == {*REFUSALS, *FINISHES, *TEXTS, *QUERIES, *BROKEN, *SLOW, *others, *blocked}
