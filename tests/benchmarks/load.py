"""Many people at once: 1, 10 and 30 sessions that search, and that move the threshold of the clusters.

A real server on loopback, real websockets, and the demo collection. Each session sends its next request as soon as the
previous one is answered, for a number of seconds. A search counts only if the page shows the expected picture, a move
only if the page shows clusters at that threshold. The server is compared with one that collects garbage after every
script run, which is Streamlit's default.

`make bench NAME=load`, or `python -m tests.benchmarks.load --sessions 1 10 30 --seconds 10`; `--server PATH PATH`
compares checkouts, `--data FOLDER` reuses a demo collection.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import WebSocketException

from core.app import DEMO, App, open_app
from core.settings import PROJECT, Settings
from pages.clusters.dial import DIAL_KEY
from pages.ui.person import NAME_KEY
from tests.benchmarks.measure import verdict
from tests.benchmarks.server import resident_mb, serving
from tests.benchmarks.session import COMPONENT, TEXT_INPUT, Session, WrongAnswer, session

SESSIONS, SECONDS, TIMEOUT_S = (1, 10, 30), 10.0, 60.0
BUDGET_SESSIONS, BUDGET_P95_MS, BUDGET_SEARCHES_PER_S = 30, 1000.0, 40.0
POST_SCRIPT_GC, OWN = "STREAMLIT_RUNNER_POST_SCRIPT_GC", "own"
COLOURS = "red, green, blue, yellow, white, black, brown, grey, orange, pink, dark, bright"
THINGS = (
    "boat, dog, bridge, tree, castle, bird, flower, cat, ship, horse, hammer, church, fish, train, apple, tower, "
    "butterfly, car, house, turtle, guitar, clock"
)
PLACES = (
    "on the water, in the snow, in a street, in a forest, in the evening, on sand, on a table, under a blue sky, "
    "beside a wall, seen from above, in a garden, on a hill"
)
LOWEST, HIGHEST = 0.6, 0.9
TOLERATED_RANKS = 3  # nearly equal similarities may swap when several texts are encoded at once

Act = Callable[[], Awaitable[tuple[str, str]]]  # sends a request; returns what was asked and what was shown
Visitor = Callable[[Session, int], Awaitable[Act]]  # opens a page in the session of this number


@dataclass(frozen=True)
class Served:
    """A running server."""

    name: str
    address: str
    pid: int
    budgeted: bool


@dataclass(frozen=True)
class Request:
    """One request: start and end in seconds of one clock, what was asked and shown, or the error.

    After a `lost` one its session stops: the connection was closed, or the server did not answer.
    """

    start_s: float
    end_s: float
    asked: str = ""
    shown: str = ""
    error: str = ""
    lost: bool = False


@dataclass(frozen=True)
class Load:
    """The requests of a number of sessions, and the server's memory before and after, in MB."""

    sessions: int
    requests: tuple[Request, ...]
    before_mb: float
    after_mb: float

    @property
    def errors(self) -> list[str]:
        return [request.error for request in self.requests if request.error]

    @property
    def rate(self) -> float:
        """Correct answers per second."""
        seconds = max(r.end_s for r in self.requests) - min(r.start_s for r in self.requests)
        return (len(self.requests) - len(self.errors)) / seconds

    def percentile_ms(self, percent: float) -> float:
        return float(np.percentile([1000 * (r.end_s - r.start_s) for r in self.requests], percent))


# -- what visitors do --------------------------------------------------------------------------------------------


def queries() -> Iterator[str]:
    """Thousands of different queries in a fixed random order, then the same again."""
    lists = (words.split(", ") for words in (COLOURS, THINGS, PLACES))
    found = [" ".join(words) for words in itertools.product(*lists)]
    random.Random(0).shuffle(found)
    return itertools.cycle(found)


async def searcher(words: Iterator[str], opened: Session, number: int) -> Act:
    """A visitor who searches for something else each time."""
    box = (await opened.open("search")).widget(TEXT_INPUT, "q").id

    async def search() -> tuple[str, str]:
        query = next(words)
        answer = await opened.set(WidgetState(id=box, string_value=query), q=query)
        return query, answer.component("results")["frames"][0]["id"]

    return search


async def curator(opened: Session, number: int) -> Act:
    """A curator with a draft of their own who moves the threshold to new values."""
    name = (await opened.open("clusters")).widget(TEXT_INPUT, NAME_KEY).id
    page = await opened.set(WidgetState(id=name, string_value=f"Curator {number}"))
    dial, dial_session = page.widget(COMPONENT, DIAL_KEY).id, page.component(DIAL_KEY)["session"]
    fragment, moves, rng = page.fragment_of(COMPONENT, DIAL_KEY), itertools.count(1), random.Random(number)

    async def move() -> tuple[str, str]:
        threshold = round(rng.uniform(LOWEST, HIGHEST), 6)
        message = {"asked": {"session": dial_session, "threshold": [next(moves), threshold]}}
        answer = await opened.set(WidgetState(id=dial, json_value=json.dumps(message)), fragment=fragment)
        shown = answer.component(DIAL_KEY)["threshold"]
        if shown != threshold:
            raise WrongAnswer(f"asked for the threshold {threshold}, shown {shown}")
        return str(threshold), str(shown)

    return move


# -- the measurement --------------------------------------------------------------------------------------------


