"""Embedding again, killed at any moment (SIGKILL) and then run again: nothing is lost, doubled or touched."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.access import OPERATOR
from core.app import App
from core.records.jobs import ignore
from tests.fakes.colour_app import contents, open_table
from tests.fakes.killed_reembedding import embed_and_switch
from tests.fakes.strikes import kills, strike
from tests.fakes.trials import trials
from tests.fakes.two_models import NEW_MODEL, two_models

PICTURES, REMOVED = 120, 4
ENTRIES = {"create": 1, "read": 100, "encode": 25, "commit": 6, "bin": 1, "compaction": 2, "switch": 2}
KILLS = trials(8 * len(ENTRIES), at_least=len(ENTRIES))


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> App:
    """120 pictures in the collection `books`, four of them in its bin."""
    folder, rng = tmp_path_factory.mktemp("killed") / "pictures", np.random.default_rng(5)
    folder.mkdir()
    for number in range(PICTURES):
        Image.new("RGB", (24, 16), tuple(int(c) for c in rng.integers(0, 256, 3))).save(folder / f"{number:03}.png")
    app = two_models(folder.parent / "data")
    app.ingest(folder, "books")
    app.removal.remove(OPERATOR, "books", sorted(app.titles("books"))[:REMOVED])
    return app


def held(data: Path, collection: str) -> tuple[dict[str, tuple[Any, ...]], list[str]]:
    """The assets of a collection, and the ids in its bin."""
    table = open_table(data, collection)
    return contents(table), sorted(raw.hex() for raw in table.removed_ids())


def test_a_killed_run_is_finished_by_the_next_and_can_be_switched_to(books: App) -> None:
    data, hits = books.settings.data, Counter[str]()
    books.reembedding.embed("Ada", "books", NEW_MODEL, "uninterrupted", False, ignore)
    old, new = held(data, "books"), held(data, "uninterrupted")
    assert (len(new[0]), len(new[1])) == (PICTURES - REMOVED, REMOVED)
    for number, kill in enumerate(kills(ENTRIES, KILLS, seed=11)):
        name = f"n{number}"
        struck = strike(embed_and_switch, (data, "books", name), kill)
        hits[f"{kill.stage}, {'inside' if struck.inside else 'just after' if struck.killed else 'ended'}"] += 1
        books.collection_names()
        switched = books.model("books").name == NEW_MODEL
        assert held(data, "books") == (new if switched else old), (kill, struck)
        if not switched:
            books.reembedding.embed("Ada", "books", NEW_MODEL, name, False, ignore)
            assert held(data, name) == new, (kill, struck)
            books.reembedding.switch(OPERATOR, "books", name)
        assert (held(data, "books"), held(data, "books-old")) == (new, old), (kill, struck)
        books.reembedding.switch(OPERATOR, "books", "books-old")
        back = next(found for found in books.collection_names() if found.startswith("books-old"))
        assert (held(data, "books"), held(data, back)) == (old, new), (kill, struck)
        books.removal.delete(OPERATOR, back, back)
        assert set(books.collection_names()) == {"books", "demo", "uninterrupted"}
    print(dict(sorted(hits.items())))
    assert sum(count for what, count in hits.items() if "inside" in what) >= KILLS // 2, hits
