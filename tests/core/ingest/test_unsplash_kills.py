"""Adding an Unsplash dataset is killed at any moment (SIGKILL), then run again: complete, and nothing doubled."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from core.ingest.sources.unsplash import UnsplashOptions, assets_by_photo
from core.store.lance.collections import Collections
from tests.fakes.colour_app import contents, open_table
from tests.fakes.encoder import ColourEncoder
from tests.fakes.killed_unsplash import unsplash
from tests.fakes.killed_unsplash_ingest import WIDTH, ingest_unsplash
from tests.fakes.strikes import kills, strike
from tests.fakes.trials import trials
from tests.fakes.unsplash import FakeUnsplash

COUNT, OPTIONS = 60, UnsplashOptions(width=WIDTH)
ENTRIES = {"download": 50, "save": 100, "decode": 90, "encode": 12, "commit": 5, "compaction": 2}
KILLS, KILLS_OF_ONE = trials(8 * len(ENTRIES), at_least=len(ENTRIES)), 3


def test_a_killed_run_is_finished_by_the_next(tmp_path: Path) -> None:
    hits, data = Counter[str](), tmp_path / "data"
    with FakeUnsplash(tmp_path, COUNT, share=0.2) as server:
        tables = server.write_tables(tmp_path / "t")
        expected, unavailable = server.expected(WIDTH), server.unavailable()
        unsplash(data).ingest(str(tables), "uninterrupted", OPTIONS)
        uninterrupted = contents(open_table(data, "uninterrupted"))
        for number, kill in enumerate(kills(ENTRIES, KILLS, seed=3)):
            collection = f"c{number}"
            # A collection that is there spares every victim the time that choosing a model for a new one takes.
            Collections(data / "collections").create(collection, ColourEncoder().card)
            struck = strike(ingest_unsplash, (data, tables, collection), kill)
            hits[f"{kill.stage}, {'inside' if struck.inside else 'just after' if struck.killed else 'ended'}"] += 1
            kept = contents(open_table(data, collection))
            assert kept.items() <= uninterrupted.items(), kill
            report = unsplash(data).ingest(str(tables), collection, OPTIONS)
            assert (report.added, report.known) == (len(uninterrupted) - len(kept), len(kept)), kill
            assert Counter(failure.reason for failure in report.failures) == unavailable, kill
            assert contents(open_table(data, collection)) == uninterrupted, kill
            assert assets_by_photo(open_table(data, collection)) == expected, kill
            assert not (data / "unsplash" / collection / "photos").exists(), kill
    print(dict(sorted(hits.items())))
    assert sum(count for what, count in hits.items() if "inside" in what) >= KILLS // 2, hits


def test_a_run_that_is_killed_again_and_again_ends_complete(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with FakeUnsplash(tmp_path, COUNT) as server:
        tables = server.write_tables(tmp_path / "t")
        Collections(data / "collections").create("c", ColourEncoder().card)
        for kill in kills({"commit": 2}, KILLS_OF_ONE, seed=1):
            assert strike(ingest_unsplash, (data, tables, "c"), kill).killed
        report = unsplash(data).ingest(str(tables), "c", OPTIONS)
        assert 0 < report.known == COUNT - report.added
        assert assets_by_photo(open_table(data, "c")) == server.expected(WIDTH)
