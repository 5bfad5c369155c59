"""Thirty people for five minutes: does the server stay as it is, and is every request's event written?

A real server on loopback, real websockets, and the demo collection. Ten sessions search, ten move the threshold of the
clusters, ten open one page after the other; each pauses up to a second between requests, and all stay to the end. The
server's resident memory and open files are printed every 30 seconds, and how fast memory grew in the second half.

`make bench NAME=soak`, or `python -m tests.benchmarks.soak --seconds 300 --sessions 30`; `--data FOLDER` reuses a demo
collection.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from tests.benchmarks.load import Act, Request, Visitor, attempt, curator, prepare, queries, searcher
from tests.benchmarks.measure import verdict
from tests.benchmarks.server import resident_mb, serving
from tests.benchmarks.session import Session, session

SESSIONS, SECONDS, SAMPLE_EVERY_S, LONGEST_PAUSE_S = 30, 300.0, 30.0, 1.0
PAGES = ("library", "clusters", "metrics", "quality", "search")
BUDGET_GROWTH_MB_PER_MINUTE, BUDGET_MORE_FILES = 5.0, 8.0
# Whole runs of a page before the first request: a searcher opens it, a curator gives a name as well.
RUNS_ON_ARRIVAL = {"search": 1, "move": 2, "page": 0}


@dataclass(frozen=True)
class Sample:
    """The server at one moment: seconds since the start, resident memory, open files, threads and requests so far."""

    at_s: float
    memory_mb: float
    open_files: int
    threads: int
    requests: int


@dataclass
class Soak:
    """What was sent, answered and seen of the server so far."""

    requests: list[Request] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)

    @property
    def errors(self) -> list[str]:
        return [request.error for request in self.requests if request.error]


async def reader(opened: Session, number: int) -> Act:
    """A visitor who opens one page after the other."""
    pages = itertools.islice(itertools.cycle(PAGES), number % len(PAGES), None)

    async def open_next() -> tuple[str, str]:
        page = next(pages)
        await opened.open(page)
        return page, page

    return open_next


async def visit(address: str, visitor: Visitor, number: int, what: str, soak: Soak, end_s: float) -> None:
    """One session that stays to the end."""
    rng = random.Random(number)
    async with session(address) as opened:
        act = await visitor(opened, number)
        soak.sent["arrival"] += RUNS_ON_ARRIVAL[what]
        while time.perf_counter() < end_s:
            soak.sent[what] += 1
            soak.requests.append(await attempt(act))
            if soak.requests[-1].lost:
                return
            await asyncio.sleep(rng.uniform(0, LONGEST_PAUSE_S))


async def watch(pid: int, soak: Soak, start_s: float, end_s: float) -> None:
    """Take and print a sample every 30 seconds, and one at the end."""
    print(f"{'seconds':>8}{'memory MB':>11}{'open files':>12}{'threads':>9}{'requests':>10}{'errors':>8}")
    while True:
        taken = sample(pid, soak, time.perf_counter() - start_s)
        soak.samples.append(taken)
        print(
            f"{taken.at_s:>8.0f}{taken.memory_mb:>11.1f}{taken.open_files:>12}{taken.threads:>9}{taken.requests:>10}"
            f"{len(soak.errors):>8}",
            flush=True,
        )
        left_s = end_s - time.perf_counter()
        if left_s <= 0:
            return
        await asyncio.sleep(min(SAMPLE_EVERY_S, left_s))


def sample(pid: int, soak: Soak, at_s: float) -> Sample:
    files, threads = (len([*Path(f"/proc/{pid}/{kind}").iterdir()]) for kind in ("fd", "task"))
    return Sample(at_s, resident_mb(pid), files, threads, len(soak.requests))


async def run(address: str, pid: int, sessions: int, seconds: float) -> Soak:
    """All sessions at once; what they found."""
    soak, start_s = Soak(), time.perf_counter()
    visitors: Sequence[tuple[str, Visitor]] = (
        ("search", partial(searcher, queries())),
        ("move", curator),
        ("page", reader),
    )
    async with asyncio.TaskGroup() as group:
        for number, (what, visitor) in zip(range(sessions), itertools.cycle(visitors)):
            group.create_task(visit(address, visitor, number, what, soak, start_s + seconds))
        group.create_task(watch(pid, soak, start_s, start_s + seconds))
    return soak


def events_by_kind(data: Path) -> Counter[str]:
    with closing(sqlite3.connect(data / "events.db")) as database:
        return Counter(dict(database.execute("SELECT kind, count(*) FROM events GROUP BY kind")))


def wrong_events(sent: Counter[str], written: Counter[str]) -> int:
    """How many events are missing or too many: one per search, per whole run of a page and per new threshold.

    A page may cut the clusters by itself as well, once.
    """
    runs = sent["arrival"] + sent["page"] + sent["search"]
    cuts_missing = max(0, sent["move"] - written["cut"])
    return abs(written["search"] - sent["search"]) + abs(written["page"] - runs) + cuts_missing


def growth_mb_per_minute(samples: Sequence[Sample]) -> float:
    """The slope of memory over the second half of the time."""
    half = [taken for taken in samples if taken.at_s >= samples[-1].at_s / 2]
    slope, _ = np.polyfit([taken.at_s for taken in half], [taken.memory_mb for taken in half], 1)
    return float(60 * slope)


def report(soak: Soak, written: Counter[str]) -> bool:
    """Print the verdicts; whether all budgets are met and every event was written."""
    half = [taken for taken in soak.samples if taken.at_s >= soak.samples[-1].at_s / 2]
    more_files = half[-1].open_files - half[0].open_files
    for error, count in Counter(soak.errors).most_common(3):
        print(f"{count} × {error}")
    print(f"sent: {dict(soak.sent)}; events written: {dict(written)}")
    return all(
        [
            verdict(
                "growth of memory, 2nd half", growth_mb_per_minute(soak.samples), BUDGET_GROWTH_MB_PER_MINUTE, "MB/min"
            ),
            verdict("more open files, 2nd half", more_files, BUDGET_MORE_FILES, "files"),
            verdict("errors", len(soak.errors), 0, "requests"),
            verdict("events missing or too many", wrong_events(soak.sent, written), 0, "events"),
        ]
    )


def main() -> bool:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--data", type=Path, help="a folder with the demo collection, created if there is none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        if options.data is not None and options.data.exists():
            shutil.copytree(options.data, data)
        prepare(data)
        with serving("streamlit_app.py", data) as (address, pid):
            before = events_by_kind(data)
            soak = asyncio.run(run(address.replace("http:", "ws:"), pid, options.sessions, options.seconds))
            return report(soak, events_by_kind(data) - before)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
