"""Every fault of Gemini through a whole App and the real client: a result in time, why, what it cost, and no key."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest
from PIL import Image

from core.app import App
from core.gemini import calls
from core.gemini.breaker import MAX_PAUSE_S, CircuitBreaker
from core.gemini.deadline import MAX_PENDING
from core.gemini.failures import NOTICES, Cause
from core.records.money import pico_usd, usd
from core.search.answer import Answer, RankingOutcome
from core.setting_kinds import PriceCeiling, UnknownPrice
from core.settings import Secret
from tests.fakes.gemini import MockGeminiServer, nothing_listening
from tests.fakes.gemini_app import (
    DEADLINE_S,
    billed_usd,
    cause_of,
    files_with_the_key,
    make_collections,
    ranking_app,
    spent_usd,
)
from tests.fakes.gemini_client import KEY
from tests.fakes.gemini_faults import BLOCK_REASONS, BLOCKED_FINISHES, FAULTS, quota
from tests.fakes.gemini_hostile import HOSTILE, IMPOSSIBLE_USAGES, UNREADABLE_USAGES
from tests.fakes.gemini_steps import AnswerStep
from tests.fakes.memory import peak_mb, reset_peak

# What the client's own libraries warn of when it meets a number that it does not know.
pytestmark = [pytest.mark.filterwarnings(f"ignore:{text}") for text in ("Unrecognized", "The argument `including")]

NAMES = ("red", "green", "blue", "yellow", "black", "white", "orange", "navy", "pink", "grey", "brown", "teal")
# What comes without end, or would be far larger unpacked.
HOSTILE_FLOODS = sorted(name for name in HOSTILE if not name.startswith(("dripped", "silent")))
# Sixteen replies of a MB at once, and what both sides need for them; without a limit a single one took 0.6 to 3 GB.
MAX_GROWTH_MB = 100.0
# What a busy machine may add to the deadline.
MARGIN_S = 8.0


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[MockGeminiServer]:
    with MockGeminiServer(key=KEY) as mock_server:
        yield mock_server


@pytest.fixture(scope="module")
def collections_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of collections; `c` has twelve plain pictures with titles."""
    return make_collections(tmp_path_factory.mktemp("collections"), {name: f"A {name} sheet" for name in NAMES})


