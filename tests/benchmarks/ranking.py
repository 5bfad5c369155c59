"""Ranking: what a request takes besides Gemini's own time, and what both ways of sending cost.

Gemini is a mock server in a process of its own that answers every request after a fixed time.

`make bench NAME=ranking`
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from core.app import App, open_app
from core.gemini.client import GeminiClient
from core.gemini.transport import GeminiReply, GeminiRequest
from core.search.answer import Answer
from core.settings import Secret, Settings
from tests.benchmarks.measure import Timing, record_ratio, show, verdict
from tests.fakes.gemini import MANUAL_KEY

FIXED_MS, BUDGET_P95_MS = 200.0, 60.0
WARMUP, COMPARED = 5, 20
WAYS = ("images", "sheet")
SUBJECTS = ("dog", "boat", "red flower", "street", "lake", "old car", "bird", "bridge", "cup of coffee", "horse")
SETTINGS = (
    "at night",
    "in the snow",
    "on a table",
    "by the sea",
    "from above",
    "in the morning",
    "with people",
    "in a city",
    "in autumn",
    "close up",
)
QUERIES = tuple(f"{subject} {setting}" for setting in SETTINGS for subject in SUBJECTS)


class TimedClient(GeminiClient):
    """The real client, which records how long each request took (ms)."""

    def __init__(self, key: Secret, endpoint: str = "") -> None:
        super().__init__(key, endpoint)
        self.took_ms: list[float] = []

    def generate(self, model: str, request: GeminiRequest, timeout_s: float) -> GeminiReply:
        began = time.perf_counter()
        reply = super().generate(model, request, timeout_s)
        self.took_ms.append((time.perf_counter() - began) * 1000)
        return reply


@dataclass(frozen=True)
class RankingRun:
    """A hundred requests: their wall times and those of the SDK within them (ms, the fixed time taken off)."""

    whole_ms: NDArray[np.float64]
    client_ms: NDArray[np.float64]
    answers: list[Answer]

    def stage_ms(self, name: str) -> NDArray[np.float64]:
        return np.array([answer.stage_ms[name] for answer in self.answers])

    @property
    def usd(self) -> float:
        return float(np.mean([answer.cost.gemini_usd for answer in self.answers]))

    @property
    def tokens(self) -> float:
        return float(np.mean([answer.ranking.usage.total for answer in self.answers if answer.ranking]))


@contextmanager
def mock_server() -> Iterator[str]:
    """The address of a mock server in another process."""
    command = [sys.executable, "-m", "tests.fakes.gemini", "--delay", str(FIXED_MS / 1000)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield next(process.stdout).split(" listens at ")[1].split()[0]
        finally:
            process.terminate()


def ranking_app(data: Path, send: str, key: Secret, endpoint: str = "") -> tuple[App, TimedClient]:
    """An App on the demo collection, its client timed."""
    client = TimedClient(key, endpoint)
    with patch("core.app.GeminiClient", lambda *_: client):
        settings = Settings(
            data=data,
            model="bundled",
            model_is_explicit=True,
            gemini_api_key=key,
            gemini_endpoint=endpoint,
            rank_send=send,
            rank_deadline_s=30.0,
        )
        app = open_app(settings)
    return app, client


def ranked(app: App, query: str) -> Answer:
    answer = app.search(query, ranked=True)
    assert answer.ranking is not None
    assert answer.ranking.outcome == "ranked", answer.ranking.failure
    return answer


def measured(data: Path, send: str, endpoint: str) -> RankingRun:
    app, client = ranking_app(data, send, Secret(MANUAL_KEY), endpoint)
    for number in range(WARMUP):
        ranked(app, f"warm-up {number}")
    client.took_ms.clear()
    took_ms, answers = [], []
    for query in QUERIES:
        began = time.perf_counter()
        answers.append(ranked(app, query))
        took_ms.append((time.perf_counter() - began) * 1000)
    return RankingRun(np.array(took_ms) - FIXED_MS, np.array(client.took_ms) - FIXED_MS, answers)


def timing(name: str, ms: NDArray[np.float64]) -> Timing:
    return Timing(name, *np.percentile(ms, [50, 95]).tolist())


def report(send: str, run: RankingRun) -> bool:
    whole, own = (
        timing("whole search − 200 ms", run.whole_ms),
        timing("ours: without the SDK", run.whole_ms - run.client_ms),
    )
    parts = [timing(f"  {name}", run.stage_ms(name)) for name in ("encode", "search", "load")]
    around = timing("  rank, around the SDK", run.stage_ms("rank") - FIXED_MS - run.client_ms)
    logged = timing("  the event", run.whole_ms + FIXED_MS - run.stage_ms("total"))
    sdk = timing("the SDK: generate − 200 ms", run.client_ms)
    show(f"{send}: {len(QUERIES)} distinct queries, demo collection", [whole, sdk, own, *parts, around, logged], own)
    return verdict(f"our own overhead, {send}, p95", own.p95_ms, BUDGET_P95_MS, "ms")


def show_costs(runs: dict[str, RankingRun]) -> None:
    print("\nper request, by the stand-in's rules (1,120 tokens an image, four characters a token):")
    for send, run in runs.items():
        print(f"{send:<8}{run.tokens:>8,.0f} tokens{run.usd * 1000:>10.3f} USD per thousand requests")
    record_ratio("a sheet ÷ ten images, USD", runs["sheet"].usd / runs["images"].usd, better="lower")
    print(f"one sheet costs {runs['sheet'].usd / runs['images'].usd:.0%} of ten images")


def show_agreement(data: Path) -> None:
    """How much of the best four both ways share; only Gemini itself can tell."""
    key = os.environ.get("GEMINI_API_KEY", "")
    if not key or os.environ.get("CONTACTSHEET_GEMINI_ENDPOINT"):
        print("agreement between both ways: not measured (no key)")
        return
    apps = [ranking_app(data, send, Secret(key))[0] for send in WAYS]
    shared = [_shared(*(ranked(app, query) for app in apps)) for query in QUERIES[:COMPARED]]
    print(f"agreement between both ways: {np.mean(shared):.0%} of the best four are the same ({COMPARED} queries)")


def _shared(one: Answer, other: Answer, best: int = 4) -> float:
    first, second = ({hit.asset.id for hit in answer.hits[:best]} for answer in (one, other))
    return len(first & second) / best


def main() -> bool:
    os.environ["NO_PROXY"] = "127.0.0.1"
    with tempfile.TemporaryDirectory() as folder, mock_server() as endpoint:
        data = Path(folder) / "data"
        open_app(Settings(data=data, model="bundled", model_is_explicit=True)).ensure_demo()
        runs = {send: measured(data, send, endpoint) for send in WAYS}
        met = [report(send, run) for send, run in runs.items()]
        show_costs(runs)
        show_agreement(data)
    return all(met)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
