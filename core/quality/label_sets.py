"""Label sets: queries, and which pictures answer them. One JSON object per line; pictures are named by content hash."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import QualityError
from core.settings import PROJECT

EVAL_FOLDER = PROJECT / "data" / "eval"
GRADES = {0: "not relevant", 1: "partly", 2: "exactly"}
KNOWN_FIELDS = frozenset({"id", "query", "kind", "relevant", "note"})
MAX_BYTES = 64_000_000
_ASSET_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class LabelledQuery:
    """A query with the grades of the judged pictures, by asset id; all other pictures are not relevant."""

    id: str
    query: str
    kind: str
    relevant: Mapping[str, int]
    note: str = ""

    @property
    def answers(self) -> dict[str, int]:
        """The pictures that answer it at least partly."""
        return {asset_id: grade for asset_id, grade in self.relevant.items() if grade > 0}


@dataclass(frozen=True)
class LabelSet:
    """Queries in the order of their file; `digest` changes with any query or grade, not with notes or layout."""

    name: str
    queries: tuple[LabelledQuery, ...]
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        content = [[q.id, q.query, q.kind, sorted(q.relevant.items())] for q in self.queries]
        object.__setattr__(self, "digest", hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16])


@dataclass(frozen=True)
class ApplicableLabels:
    """A label set reduced to a collection: it lacks `absent` pictures, and all pictures of `unanswerable` queries."""

    queries: tuple[LabelledQuery, ...]
    absent: int
    unanswerable: int


def read_label_set(path: Path) -> LabelSet:
    """Read a label set. Raises QualityError with the number of the line that is wrong."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise QualityError(f"{path} has {path.stat().st_size:,} bytes, the limit is {MAX_BYTES:,}: split it")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise QualityError(f"{path} cannot be read as UTF-8 text ({error}): check the path") from error
    queries: dict[str, LabelledQuery] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                query = _query(line)
            except ValueError as error:
                raise QualityError(f"{path}, line {number}: {error}") from error
            if query.id in queries:
                raise QualityError(f"{path}, line {number}: id {query.id!r} stands on an earlier line too")
            queries[query.id] = query
    if not queries:
        raise QualityError(f"{path} holds no query: write one JSON object per line, as data/eval/README.md shows")
    return LabelSet(path.name, tuple(queries.values()))


def to_jsonl(queries: Iterable[LabelledQuery]) -> str:
    """Queries as the text of a label file."""
    return "".join(json.dumps({**vars(query)}, ensure_ascii=False) + "\n" for query in queries)


def fit_to_collection(labels: LabelSet, collection: Container[str]) -> ApplicableLabels:
    """The queries that a collection can answer, with the answers it holds; what it lacks is counted."""
    answerable, absent = [], set()
    for query in labels.queries:
        present = {asset_id: grade for asset_id, grade in query.answers.items() if asset_id in collection}
        absent |= query.answers.keys() - present.keys()
        if present:
            answerable.append(LabelledQuery(query.id, query.query, query.kind, present, query.note))
    return ApplicableLabels(tuple(answerable), len(absent), len(labels.queries) - len(answerable))


def _query(line: str) -> LabelledQuery:
    """Raises ValueError with what is wrong."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from error
    if not isinstance(document, dict):
        raise ValueError(f"{line[:40]!r} is not a JSON object")  # noqa: TRY004 - one kind of error for the whole line
    unknown = sorted(document.keys() - KNOWN_FIELDS)
    if unknown:
        raise ValueError(f"field {unknown[0]!r} is not known: use {', '.join(sorted(KNOWN_FIELDS))}")
    query_id, query, kind, note = (_text(document, name) for name in ("id", "query", "kind", "note"))
    if not query_id or not query:
        raise ValueError(f"{'query' if query_id else 'id'} is missing or empty")
    return LabelledQuery(query_id, query, kind or "other", _relevant(document.get("relevant")), note)


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}, not text")  # noqa: TRY004 - one kind of error for the whole line
    return " ".join(value.split())


def _relevant(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise ValueError(f"relevant is {value!r}, not an object of asset ids and grades")  # noqa: TRY004 - as above
    for asset_id, grade in value.items():
        if not _ASSET_ID.fullmatch(asset_id):
            raise ValueError(f"{asset_id!r} is not an asset id: write the SHA-256 of the file's bytes, 64 digits")
        if type(grade) is not int or grade not in GRADES:
            raise ValueError(f"grade {grade!r} of {asset_id[:12]} is none of {', '.join(map(str, GRADES))}")
    return dict(value)
