"""Texts of a made-up collection, one dict of fields per picture."""

from __future__ import annotations

import pyarrow as pa

from core.store.lance.text_columns import FIELDS, TextColumns


def text_columns(*rows: dict[str, str]) -> TextColumns:
    texts = {name: pa.array([row.get(name, "") for row in rows], pa.string()) for name in FIELDS}
    return TextColumns(tuple(f"{n:064x}" for n in range(len(rows))), {str(name): text for name, text in texts.items()})
