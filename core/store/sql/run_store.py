"""Evaluations that were run, in a database of their own: the newest are kept, named ones always."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from core.errors import QualityError
from core.records.evaluations import EvaluationRun, EvaluationRunSummary, QueryOutcome
from core.store.sql.database import Database

MAX_UNNAMED_RUNS = 500
MAX_RUN_NAME_LENGTH = 80
_MIGRATIONS = (
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        at TEXT NOT NULL,
        collection TEXT NOT NULL,
        ranker TEXT NOT NULL,
        model TEXT NOT NULL,
        labels TEXT NOT NULL,
        queries INTEGER NOT NULL,
        document TEXT NOT NULL
    );
    CREATE UNIQUE INDEX runs_by_name ON runs (name) WHERE name <> '';
    """,
    "ALTER TABLE runs ADD COLUMN stand_in TEXT",
)


class RunStore:
    """The runs of all processes. May be shared between threads."""

    def __init__(self, path: Path, most_unnamed: int = MAX_UNNAMED_RUNS) -> None:
        self._database, self._most_unnamed = Database(path, _MIGRATIONS), most_unnamed

    def keep(self, run: EvaluationRun) -> EvaluationRun:
        """Keep a run under a new number. Raises QualityError if its name is another run's, or too long."""
        if len(run.name) > MAX_RUN_NAME_LENGTH:
            raise QualityError(
                f"the name has {len(run.name)} characters, allowed are {MAX_RUN_NAME_LENGTH}: shorten it"
            )
        document = json.dumps(run_to_document(replace(run, id=0)), ensure_ascii=False)
        row = (
            run.name,
            run.at.isoformat(),
            run.collection,
            run.ranker,
            run.model,
            run.labels,
            len(run.outcomes),
            run.stand_in,
            document,
        )
        try:
            with self._database.transaction() as db:
                added = db.execute(
                    "INSERT INTO runs (name, at, collection, ranker, model, labels, queries, stand_in, document)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
                db.execute(
                    "DELETE FROM runs WHERE name = '' AND id NOT IN"
                    " (SELECT id FROM runs WHERE name = '' ORDER BY id DESC LIMIT ?)",
                    (self._most_unnamed,),
                )
                return replace(run, id=int(added.lastrowid or 0))
        except sqlite3.IntegrityError as error:
            raise QualityError(f"a run is named {run.name!r} already: choose another name") from error

    def latest(self, limit: int = 50) -> list[EvaluationRunSummary]:
        """The newest runs first."""
        columns = "id, name, at, collection, ranker, model, labels, queries, stand_in"
        with self._database.reading() as db:
            rows = db.execute(f"SELECT {columns} FROM runs ORDER BY id DESC LIMIT ?", (limit,))  # noqa: S608 - fixed
            return [EvaluationRunSummary(**{**row, "at": datetime.fromisoformat(row["at"])}) for row in map(dict, rows)]

    def get(self, which: int | str) -> EvaluationRun:
        """A run by its number or its name. Raises QualityError if there is none."""
        column = "id" if isinstance(which, int) else "name"
        with self._database.reading() as db:
            found = db.execute(f"SELECT id, document FROM runs WHERE {column} = ?", (which,)).fetchone()  # noqa: S608
        if found is None or which == "":
            raise QualityError(f"there is no run {which!r}: `python -m core compare` lists those that are kept")
        return replace(run_from_document(json.loads(found["document"])), id=found["id"])


def run_to_document(run: EvaluationRun) -> dict[str, Any]:
    """A run as JSON can hold it."""
    return {**asdict(run), "at": run.at.isoformat()}


def run_from_document(document: Mapping[str, Any]) -> EvaluationRun:
    """The run of a document that `run_to_document` made."""
    outcomes = tuple(
        QueryOutcome(**{**entry, "order": tuple(entry["order"]), "vector_order": tuple(entry["vector_order"])})
        for entry in document["outcomes"]
    )
    return EvaluationRun(**{**document, "at": datetime.fromisoformat(document["at"]), "outcomes": outcomes})