@pytest.fixture
def everything_logged() -> Iterator[StringIO]:
    """Whatever any library logs at DEBUG, every field of every record."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_AllFields())
    loggers = [logging.getLogger(name) for name in ("", "contactsheet", "google")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    yield stream
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


class _AllFields(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{super().format(record)} {record.__dict__}"


CAUSES: dict[str, Cause] = {
    **{name: "quota_minute" for name in FAULTS if name.startswith("429")},
    "429-day": "quota_day",
    "429-both": "quota_day",
    "400-key": "bad_key",
    "400-argument": "refused",
    "400-precondition": "refused",
    "401": "bad_key",
    "403": "forbidden",
    "404": "retired",
    "499": "unreachable",
    "500": "overloaded",
    "503": "overloaded",
    "504": "timeout",
    "502-html": "overloaded",
    "502-odd-json": "malformed",
    **{f"prompt-{reason}": "blocked" for reason in BLOCK_REASONS},
    "prompt-unknown-name": "malformed",
    "prompt-unknown-number": "blocked",
    "no-candidates": "malformed",
    **{f"finish-{reason}{form}": "blocked" for reason in BLOCKED_FINISHES for form in ("", "-empty")},
    "finish-SAFETY-partial": "blocked",
    "finish-unknown-name": "malformed",
    "finish-unknown-number": "malformed",
    "max-tokens": "truncated",
    "max-tokens-thoughts": "truncated",
    **dict.fromkeys(
        (
            "no-content",
            "no-parts",
            "invalid-json",
            "fenced-json",
            "list-of-strings",
            "ranking-no-list",
            "ranking-missing",
            "nested-json",
            "answer-is-a-list",
            "n-as-text",
            "n-as-fraction",
            "n-as-truth",
            "score-missing",
            "score-nan",
            "score-infinite",
            "score-huge",
            "score-as-text",
            "no-rows",
            "200-html",
            "200-empty",
            "200-list",
            "200-other-types",
            "200-bytes",
        ),
        "malformed",
    ),
    "reset": "unreachable",
    "reset-halfway": "unreachable",
    "dripped": "timeout",
    "late": "timeout",
    "silent": "timeout",
    **{name: "timeout" for name in HOSTILE if name.startswith("dripped")},
    "endless-body": "malformed",
    "endless-chunks": "malformed",
    "endless-chunk-size": "unreachable",
    "endless-error": "malformed",
    "endless-header": "unreachable",
    "endless-headers": "unreachable",
    "endless-continue": "unreachable",
    "gzip-bomb": "malformed",
    "gzip-bomb-error": "malformed",
    "huge-length": "malformed",
    **dict.fromkeys(UNREADABLE_USAGES, "malformed"),
}
# What can be ranked by all the same.
RANKED = {
    "finish-unknown-with-text",
    "score-too-large",
    "score-negative",
    "reason-missing",
    "reason-long",
    "reason-odd",
    "reason-markup",
    "reason-no-text",
    "extra-fields",
    "foreign-ids",
    "duplicate-ids",
    "missing-ids",
    "two-parts",
    "no-usage",
    *IMPOSSIBLE_USAGES,
}
# Replies of unknown cost: no usage was reported, though it was, or may have been, billed.
UNKNOWN_COST = {
    "502-odd-json",
    "no-usage",
    "reset",
    "reset-halfway",
    "dripped",
    "late",
    "200-html",
    "200-empty",
    "200-list",
    "200-other-types",
    "200-bytes",
    *HOSTILE,
    *IMPOSSIBLE_USAGES,
    *UNREADABLE_USAGES,
}


def test_every_fault_of_a_ranking_is_tried_here() -> None:
    assert {*CAUSES, *RANKED} == {name for name in FAULTS if not name.startswith("query-")}
    assert not {*CAUSES} & RANKED


@dataclass(frozen=True)
class Searched:
    """One ranked search of a fresh App."""

    app: App
    answer: Answer
    took_s: float

    def check(self, outcome: RankingOutcome, cause: Cause | None) -> None:
        """In time, every picture once, in the vector order unless ranked, with the reason in the line and the log."""
        answer, ranking = self.answer, self.answer.ranking
        assert ranking is not None
        assert self.took_s < DEADLINE_S + MARGIN_S
        assert (ranking.outcome, cause_of(answer)) == (outcome, cause)
        assert ranking.failure is None or ranking.failure.notice == NOTICES[cause or "no_key"] != ""
        by_similarity = [hit.asset.id for hit in answer.result.hits]
        assert len(by_similarity) == len(NAMES)
        final = [hit.asset.id for hit in answer.hits]
        assert sorted(final) == sorted(set(final)) == sorted(by_similarity)
        assert final == by_similarity or outcome == "ranked"
        assert sorted(candidate.vector_rank for candidate in ranking.candidates) == list(range(1, 11))
        assert [candidate.final_rank for candidate in ranking.candidates] == list(range(1, 11))
        self._check_event(outcome, cause)

    def _check_event(self, outcome: RankingOutcome, cause: Cause | None) -> None:
        ranking, event = self.answer.ranking, self.app.events.get(self.answer.id)
        assert event is not None
        assert ranking is not None
        assert (event.outcome, event.reason) == ("ok" if outcome == "ranked" else "fallback", cause or "")
        assert ranking.usd == self.answer.cost.gemini_usd
        assert event.gemini_usd == usd(pico_usd(ranking.usd))
        usage = ranking.usage
        tokens = (event.prompt_tokens, event.cached_tokens, event.output_tokens, event.thought_tokens)
        assert tokens == (usage.prompt, usage.cached, usage.output, usage.thoughts)
        called = {"rank"} if ranking.requests else set()
        assert set(event.stage_ms) == {"encode", "search", "load", "total"} | called
        assert event.detail == self.answer.receipt()

    def shown(self) -> str:
        """Everything that it gave back, as text."""
        event = self.app.events.get(self.answer.id)
        return "\n".join(map(repr, (self.answer, self.answer.receipt(), event, self.app.settings, self.app.__dict__)))


def searched(app: App, query: str = "a red sheet") -> Searched:
    began = monotonic()
    answer = app.search(query, "c", ranked=True, top=len(NAMES))
    return Searched(app, answer, monotonic() - began)


@pytest.mark.parametrize("name", [*CAUSES, *sorted(RANKED)])
def test_a_fault_gives_all_pictures_in_time_says_why_and_keeps_the_key(
    name: str,
    server: MockGeminiServer,
    collections_dir: Path,
    tmp_path: Path,
    everything_logged: StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    server.always(FAULTS[name])
    found = searched(ranking_app(tmp_path / "data", collections_dir, server.address))
    found.check("ranked" if name in RANKED else "fallback", CAUSES.get(name))
    ranking = found.answer.ranking
    assert ranking is not None
    assert ranking.usd == pytest.approx(billed_usd([row for row in server.ledger if row.reported]), abs=1e-12)
    assert (ranking.unknown_usd > 0) == (name in UNKNOWN_COST)
    assert spent_usd(found.app) == pytest.approx(ranking.usd + ranking.unknown_usd, abs=1e-12)
    printed = capfd.readouterr()
    assert KEY not in printed.out + printed.err + everything_logged.getvalue() + found.shown()
    assert files_with_the_key(tmp_path / "data", collections_dir) == []


@pytest.fixture
def patient_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A circuit breaker that stays closed, so that nothing but a slot can hold up the next request."""
    monkeypatch.setattr(calls, "CircuitBreaker", partial(CircuitBreaker, failure_limit=1_000))


