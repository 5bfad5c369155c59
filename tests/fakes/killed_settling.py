"""Processes that rank against the Gemini mock server at once; one dies while it settles what a request cost."""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, NamedTuple

from core.app import App
from tests.fakes.gemini_app import cause_of, ranking_app

Moment = Literal["before", "updated", "committed"]
MOMENTS: tuple[Moment, ...] = ("before", "updated", "committed")
PATIENCE_S = 60.0


class Place(NamedTuple):
    """Where a process ranks: its data folder, the collections it searches, and the mock server."""

    data: Path
    collections: Path
    address: str

    def open(self) -> App:
        return ranking_app(self.data, self.collections, self.address, rank_deadline_s=PATIENCE_S, daily_usd=100.0)


def rank_on_request(pipe: Connection) -> None:
    """Rank so often and so named as each message says, and answer with the causes of fallbacks; None ends it."""
    while (order := pipe.recv()) is not None:
        place, name, searches = order
        pipe.send(_causes(place.open(), name, searches))


def rank_and_die(place: Place, name: str, settles: int, moment: Moment) -> None:
    """Rank until the process is killed, in its `settles`-th settle, by itself."""
    app = place.open()
    DyingConnection.left, DyingConnection.moment = settles, moment
    sqlite3.connect = functools.partial(sqlite3.connect, factory=DyingConnection)  # type: ignore[assignment]
    _causes(app, name, settles + 1)


def _causes(app: App, name: str, searches: int) -> list[str | None]:
    return [cause_of(app.search(f"red {name} {number}", "c", ranked=True)) for number in range(searches)]


class DyingConnection(sqlite3.Connection):
    """A connection whose process is killed before or after it writes the cost of a request, or has committed it."""

    left = 0
    moment: Moment = "before"
    _settling = False

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if sql.startswith("UPDATE spend SET"):
            DyingConnection.left -= 1
            self._settling = DyingConnection.left == 0
        self._die_at("before")
        cursor = super().execute(sql, parameters)
        self._die_at("updated")
        return cursor

    def commit(self) -> None:
        super().commit()
        self._die_at("committed")

    def _die_at(self, moment: Moment) -> None:
        if self._settling and moment == self.moment:
            os.kill(os.getpid(), signal.SIGKILL)
