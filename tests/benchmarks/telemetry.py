"""The event log at a million events: writing, every view, several processes at once, and what a year takes on disk.

`make bench NAME=telemetry`, or `python -m tests.benchmarks.telemetry --events 1000000 --seconds 60 --year-days 365`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import numpy as np

from core.metrics.summary import GeminiSpending, read_summary
from core.records.events import SEARCH_KINDS, Event, to_milliseconds
from core.store.sql.event_log import _INSERT, EventLog, _packed
from core.store.sql.event_retention import Retention
from core.store.sql.event_rollups import DAY_MS
from tests.benchmarks.measure import Timing, timed, verdict

NOW = datetime(2026, 11, 20, 15, 17, 23, 456_000, tzinfo=UTC)
A_DAY, YEAR_DAYS, WRITERS = 10_000, 365, 4
BUDGET_INSERT_MS, BUDGET_VIEW_MS, BUDGET_YEAR_MB = 2.0, 300.0, 200.0
KINDS, SHARES = ("search", "page", "cut", "refine"), (0.7, 0.2, 0.08, 0.02)
COLLECTIONS, COLLECTION_SHARES = ("demo", "holidays", "archive"), (0.6, 0.3, 0.1)
RECEIPTS, RANKED_SHARE, INSERTS = 512, 0.3, 3_000


def receipt(rng: np.random.Generator, ranked: bool) -> dict[str, Any]:
    """A receipt as long as real ones, its ids as hard to compress."""
    words = rng.choice(["red", "boat", "harbour", "evening", "two", "dogs", "snow", "street", "old", "bridge"], 8)
    document: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "at": NOW.isoformat(),
        "query": " ".join(words[:4]),
        "collection": "demo",
        "collection_version": rng.bytes(32).hex(),
        "stage_ms": {s: float(rng.random()) for s in ("encode", "search")},
        "cost_usd": {service: float(rng.random()) for service in ("clip_usd", "compute_usd", "gemini_usd", "total")},
    }
    if ranked:
        document["ranking"] = {
            "outcome": "ranked",
            "model": "gemini-3.5-flash-lite",
            "places": [
                {
                    "asset_id": rng.bytes(32).hex(),
                    "vector_rank": rank,
                    "final_rank": 11 - rank,
                    "score": rng.random(),
                    "reason": " ".join(rng.permutation(words)),
                }
                for rank in range(1, 11)
            ],
        }
    return document


def synthetic(rng: np.random.Generator, count: int, since_ms: int, until_ms: int) -> Iterator[tuple[Any, ...]]:
    """Rows of `events` in the order of time: most of them searches, some of those ranked."""
    plain, ranked = ([_packed(receipt(rng, with_places)) for _ in range(RECEIPTS)] for with_places in (False, True))
    at = np.sort(rng.uniform(since_ms, until_ms, count)).astype(np.int64)
    kinds, collections = rng.choice(len(KINDS), count, p=SHARES), rng.choice(3, count, p=COLLECTION_SHARES)
    ms = rng.lognormal((3.0, 1.5, 6.6, 2.3), (0.4, 0.5, 0.4, 0.8), (count, 4))
    luck, picks = rng.random((count, 2)), rng.integers(0, RECEIPTS, count)
    for row in range(count):
        kind, (encode, search, rank, load) = KINDS[kinds[row]], ms[row].tolist()
        is_search = kind == "search"
        is_ranked = is_search and luck[row, 0] < RANKED_SHARE
        outcome, reason = ("fallback", "timeout") if is_ranked and luck[row, 1] < 0.05 else ("ok", "")
        outcome, reason = ("error", "QueryError") if luck[row, 1] > 0.995 else (outcome, reason)
        stages = (encode, search, rank if is_ranked else None, load) if is_search else (None,) * 4
        tokens = (11_500, 0, 180, 0) if is_ranked else (0,) * 4
        usd = (encode / 3.6e7, (search + load) / 3.6e7, 0.0039 if is_ranked else 0.0)
        detail = ranked[picks[row]] if is_ranked else plain[picks[row]] if is_search else "{}"
        yield (
            uuid.UUID(bytes=rng.bytes(16)).hex,
            int(at[row]),
            kind,
            COLLECTIONS[collections[row]],
            outcome,
            reason,
            *stages,
            sum(ms for ms in stages if ms) or encode,
            *tokens,
            *usd,
            "gemini-3.5-flash-lite" if is_ranked else "",
            int(is_ranked and luck[row, 1] < 0.2),
            detail,
            10,
        )


def load(path: Path, rows: Iterator[tuple[Any, ...]]) -> None:
    """Write rows past the log, in one transaction."""
    with sqlite3.connect(path) as db:
        db.executemany(_INSERT, rows)
    db.close()


def size_mb(path: Path) -> float:
    """What the database takes once its log is empty."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return path.stat().st_size / 1e6