async def visit(served: Served, visitor: Visitor, number: int, gate: asyncio.Barrier, seconds: float) -> list[Request]:
    """One session: it sends requests one after the other once all sessions have loaded their page."""
    requests: list[Request] = []
    async with session(served.address) as opened:
        act = await visitor(opened, number)
        await act()
        await gate.wait()
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s:
            requests.append(await attempt(act))
            if requests[-1].lost:
                break
    return requests


async def attempt(act: Act) -> Request:
    """Send one request and wait for its answer."""
    start_s = time.perf_counter()
    try:
        asked, shown = await asyncio.wait_for(act(), TIMEOUT_S)
    except WrongAnswer as error:
        return Request(start_s, time.perf_counter(), error=str(error))
    except (TimeoutError, WebSocketException) as error:
        return Request(start_s, time.perf_counter(), error=repr(error), lost=True)
    return Request(start_s, time.perf_counter(), asked, shown)


async def run_sessions(served: Served, visitor: Visitor, sessions: int, seconds: float) -> Load:
    """Run a number of sessions at once."""
    gate = asyncio.Barrier(sessions + 1)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(visit(served, visitor, number, gate, seconds)) for number in range(sessions)]
        await gate.wait()
        before_mb = resident_mb(served.pid)
    requests = tuple(itertools.chain.from_iterable(task.result() for task in tasks))
    return Load(sessions, requests, before_mb, resident_mb(served.pid))


def check_searches(app: App, load: Load) -> Load:
    """Count searches as errors whose first picture is not what `core` finds for the query."""
    return replace(
        load, requests=tuple(request if request.error else check_search(app, request) for request in load.requests)
    )


def check_search(app: App, request: Request) -> Request:
    expected = [hit.asset.id for hit in app.search(request.asked, DEMO, TOLERATED_RANKS).hits]
    return request if request.shown in expected else replace(request, error=f"other pictures for {request.asked!r}")


# -- the servers and the report ---------------------------------------------------------------------------------


def prepare(data: Path) -> App:
    """An App with the demo collection and its map."""
    app = open_app(Settings(data=data, model="bundled", model_is_explicit=True))
    app.ensure_demo()
    if app.atlas.map(DEMO).provisional:
        app.atlas.fit(DEMO)
    return app


def serve(stack: ExitStack, project: Path, post_script_gc: str, data: Path) -> Served:
    """Start a server of a checkout on a copy of the data; `own` keeps the checkout's setting for garbage collection."""
    copy = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "data"
    shutil.copytree(data, copy)
    settings = {} if post_script_gc == OWN else {POST_SCRIPT_GC: post_script_gc}
    address, pid = stack.enter_context(serving("streamlit_app.py", copy, project, **settings))
    name = project.name if post_script_gc == OWN else f"{project.name}, postScriptGC {post_script_gc}"
    return Served(name, address.replace("http:", "ws:"), pid, post_script_gc == OWN)


def measure(servers: Sequence[Served], app: App, sessions: Sequence[int], seconds: float) -> bool:
    """Alternate between the servers at every load, for equal conditions; returns whether the budgets are met."""
    words, met = queries(), []
    for what, visitor in (("searches", partial(searcher, words)), ("moves", curator)):
        for served in servers:
            asyncio.run(run_sessions(served, visitor, sessions=1, seconds=0))  # warm up what is loaded or compiled once
        print(f"\n{what:<34}{'sessions':>9}{'p50 ms':>9}{'p95 ms':>9}{'a second':>10}{'errors':>8}{'memory MB':>15}")
        for count, served in itertools.product(sessions, servers):
            load = asyncio.run(run_sessions(served, visitor, count, seconds))
            load = check_searches(app, load) if what == "searches" else load
            show(served.name, load)
            if what == "searches" and count == BUDGET_SESSIONS and served.budgeted:
                met += budgets(served, load)
    return all(met)


def show(name: str, load: Load) -> None:
    memory = f"{load.before_mb:.0f} to {load.after_mb:.0f}"
    print(
        f"{name:<34}{load.sessions:>9}{load.percentile_ms(50):>9.0f}{load.percentile_ms(95):>9.0f}{load.rate:>10.1f}"
        f"{len(load.errors):>8}{memory:>15}",
        flush=True,
    )
    for error in sorted(set(load.errors))[:3]:
        print(f"    {error}")


def budgets(served: Served, load: Load) -> list[bool]:
    what = f"{served.name}, {load.sessions} sessions searching at once"
    return [
        verdict(f"{what}, p95", load.percentile_ms(95), BUDGET_P95_MS, "ms"),
        verdict(f"{what}, rate", load.rate, BUDGET_SEARCHES_PER_S, "searches a second", at_least=True),
        not load.errors,
    ]


def main() -> bool:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, nargs="+", default=SESSIONS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each load lasts")
    parser.add_argument("--server", type=Path, nargs="+", default=[PROJECT], help="checkouts to start servers from")
    parser.add_argument(
        "--post-script-gc",
        choices=(OWN, "true", "false"),
        nargs="+",
        default=[OWN, "true"],
        help="one server each: as the checkout sets it, or this value",
    )
    parser.add_argument("--data", type=Path, help="a folder with the demo collection, created if there is none")
    options = parser.parse_args()
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = options.data or temporary / "data"
        if data.exists():  # asked on a copy: an older checkout cannot read what a newer one has opened
            shutil.copytree(data, temporary / "asked")
        app = prepare(temporary / "asked" if data.exists() else data)
        chosen = itertools.product(options.server, options.post_script_gc)
        servers = [serve(stack, project.resolve(), gc, data) for project, gc in chosen]
        return measure(servers, app, options.sessions, options.seconds)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
