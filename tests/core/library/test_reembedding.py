from __future__ import annotations

from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.access import OPERATOR, Person
from core.app import App
from core.errors import CollectionBusy, CollectionError, NotAllowed
from core.jobs.background import BackgroundJobs
from core.library.reembedding import EMBED_JOB
from core.records.jobs import Cancelled, Progress, ignore
from core.store.objects.locks import ingest_lock
from tests.fakes.child_processes import FORKS
from tests.fakes.two_models import NEW_MODEL, two_models

STRANGER = Person("Eve", over_loopback=False)


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """200 pictures in the collection `books`; jobs are queued, their processes are not started."""
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    folder, rng = tmp_path / "pictures", np.random.default_rng(5)
    folder.mkdir()
    for number in range(200):
        Image.new("RGB", (24, 16), tuple(int(c) for c in rng.integers(0, 256, 3))).save(folder / f"{number:03}.png")
    app = two_models(tmp_path / "data")
    app.ingest(folder, "books")
    return app


def embed(app: App) -> str:
    job = app.reembedding.start(OPERATOR, "books", NEW_MODEL, "books-new")
    assert job.kind == EMBED_JOB
    return app.run_job(job.id).message


def vectors_of(app: App, collection: str) -> dict[str, bytes]:
    snapshot = app._opened.snapshot(collection)
    return {i: v.tobytes() for i, v in zip(snapshot.ids, snapshot.vectors, strict=True)}


def test_a_collection_is_reembedded_as_a_sibling(books: App) -> None:
    before = vectors_of(books, "books")
    assert "200 added, 0 known already" in embed(books)
    assert books.collection_names() == ["books", "books-new", "demo"]
    assert vectors_of(books, "books") == before
    new = vectors_of(books, "books-new")
    assert new.keys() == before.keys()
    assert all(new[i] != before[i] for i in new)
    assert {c.name: (c.model.name, c.sibling_of) for c in books.collections()} == {
        "books": ("colour", ""),
        "books-new": (NEW_MODEL, "books"),
    }
    some = next(iter(new))
    assert books.asset(some, "books-new") == books.asset(some, "books")


def test_switching_over_exchanges_the_names_for_every_process_at_once(books: App) -> None:
    other = two_models(books.settings.data)
    old = vectors_of(other, "books")
    embed(books)
    new = vectors_of(other, "books-new")
    old_name = books.reembedding.switch(OPERATOR, "books", "books-new")
    assert old_name == "books-old"
    for app in (books, other):
        assert app.collection_names() == ["books", old_name, "demo"]
        assert (vectors_of(app, "books"), vectors_of(app, old_name)) == (new, old)
        assert app.model("books").name == NEW_MODEL
    back = books.reembedding.switch(OPERATOR, "books", old_name)
    assert vectors_of(other, "books") == old
    books.removal.delete(OPERATOR, back, back)
    assert books.collection_names() == ["books", "demo"]
    assert vectors_of(other, "books") == old


def test_a_cancelled_run_goes_on_where_it_stopped(books: App) -> None:
    reported: list[int] = []

    def stop(progress: Progress) -> None:
        if progress.phase == "embed":
            reported.append(progress.done)
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled, match="cancelled") as stopped:
        books.reembedding.embed("A", "books", NEW_MODEL, "books-new", False, stop)
    assert stopped.value.report is not None
    assert 0 < stopped.value.report.added == books.size("books-new") < 200
    report = books.reembedding.embed("A", "books", NEW_MODEL, "books-new", False, ignore)
    assert (report.known, report.added) == (stopped.value.report.added, 200 - stopped.value.report.added)


def embed_again(data: Path, half_way: Event) -> None:
    def tell(progress: Progress) -> None:
        if (progress.phase, progress.done) == ("embed", 64):
            half_way.set()

    two_models(data).reembedding.embed("A", "books", NEW_MODEL, "books-new", False, tell)


def test_a_killed_run_goes_on_with_nothing_lost_or_doubled(books: App) -> None:
    data = books.settings.data
    half_way = FORKS.Event()
    child = FORKS.Process(target=embed_again, args=(data, half_way))
    child.start()
    assert half_way.wait(60)
    child.kill()
    child.join()
    embed(books)
    assert vectors_of(books, "books-new").keys() == vectors_of(books, "books").keys()
    assert books.size("books-new") == 200


def test_what_has_no_original_any_more_is_listed_and_stays_behind(books: App, tmp_path: Path) -> None:
    missing, changed = sorted((tmp_path / "pictures").iterdir())[:2]
    missing.unlink()
    Image.new("RGB", (9, 9)).save(changed)
    job = books.reembedding.start(OPERATOR, "books", NEW_MODEL, "books-new")
    assert "2 skipped (2 no original file any more)" in books.run_job(job.id).message
    assert sorted(f.uri for f in books.library.failures(job.id, 9)) == [str(missing), str(changed)]
    (sibling,) = books.reembedding.siblings("books")
    assert (sibling.size, sibling.missing) == (198, 2)
    report = books.reembedding.embed("A", "books", NEW_MODEL, "books-new", True, ignore)
    assert (report.added, books.reembedding.siblings("books")[0].missing) == (2, 0)