def search_at_once(app: App, words: str) -> list[Searched]:
    """As many rankings in parallel as may be pending."""
    with ThreadPoolExecutor(MAX_PENDING) as pool:
        return list(pool.map(lambda number: searched(app, f"{words} {number}"), range(MAX_PENDING)))


def check_every_slot_is_free(app: App, server: MockGeminiServer) -> None:
    sleep(0.3)
    server.always(AnswerStep(delay_s=1.0))  # so that all are pending at once
    causes = {cause_of(found.answer) for found in search_at_once(app, "red again")}
    assert None in causes
    assert "busy" not in causes


@pytest.mark.usefixtures("patient_breaker")
@pytest.mark.parametrize("name", ["dripped-head", "dripped-body"])
def test_sixteen_drips_end_at_the_deadline_and_the_next_rankings_find_every_slot_free(
    name: str, server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    app = ranking_app(tmp_path / "data", collections_dir, server.address, rank_deadline_s=6.0)
    searched(app).check("ranked", None)
    server.script(*[FAULTS[name]] * MAX_PENDING)
    assert {cause_of(found.answer) for found in search_at_once(app, "red drip")} == {"timeout"}
    sleep(0.3)  # their threads are given a moment to notice the deadline
    searched(app, "red 17").check("ranked", None)
    check_every_slot_is_free(app, server)
    assert server.open_streams == 0


@pytest.mark.usefixtures("patient_breaker")
def test_whatever_a_hostile_server_sends_memory_is_bounded_and_every_slot_free_again(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    app = ranking_app(tmp_path / "data", collections_dir, server.address, rank_deadline_s=3.0, daily_usd=100.0)
    searched(app).check("ranked", None)
    grown_mb = {}
    for name in HOSTILE_FLOODS:
        reset_peak()
        before_mb = peak_mb()
        server.always(FAULTS[name])
        assert None not in {cause_of(found.answer) for found in search_at_once(app, f"red {name}")}
        grown_mb[name] = round(peak_mb() - before_mb)
    print("MB that 16 replies at once took, by what they were:", grown_mb)
    assert max(grown_mb.values()) < MAX_GROWTH_MB
    check_every_slot_is_free(app, server)


def test_the_key_is_looked_for_in_what_really_holds_it(tmp_path: Path, everything_logged: StringIO) -> None:
    (tmp_path / "a").write_bytes(b"\0" + KEY.encode())
    assert files_with_the_key(tmp_path) == [tmp_path / "a"]
    logging.getLogger("urllib3.connectionpool").debug("sent", extra={"headers": {"x-goog-api-key": KEY}})
    assert KEY in everything_logged.getvalue()


def test_a_short_failure_costs_a_second_request_and_no_ranking(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    server.script(FAULTS["503"])
    found = searched(ranking_app(tmp_path / "data", collections_dir, server.address, rank_deadline_s=8.0))
    found.check("ranked", None)
    assert found.answer.ranking is not None
    assert found.answer.ranking.requests == 2
    assert [row.outcome for row in server.ledger] == ["503 UNAVAILABLE", "STOP"]


def test_a_key_that_is_not_accepted_is_tried_once(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    server.always(FAULTS["401"])
    searched(ranking_app(tmp_path / "data", collections_dir, server.address)).check("fallback", "bad_key")
    assert len(server.ledger) == 1


def test_a_quota_that_returns_within_the_deadline_is_waited_for(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    server.script(FAULTS["429-minute-short"])
    found = searched(ranking_app(tmp_path / "data", collections_dir, server.address, rank_deadline_s=8.0))
    found.check("ranked", None)
    assert len(server.ledger) == 2


def test_a_quota_that_returns_at_once_is_still_retried_with_pauses(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    server.always(quota("minute", retry_after="0s"))
    searched(ranking_app(tmp_path / "data", collections_dir, server.address)).check("fallback", "quota_minute")
    assert len(server.ledger) <= 4


def test_a_quota_that_returns_in_days_pauses_ranking_for_minutes(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    server.script(FAULTS["429-minute-endless"])
    app = ranking_app(tmp_path / "data", collections_dir, server.address)
    for _ in range(2):
        found = searched(app)
        found.check("fallback", "quota_minute")
        failure = found.answer.ranking.failure if found.answer.ranking else None
        assert failure is not None
        assert failure.retry_at is not None
        assert failure.retry_at <= datetime.now(UTC) + timedelta(seconds=MAX_PAUSE_S)
    assert len(server.ledger) == 1


@pytest.mark.parametrize(("unknown", "outcome"), [(PriceCeiling(20.0, 100.0), "ranked"), ("refuse", "fallback")])
def test_a_model_without_a_price_is_charged_at_the_ceiling_or_refused(
    unknown: UnknownPrice, outcome: RankingOutcome, server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    found = searched(
        ranking_app(
            tmp_path / "data",
            collections_dir,
            server.address,
            gemini_model="gemini-of-tomorrow",
            unknown_price=unknown,
            rank_deadline_s=8.0,
        )
    )
    found.check(outcome, None if outcome == "ranked" else "unpriced")
    rows = server.ledger
    tokens = [(row.prompt_tokens, row.candidates_tokens) for row in rows]
    assert spent_usd(found.app) == pytest.approx(sum(20e-6 * prompt + 100e-6 * output for prompt, output in tokens))
    assert len(rows) == (outcome == "ranked")


def test_a_refused_connection_is_reported_and_costs_nothing(collections_dir: Path, tmp_path: Path) -> None:
    with nothing_listening() as address:
        found = searched(ranking_app(tmp_path / "data", collections_dir, address))
        found.check("fallback", "unreachable")
    assert spent_usd(found.app) == 0


def test_an_address_without_tls_is_reported_and_costs_nothing(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    found = searched(ranking_app(tmp_path / "data", collections_dir, server.address.replace("http:", "https:")))
    found.check("fallback", "unreachable")
    assert (spent_usd(found.app), server.ledger) == (0, [])


class _Redirecting(BaseHTTPRequestHandler):
    target = ""

    def do_POST(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.target + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def redirecting(target: str) -> Iterator[str]:
    """The address of a server that sends everyone on to another one."""
    handler = type("Redirecting", (_Redirecting,), {"target": target})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_key_is_not_carried_to_where_a_redirect_leads(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    with redirecting(server.address) as address:
        searched(ranking_app(tmp_path / "data", collections_dir, address)).check("fallback", "unreachable")
    assert server.ledger == []


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_missing_proxy_is_reported_and_costs_nothing(
    proxy: str, collections_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nothing_listening() as address:
        monkeypatch.setenv(proxy, address)
        found = searched(ranking_app(tmp_path / "data", collections_dir, "http://gemini.invalid"))
    found.check("fallback", "unreachable")
    assert spent_usd(found.app) == 0


@pytest.mark.parametrize("query", ["half \ud800 a pair", "\0", "𝔯𝔢𝔡 🚤 赤い", "x" * 2_000])
def test_any_words_can_be_ranked_by_and_logged(
    query: str, server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    searched(ranking_app(tmp_path / "data", collections_dir, server.address, rank_deadline_s=20.0), query).check(
        "ranked", None
    )


def test_without_a_key_nothing_is_sent(server: MockGeminiServer, collections_dir: Path, tmp_path: Path) -> None:
    found = searched(ranking_app(tmp_path / "data", collections_dir, server.address, gemini_api_key=Secret()))
    found.check("fallback", "no_key")
    assert server.ledger == []


@pytest.mark.parametrize(("budget", "cause"), [("daily_usd", "budget_day"), ("monthly_usd", "budget_month")])
def test_over_budget_nothing_is_sent(
    budget: str, cause: Cause, server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    found = searched(ranking_app(tmp_path / "data", collections_dir, server.address, **{budget: 0.001}))
    found.check("fallback", cause)
    assert (spent_usd(found.app), server.ledger) == (0, [])


def test_after_failures_in_a_row_gemini_is_paused_with_a_time_for_the_next_attempt(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    server.always(FAULTS["504"])
    app = ranking_app(tmp_path / "data", collections_dir, server.address)
    for number in range(4):
        searched(app, f"red {number}").check("fallback", "timeout")
    found = searched(app, "red 5")
    found.check("fallback", "paused")
    assert found.answer.ranking is not None
    assert found.answer.ranking.failure is not None
    assert found.answer.ranking.failure.retry_at is not None
    assert found.answer.ranking.failure.retry_at > datetime.now(UTC)
    assert len(server.ledger) == 4


def test_a_lasting_failure_is_not_waited_for_once_gemini_is_paused(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path
) -> None:
    server.always(FAULTS["503"])
    found = searched(ranking_app(tmp_path / "data", collections_dir, server.address, rank_deadline_s=8.0))
    found.check("fallback", "overloaded")
    assert len(server.ledger) == 4
    assert found.took_s < 8.0


def test_a_picture_that_cannot_be_put_on_the_sheet_does_not_cost_the_search(
    server: MockGeminiServer, collections_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = ranking_app(tmp_path / "data", collections_dir, server.address, rank_send="sheet")
    monkeypatch.setattr(Image.Image, "thumbnail", _broken)
    searched(app).check("ranked", None)


def _broken(*_: object, **__: object) -> None:
    raise OSError("broken data stream when reading image file")
