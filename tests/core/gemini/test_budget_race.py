"""Four processes rank at once and one is killed inside a settle: what was served is never more than what counts."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fakes.child_processes import FORKS
from tests.fakes.gemini import MockGeminiServer
from tests.fakes.gemini_app import billed_usd, make_collections, ranking_app, spent_usd
from tests.fakes.gemini_client import KEY
from tests.fakes.gemini_faults import FAULTS
from tests.fakes.killed_settling import MOMENTS, PATIENCE_S, Moment, Place, rank_and_die, rank_on_request
from tests.fakes.trials import trials

KILLS = trials(50, at_least=6)
SURVIVORS, SEARCHES_EACH = 3, 3
TOLERANCE_USD = 1e-9


@pytest.fixture(scope="module")
def collections_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collections(tmp_path_factory.mktemp("collections"), dict.fromkeys(("red", "green", "blue"), ""))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockGeminiServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with MockGeminiServer(key=KEY) as mock_server:
        yield mock_server


@pytest.fixture
def survivors() -> Iterator[list[Connection]]:
    """Processes that rank once they are asked."""
    pipes = [FORKS.Pipe() for _ in range(SURVIVORS)]
    processes = [FORKS.Process(target=rank_on_request, args=(theirs,)) for _, theirs in pipes]
    for process in processes:
        process.start()
    yield [ours for ours, _ in pipes]
    for ours, _ in pipes:
        ours.send(None)
    for process in processes:
        process.join(PATIENCE_S)


def race(place: Place, survivors: list[Connection], name: str, settles: int, moment: Moment) -> None:
    """One of four processes is killed in its `settles`-th settle; the others rank undisturbed."""
    victim = FORKS.Process(target=rank_and_die, args=(place, f"{name} x", settles, moment))
    victim.start()
    for number, pipe in enumerate(survivors):
        pipe.send((place, f"{name} {number}", SEARCHES_EACH))
    for pipe in survivors:
        assert pipe.poll(PATIENCE_S)
        assert pipe.recv() == [None] * SEARCHES_EACH
    victim.join(PATIENCE_S)
    assert victim.exitcode == -signal.SIGKILL


def max_usd(place: Place, server: MockGeminiServer) -> float:
    """The most that one of these requests can cost."""
    server.script(FAULTS["no-usage"])
    ranking = place.open().search("red 000 0 0", "c", ranked=True).ranking
    assert ranking is not None
    return ranking.unknown_usd


def test_a_kill_inside_a_settle_never_makes_less_of_what_was_served(
    server: MockGeminiServer, survivors: list[Connection], collections_dir: Path
) -> None:
    rng = random.Random(15)
    with TemporaryDirectory(prefix="race") as folder:
        most_usd = max_usd(Place(Path(folder) / "first", collections_dir, server.address), server)
        for kill in range(KILLS):
            place, moment = Place(Path(folder) / str(kill), collections_dir, server.address), MOMENTS[kill % 3]
            before = len(server.ledger)
            race(place, survivors, f"{kill:03}", rng.randint(1, 3), moment)
            served_usd = billed_usd(server.ledger[before:])
            spent = spent_usd(ranking_app(place.data, collections_dir, ""))
            if moment == "committed":
                assert spent == pytest.approx(served_usd, abs=TOLERANCE_USD)
            else:  # the reservation of the request that died goes on counting, and no other
                assert served_usd < spent <= served_usd + most_usd + TOLERANCE_USD