def views(log: EventLog) -> dict[str, Callable[[int], object]]:
    """Everything that a page shows, at moments that differ a little."""
    spans = {"1 h": timedelta(hours=1), "24 h": timedelta(days=1), "7 d": timedelta(days=7), "30 d": timedelta(days=30)}

    def moved(number: int) -> datetime:
        return NOW - timedelta(seconds=7.3 * number)

    found: dict[str, Callable[[int], object]] = {}
    for name, span in spans.items():
        found[f"window, {name}"] = lambda i, s=span: log.window(moved(i) - s, moved(i))
        found[f"window, {name}, one collection"] = lambda i, s=span: log.window(
            moved(i) - s, moved(i), SEARCH_KINDS, "demo"
        )
        found[f"series of 120, {name}"] = lambda i, s=span: log.series(moved(i) - s, moved(i), 120)
        found[f"slowest, {name}"] = lambda i, s=span: log.slowest(moved(i) - s, moved(i), 10, ("search",))
        found[f"most_expensive, {name}"] = lambda i, s=span: log.most_expensive(moved(i) - s, moved(i), 10, ("search",))
    found["totals"] = lambda _: log.totals()
    found["summary, 24 h"] = lambda i: read_summary(
        log, moved(i) - spans["24 h"], moved(i), None, GeminiSpending(0, 0, 2, 30)
    )
    return found


def a_request(number: int, receipts: list[dict[str, Any]]) -> Event:
    return Event(
        uuid.uuid4().hex,
        "search",
        NOW,
        "demo",
        stage_ms={"encode": 20.0, "search": 2.0, "load": 9.0, "total": 31.0},
        clip_usd=5e-7,
        compute_usd=3e-7,
        images=10,
        detail=receipts[number % len(receipts)],
    )


def write_for(path: Path, name: str, seconds: float, results: SimpleQueue[tuple[int, list[float]]]) -> None:
    log, rng, times, end = EventLog(path), np.random.default_rng(0), list[float](), time.monotonic() + seconds
    receipts = [receipt(rng, False)]
    while time.monotonic() < end:
        event, began = a_request(0, receipts), time.perf_counter()
        log.append(event)
        times.append((time.perf_counter() - began) * 1000)
    results.put((len(times), np.percentile(times, [50, 95, 99.9]).tolist()))


def together(seconds: float) -> bool:
    """Four processes write as fast as they can: what each says it wrote, what is stored, what the sums hold."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path, results = Path(folder) / "events.db", spawn.SimpleQueue()
        log = EventLog(path)
        writers = [spawn.Process(target=write_for, args=(path, f"{n}", seconds, results)) for n in range(WRITERS)]
        for process in writers:
            process.start()
        answers = [results.get() for _ in writers]
        for process in writers:
            process.join()
        written, summed = sum(count for count, _ in answers), log.totals()["search", "demo"].requests
        with sqlite3.connect(path) as db:
            (stored,) = db.execute("SELECT count(*) FROM events").fetchone()
        db.close()
    p50, p95, p999 = np.median([times for _, times in answers], axis=0).tolist()
    print(
        f"\n{WRITERS} processes for {seconds:g} s: {written:,} written, {stored:,} stored, {summed:,} summed; "
        f"{written / seconds:,.0f} events/s; insert p50 {p50:.2f}, p95 {p95:.2f}, p99.9 {p999:.1f} ms"
    )
    return written == stored == summed


def million(count: int, days: int) -> list[bool]:
    with tempfile.TemporaryDirectory() as folder:
        path, rng = Path(folder) / "events.db", np.random.default_rng(0)
        keeping = Retention(event_days=days + 1)
        EventLog(path)
        began = time.perf_counter()
        load(path, synthetic(rng, count, to_milliseconds(NOW) - days * DAY_MS, to_milliseconds(NOW)))
        loaded = time.perf_counter()
        log = EventLog(path, keeping, now=lambda: NOW)
        folded = time.perf_counter()
        print(
            f"{count:,} events over {days} days: loaded in {loaded - began:.0f} s, added up in "
            f"{folded - loaded:.0f} s ({count / (folded - loaded):,.0f}/s), {size_mb(path):,.0f} MB"
        )
        receipts = [receipt(rng, number % 3 == 0) for number in range(64)]
        insert = timed("insert", lambda i: log.append(a_request(i, receipts)), INSERTS)
        peer = bare_insert(Path(folder) / "bare.db", receipts)
        timings = [timed(name, view, 20, warmup=2) for name, view in views(log).items()]
        table([insert, peer, *timings])
        slowest = max(timings, key=lambda timing: timing.p95_ms)
        return [
            verdict("insert, p95", insert.p95_ms, BUDGET_INSERT_MS, "ms"),
            verdict(f"slowest view ({slowest.name}), p95", slowest.p95_ms, BUDGET_VIEW_MS, "ms"),
        ]


def bare_insert(path: Path, receipts: list[dict[str, Any]]) -> Timing:
    """The peer: a plain table of JSON texts, one connection kept, no index, nothing added up."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, document TEXT)")
    found = timed(
        "bare SQLite: a row of JSON",
        lambda i: db.execute("INSERT INTO log (document) VALUES (?)", (json.dumps(receipts[i % len(receipts)]),)),
        INSERTS,
    )
    db.close()
    return found