def test_what_was_removed_stays_removed_after_switching_over(books: App, tmp_path: Path) -> None:
    first, second = sorted(books.titles("books"))[:2]
    books.removal.remove(OPERATOR, "books", [first])
    embed(books)
    books.removal.remove(OPERATOR, "books", [second])
    books.reembedding.switch(OPERATOR, "books", "books-new")
    assert books.size("books") == 198
    report = books.ingest(tmp_path / "pictures", "books")
    assert (report.added, report.removed) == (0, 2)
    assert books.removal.restore(OPERATOR, "books", [first, second]) == 2
    assert books.searches.by_asset(OPERATOR, first, "books").hits


def test_a_file_that_gets_its_former_content_back_after_switching_over_is_in_the_collection(
    books: App, tmp_path: Path
) -> None:
    path = tmp_path / "pictures" / "000.png"
    former = path.read_bytes()
    embed(books)
    Image.new("RGB", (30, 30), (1, 2, 3)).save(path)
    books.ingest(tmp_path / "pictures", "books")
    books.reembedding.switch(OPERATOR, "books", "books-new")
    path.write_bytes(former)
    report = books.ingest(tmp_path / "pictures", "books")
    assert (books.size("books"), report.removed) == (200, 0)


def test_saved_revisions_still_open_and_tell_that_the_model_changed(books: App, tmp_path: Path) -> None:
    saved = books.curation.save(OPERATOR, books.curation.open(OPERATOR, "books"))
    books.curation.publish(OPERATOR, saved.id, None)
    assert not books.model_changed(saved)
    embed(books)
    books.reembedding.switch(OPERATOR, "books", "books-new")
    assert books.model_changed(saved)
    assert len(books.clusters.revision_view(saved).asset_ids) == 200
    Image.new("RGB", (30, 30), (1, 2, 3)).save(tmp_path / "pictures" / "late.png")
    assert books.ingest(tmp_path / "pictures", "books").added == 1
    assert books.assignments.for_revision("books", saved) == []
    again = books.curation.save(OPERATOR, books.curation.open(OPERATOR, "books"))
    assert not books.model_changed(again)


def test_nothing_is_added_or_switched_while_a_run_is_going_on(books: App, tmp_path: Path) -> None:
    embed(books)
    with ingest_lock(books.settings.data / "collections" / "books"):
        with pytest.raises(CollectionBusy, match="another ingest into books is running"):
            books.ingest(tmp_path / "pictures", "books")
        with pytest.raises(CollectionBusy, match="another ingest into books is running"):
            books.reembedding.switch(OPERATOR, "books", "books-new")
        with pytest.raises(CollectionBusy, match="another ingest into books is running"):
            books.reembedding.embed("A", "books", NEW_MODEL, "books-2", False, ignore)
    assert books.collection_names() == ["books", "books-new", "demo"]


def test_names_that_are_taken_or_mean_another_model_are_refused(books: App, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    Image.new("RGB", (9, 9), (9, 9, 9)).save(tmp_path / "films" / "one.png")
    books.ingest(tmp_path / "films", "films")
    embed(books)
    with pytest.raises(CollectionError, match="there is a collection films already"):
        books.reembedding.start(OPERATOR, "books", NEW_MODEL, "films")
    with pytest.raises(CollectionError, match="cannot name a collection"):
        books.reembedding.start(OPERATOR, "books", NEW_MODEL, "../x")
    with pytest.raises(CollectionError, match=f"books-new is embedded with {NEW_MODEL}, not with colour"):
        books.reembedding.embed("A", "books", "colour", "books-new", False, ignore)
    with pytest.raises(CollectionError, match="books-new lies beside books"):
        books.reembedding.embed("A", "books-new", "colour", "third", False, ignore)
    with pytest.raises(CollectionError, match="films does not lie beside books"):
        books.reembedding.switch(OPERATOR, "books", "films")
    assert books.size("films") == 1
    with pytest.raises(CollectionError, match="there is a collection books-new already"):
        books._collections.create("books-new", books.model("books"))
    with pytest.raises(CollectionError, match="books-new lies beside books: delete that first"):
        books.removal.delete(OPERATOR, "books", "books")


def test_only_curators_may_embed_again_or_switch(books: App) -> None:
    with pytest.raises(NotAllowed, match="only curators may embed collections again"):
        books.reembedding.start(STRANGER, "books", NEW_MODEL, "books-new")
    embed(books)
    with pytest.raises(NotAllowed, match="only curators may switch collections over"):
        books.reembedding.switch(STRANGER, "books", "books-new")


def test_the_demo_collection_keeps_its_model(books: App) -> None:
    books.ensure_demo()
    books.reembedding.embed("A", "demo", NEW_MODEL, "demo-new", False, ignore)
    with pytest.raises(CollectionError, match="demo always uses the bundled model"):
        books.reembedding.switch(OPERATOR, "demo", "demo-new")
