"""Evaluation runs in a database of their own: the newest are kept, named ones always."""

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
from core.store.sql.migrations import QUALITY

MAX_UNNAMED_RUNS = 500
MAX_RUN_NAME_LENGTH = 80


class RunStore:
    """The runs of all processes. May be shared between threads."""

    def __init__(self, path: Path, max_unnamed: int = MAX_UNNAMED_RUNS) -> None:
        self._database, self._max_unnamed = Database(path, QUALITY, expendable=True), max_unnamed

    def save(self, run: EvaluationRun) -> EvaluationRun:
        """Store a run under a new id. Raises QualityError if its name is taken or too long."""
        if len(run.name) > MAX_RUN_NAME_LENGTH:
            raise QualityError(
                f"the name has {len(run.name)} characters, the limit is {MAX_RUN_NAME_LENGTH}: shorten it"
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
            run.mock_server,
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
                    (self._max_unnamed,),
                )
                return replace(run, id=int(added.lastrowid or 0))
        except sqlite3.IntegrityError as error:
            raise QualityError(f"a run is named {run.name!r} already: choose another name") from error

    def latest(self, limit: int = 50) -> list[EvaluationRunSummary]:
        """The newest runs first."""
        columns = "id, name, at, collection, ranker, model, labels, queries, stand_in AS mock_server"
        with self._database.reading() as db:
            rows = db.execute(f"SELECT {columns} FROM runs ORDER BY id DESC LIMIT ?", (limit,))  # noqa: S608 - fixed
            return [EvaluationRunSummary(**{**row, "at": datetime.fromisoformat(row["at"])}) for row in map(dict, rows)]

    def forget(self, collection: str) -> None:
        """Delete all runs of a collection, named ones too."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM runs WHERE collection = ?", (collection,))

    def get(self, id_or_name: int | str) -> EvaluationRun:
        """A run by its id or its name. Raises QualityError if there is none."""
        column = "id" if isinstance(id_or_name, int) else "name"
        with self._database.reading() as db:
            found = db.execute(f"SELECT id, document FROM runs WHERE {column} = ?", (id_or_name,)).fetchone()  # noqa: S608
        if found is None or id_or_name == "":
            raise QualityError(f"there is no run {id_or_name!r}: `python -m core compare` lists those that are kept")
        return replace(run_from_document(json.loads(found["document"])), id=found["id"])


def run_to_document(run: EvaluationRun) -> dict[str, Any]:
    """A run as a JSON document."""
    document = {**asdict(run), "at": run.at.isoformat()}
    mock_server = document.pop("mock_server")
    return {**document, "stand_in": mock_server}


def run_from_document(document: Mapping[str, Any]) -> EvaluationRun:
    """The run of a document from `run_to_document`."""
    outcomes = tuple(
        QueryOutcome(**{**entry, "order": tuple(entry["order"]), "vector_order": tuple(entry["vector_order"])})
        for entry in document["outcomes"]
    )
    fields = {**document, "at": datetime.fromisoformat(document["at"]), "outcomes": outcomes}
    return EvaluationRun(mock_server=fields.pop("stand_in", None), **fields)