def table(timings: list[Timing]) -> None:
    print(f"\n{'':<34}{'p50 ms':>10}{'p95 ms':>10}")
    for timing in timings:
        print(f"{timing.name:<34}{timing.p50_ms:>10.2f}{timing.p95_ms:>10.2f}")


def year(days: int) -> bool:
    """Live through so many days of 10,000 requests under the default retention, and reckon the rest of the year."""
    with tempfile.TemporaryDirectory() as folder:
        path, rng, retention = Path(folder) / "events.db", np.random.default_rng(1), Retention()
        start_ms, now = to_milliseconds(NOW) // DAY_MS * DAY_MS, [NOW]
        log = EventLog(path, retention, now=lambda: now[0])
        for day in range(days):
            since_ms = start_ms + day * DAY_MS
            now[0] = NOW.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=day, hours=23)
            load(path, synthetic(rng, A_DAY, since_ms, since_ms + DAY_MS))
            for _ in range(A_DAY // 1024 + 1):
                log.fold()
        whole_mb, parts = size_mb(path), parts_mb(path)
        print(
            f"\n{days} days of {A_DAY:,} requests: {whole_mb:.1f} MB on disk, "
            + ", ".join(f"{name} {mb:.1f} MB" for name, mb in parts.items())
        )
    missing = {
        name: max(0, min(kept, YEAR_DAYS) - days) / min(days, kept)
        for name, kept in (
            ("minutes", retention.minute_days),
            ("hours", retention.hour_days),
            ("days", YEAR_DAYS),
            ("events", retention.event_days),
        )
    }
    reckoned_mb = whole_mb + sum(parts[name] * share for name, share in missing.items())
    return verdict(f"a year of {A_DAY:,} requests a day, reckoned from {days} days", reckoned_mb, BUDGET_YEAR_MB, "MB")


def parts_mb(path: Path) -> dict[str, float]:
    """What each kind of row holds, without what SQLite adds."""
    units = {"minutes": 60_000, "hours": 3_600_000, "days": DAY_MS}
    with sqlite3.connect(path) as db:
        columns = {name: [row[1] for row in db.execute(f"PRAGMA table_info({name})")] for name in ("events", "rollups")}
        length = {t: " + ".join(f"coalesce(length(CAST({c} AS BLOB)), 0)" for c in cs) for t, cs in columns.items()}
        found = {
            name: db.execute(f"SELECT sum({length['rollups']}) FROM rollups WHERE unit_ms = ?", (unit,)).fetchone()[0]
            for name, unit in units.items()
        }
        found["events"] = db.execute(f"SELECT sum({length['events']}) FROM events").fetchone()[0]
    db.close()
    return {name: (size or 0) / 1e6 for name, size in found.items()}


def main() -> bool:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30, help="over which they are spread")
    parser.add_argument("--seconds", type=float, default=10.0, help="for which four processes write")
    parser.add_argument("--year-days", type=int, default=20, help="how much of the year is lived through")
    options = parser.parse_args()
    print(json.dumps({"sqlite": sqlite3.sqlite_version, "cores": os.cpu_count()}))
    met = million(options.events, options.days)
    met.append(together(options.seconds))
    met.append(year(options.year_days))
    return all(met)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
