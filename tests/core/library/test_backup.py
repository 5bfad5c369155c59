"""Backups: everything comes back as it was, nothing that works is replaced untold, each file lies there once."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.access import OPERATOR, Person
from core.app import App
from core.cli.main import main
from core.errors import CollectionError, ContactSheetError, NotAllowed, StoreError
from core.library.backup.service import EVERYTHING, BackupSchedule, BackupService
from core.library.backup.writer import BackupWriter
from core.records.backups import RestoreOptions
from core.records.jobs import Cancelled, Progress
from core.store.lance.collections import Collections
from core.store.objects.backup_place import BackupDamaged, BackupPlace
from core.store.sql.collection_rows import COPIES
from tests.core.store.test_released_data import differences
from tests.fakes.colour_app import colour_app, contents, open_table
from tests.fakes.released_data import read, unpack


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a little of everything."""
    return unpack(tmp_path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def plain(document: Any) -> Any:
    return json.loads(json.dumps(document))


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_everything_comes_back_on_another_computer(data: Path, place: Path, tmp_path: Path) -> None:
    before = plain(read(data))
    report = colour_app(data).backups.back_up(OPERATOR, place)
    assert (report.backup.everything, dict(report.backup.damaged)) == (True, {})
    other = tmp_path / "elsewhere" / "data"
    restored = colour_app(other).backups.restore(OPERATOR, place, RestoreOptions())
    assert [c.name for c in restored.collections] == [c.name for c in report.backup.collections]
    after = plain(read(other))
    text = json.dumps(after).replace(str(other), str(data))  # uploads lie where the data folder is now
    assert list(differences(json.loads(text), before)) == []
    assert colour_app(other).backups.verify(OPERATOR).damages == ()


def test_a_collection_comes_back_under_another_name_with_its_siblings_clusters_thumbs_and_uploads(
    data: Path, place: Path
) -> None:
    app = colour_app(data)
    app.backups.back_up(OPERATOR, place, ["holiday"])
    (held,) = BackupPlace(place).backups()[0].collections
    app.backups.restore(OPERATOR, place, RestoreOptions(["holiday"], as_name="summer"))
    found = read(data)
    old, new = found["collections"]["holiday"], found["collections"]["summer"]
    assert app.reembedding.siblings("holiday")
    assert len(app.reembedding.siblings("summer")) == len(held.siblings) > 0
    assert {i: p["thumbnail"] for i, p in new["pictures"].items()} == {
        i: p["thumbnail"] for i, p in old["pictures"].items()
    }
    assert (new["bin"]["ids"], new["version"], new["linkages"]["newest"]) == (
        old["bin"]["ids"],
        old["version"],
        old["linkages"]["newest"],
    )
    mine, copy = (app.clusters.revisions.list(name) for name in ("holiday", "summer"))
    assert [(r.threshold, r.note, r.name, r.published) for r in copy] == [
        (r.threshold, r.note, r.name, r.published) for r in mine
    ]
    assert {r.id for r in copy}.isdisjoint(r.id for r in mine)
    assert len(app._stores.drafts.list("summer")) == len(app._stores.drafts.list("holiday")) > 0
    votes = [j.judgement.collection for j in app._stores.judgements.latest(1000)]
    assert votes.count("summer") == votes.count("holiday") > 0


def test_a_deleted_collection_comes_back_under_its_name_and_numbers(data: Path, place: Path) -> None:
    app = colour_app(data)
    before = plain(read(data))
    app.backups.back_up(OPERATOR, place)
    for sibling in app.reembedding.siblings("holiday"):
        app.removal.delete(OPERATOR, sibling.name, sibling.name)
    app.removal.delete(OPERATOR, "holiday", "holiday")
    app.backups.restore(OPERATOR, place, RestoreOptions(["holiday"]))
    after = plain(read(data))
    for part in ("collections", "clusters", "uploads"):
        assert list(differences(after[part], before[part])) == []


def test_what_works_is_never_replaced_untold(data: Path, place: Path, pictures: Path) -> None:
    app = colour_app(data)
    app.backups.back_up(OPERATOR, place)
    app.ingest(pictures, "pets")
    now = app.version("pets")
    with pytest.raises(CollectionError, match=r"there is a collection pets already: .*--as NAME.*--replace"):
        app.backups.restore(OPERATOR, place, RestoreOptions(["pets"]))
    with pytest.raises(CollectionError, match="there is a collection holiday already"):
        app.backups.restore(OPERATOR, place, RestoreOptions(["pets"], as_name="holiday"))
    report = app.backups.restore(OPERATOR, place, RestoreOptions())
    assert (report.collections, report.databases) == ((), ())
    assert {"pets", "holiday"} <= set(report.left)
    assert app.version("pets") == now
    report = app.backups.restore(OPERATOR, place, RestoreOptions(["pets"], replace=True))
    assert [c.name for c in report.collections] == ["pets"]
    assert app.version("pets") != now
    assert app.backups.verify(OPERATOR, ["pets"]).damages == ()


def test_a_damaged_collection_is_restored_and_later_edits_of_its_clusters_stay(data: Path, place: Path) -> None:
    app = colour_app(data)
    app.backups.back_up(OPERATOR, place)
    draft = app.curation.open(Person("Grace", over_loopback=True), "holiday")
    (data / "collections" / "holiday" / "collection.json").write_text("{")
    assert [d.name for d in app.survey_collections()[1]] == ["holiday"]
    (restored,) = app.backups.restore(OPERATOR, place, RestoreOptions(["holiday"])).collections
    assert restored.kept_rows
    assert draft.record in app._stores.drafts.list("holiday")
    assert app.survey_collections()[1] == []
    assert (data / "collections" / restored.set_aside / "collection.json").read_text() == "{"
    assert app.backups.verify(OPERATOR).damages == ()


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, None])
def test_damaged_and_missing_databases_come_back_with_everything(
    content: bytes | None, data: Path, place: Path
) -> None:
    before = plain(read(data))
    colour_app(data).backups.back_up(OPERATOR, place)
    for name in ("contactsheet.db", "judgements.db"):
        for path in data.glob(f"{name}*"):
            path.unlink()
        if content is not None:
            (data / name).write_bytes(content)
    report = colour_app(data).backups.restore(OPERATOR, place, RestoreOptions())
    assert set(report.databases) == {"contactsheet.db", "judgements.db"}
    after = plain(read(data))
    for part in ("clusters", "judgements", "spend", "rankings"):
        assert list(differences(after[part], before[part])) == []


def test_money_spent_since_the_backup_stays_spent(data: Path, place: Path) -> None:
    app = colour_app(data)
    app.backups.back_up(OPERATOR, place)
    app.spend.settle(int(app.spend.reserve(0.5)), 0.25)
    spent = app.spend.spent()
    app.backups.restore(OPERATOR, place, RestoreOptions(replace=True))
    assert colour_app(data).spend.spent() == spent


def test_nobody_is_signed_in_by_a_backup(data: Path, place: Path) -> None:
    app = colour_app(data)
    with app._stores.revisions._database.transaction() as db:
        columns = "id, name, key_proof, visitor, browser, created_at, seen_at, expires_at"
        db.execute(f"INSERT INTO sessions ({columns}) VALUES ('s-e-c-r-e-t', 'Ada', '', '', '', '', '', '')")
    app.backups.back_up(OPERATOR, place)
    assert not any(b"s-e-c-r-e-t" in path.read_bytes() for path in place.rglob("*") if path.is_file())


def test_the_second_backup_writes_what_is_new_and_no_backup_more_than_it_says(
    data: Path, place: Path, pictures: Path
) -> None:
    app = colour_app(data)
    said: list[tuple[int, int]] = []
    sizes = [0]
    for _ in range(3):
        report = app.backups.back_up(OPERATOR, place, announce=lambda *s: said.append(s))
        sizes.append(bytes_below(place))
        assert report.written <= report.announced == said[-1][0]
        assert sizes[-1] - sizes[-2] <= report.announced
    collections = bytes_below(data / "collections")
    assert sizes[1] > collections
    assert max(sizes[2] - sizes[1], sizes[3] - sizes[2]) < sizes[1] - collections + 100_000  # databases, not pictures
    assert BackupPlace(place).damaged(report.backup) == []


def test_a_backup_that_was_stopped_goes_on_where_it_stopped(data: Path, place: Path, tmp_path: Path) -> None:
    app = colour_app(data)
    whole = app.backups.back_up(OPERATOR, tmp_path / "whole").written
    copied = 0

    def stop_halfway(_: Progress) -> None:
        nonlocal copied
        copied += 1
        if copied == 60:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        app.backups.back_up(OPERATOR, place, listener=stop_halfway)
    assert app.backups.backups(place) == []
    assert 0 < app.backups.back_up(OPERATOR, place).written < whole
    assert BackupPlace(place).damaged(app.backups.backups(place)[0]) == []


def test_a_full_disk_is_told_before_anything_is_written(
    data: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BackupPlace, "free_bytes", lambda _: 1000)
    with pytest.raises(StoreError, match=r"backups has 1.0 kB free, a backup needs"):
        colour_app(data).backups.back_up(OPERATOR, place)
    assert BackupPlace(place).backups() == []


def test_old_backups_expire_with_what_only_they_need_and_the_newest_never(data: Path, place: Path) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    moments = iter(start + timedelta(days=day) for day in (0, 5, 9, 40))
    writer = BackupWriter(data, Collections(data / "collections"), lambda: next(moments))
    app, keep = colour_app(data), timedelta(days=7)

    def back_up() -> tuple[str, ...]:
        return writer.write(BackupPlace(place), (), keep, lambda _: None, lambda *_: None).expired

    assert (back_up(), back_up()) == ((), ())
    size = bytes_below(place)
    app.removal.delete(OPERATOR, "lite", "lite")
    assert back_up() == ("20260101T000000Z",)
    assert back_up() == ("20260106T000000Z", "20260110T000000Z")
    (left,) = BackupPlace(place).backups()
    assert [c.name for c in left.collections] == ["holiday", "pets"]
    assert BackupPlace(place).damaged(left) == []
    assert bytes_below(place) < size
    assert not any(path.name not in {f.digest for f in left.files} for path in (place / "objects").glob("*/*"))


def test_a_damaged_list_keeps_everything_and_the_other_backups_work(data: Path, place: Path) -> None:
    app = colour_app(data)
    first, second = (app.backups.back_up(OPERATOR, place, keep=timedelta(days=1)).backup.id for _ in range(2))
    path = place / f"{second}.json"
    path.write_text(path.read_text().replace('"everything": true', '"everything": false'))
    assert [b.id for b in app.backups.backups(place)] == [first]
    with pytest.raises(BackupDamaged, match=f"the list of backup {second} is damaged: choose another"):
        app.backups.restore(OPERATOR, place, RestoreOptions(["pets"], as_name="cats"))
    app.backups.restore(OPERATOR, place, RestoreOptions(["pets"], first, "cats"))
    report = app.backups.verify_backups(place)
    assert [damage.detail for damage in report.left] == [
        f"the list of backup {second} is damaged: choose another (--backup ID)"
    ]


@pytest.mark.parametrize("path", ["collections/pets/../../../stolen", "/tmp/stolen", ".."])
def test_a_list_that_leads_out_of_the_data_folder_is_refused(path: str, data: Path, place: Path) -> None:
    app = colour_app(data)
    backup = app.backups.back_up(OPERATOR, place).backup
    forged = replace(backup, files=(*backup.files, replace(backup.files[0], path=path)))
    BackupPlace(place).finish(forged)
    with pytest.raises(BackupDamaged, match=r"the list of backup .* is damaged"):
        app.backups.restore(OPERATOR, place, RestoreOptions(["pets"], as_name="cats"))


def test_damaged_content_is_found_refused_and_written_anew_by_the_next_backup(data: Path, place: Path) -> None:
    app = colour_app(data)
    backup = app.backups.back_up(OPERATOR, place).backup
    file = next(f for f in backup.files if f.path.startswith("collections/pets/assets.lance/data/"))
    path = place / "objects" / file.digest[:2] / file.digest
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (damage,) = app.backups.verify_backups(place).left
    assert damage.detail == f"{backup.id}: {file.path}"
    with pytest.raises(BackupDamaged, match=r"collections/pets/assets.* is damaged in this backup"):
        app.backups.restore(OPERATOR, place, RestoreOptions(["pets"], as_name="cats"))
    assert "cats" not in app.existing_collections()
    app.backups.back_up(OPERATOR, place)
    assert app.backups.verify_backups(place).left == ()


def test_what_is_damaged_is_damaged_and_told_and_the_rest_is_backed_up(
    data: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "collections" / "pets" / "collection.json").write_text("{")
    for name in ("contactsheet.db", "judgements.db"):
        (data / name).write_bytes(b"")
    monkeypatch.setattr("core.cli.command_context._open_app", lambda: colour_app(data))
    assert main(["backup", str(place)]) == 1
    out, err = capsys.readouterr()
    assert "damaged already: pets, contactsheet.db, judgements.db" in out
    assert "damaged  judgements.db: " in err
    (backup,) = BackupPlace(place).backups()
    assert [c.name for c in backup.collections] == ["holiday", "lite"]
    with pytest.raises(CollectionError, match="collection pets is damaged"):
        colour_app(data).backups.back_up(OPERATOR, place, ["pets"])


def test_a_place_that_is_something_else_or_lies_in_what_is_backed_up_is_refused(data: Path, tmp_path: Path) -> None:
    app = colour_app(data)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").touch()
    with pytest.raises(ContactSheetError, match=r"photos holds something else \(one.jpg\): choose an empty"):
        app.backups.back_up(OPERATOR, tmp_path / "photos")
    for inside in (data / "collections" / "b", data, data / "uploads"):
        with pytest.raises(StoreError, match="is part of what is backed up"):
            app.backups.back_up(OPERATOR, inside)
    with pytest.raises(StoreError, match="holds no backups: name the folder"):
        app.backups.restore(OPERATOR, tmp_path / "nothing", RestoreOptions())
    with pytest.raises(StoreError, match="no folder for backups is set"):
        app.backups.back_up(OPERATOR)


def test_a_backup_while_others_write_is_of_one_moment(tmp_path: Path, place: Path, pictures: Path) -> None:
    app = colour_app(tmp_path / "data")
    app.ingest(pictures, "c")
    ids = sorted(raw.hex() for raw in open_table(tmp_path / "data", "c").ids())
    stop, errors = threading.Event(), list[BaseException]()

    def write() -> None:
        try:
            while not stop.is_set():
                app.removal.remove(OPERATOR, "c", ids[:2])
                app.removal.restore(OPERATOR, "c", ids[:2])
                app.removal.remove(OPERATOR, "c", ids[2:])
                app.removal.empty_bin(OPERATOR, "c")
                app.ingest(pictures, "c")
        except BaseException as error:  # noqa: BLE001 - reported below
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(6):
            app.backups.back_up(OPERATOR, place)
            other = tmp_path / f"restored-{number}"
            colour_app(other).backups.restore(OPERATOR, place, RestoreOptions())
            table = open_table(other, "c")
            assert {raw.hex() for raw in table.ids() | table.removed_ids()} <= set(ids)
            assert table.check() == table.check_bin() == []
    finally:
        stop.set()
        writer.join()
    assert errors == []


def test_viewers_neither_back_up_nor_restore_nor_verify(data: Path, place: Path) -> None:
    app, viewer = colour_app(data), Person("Eve")
    for act in (
        lambda: app.backups.back_up(viewer, place),
        lambda: app.backups.restore(viewer, place, RestoreOptions()),
        lambda: app.backups.verify(viewer),
        lambda: app.backups.start_backup(viewer),
        lambda: app.backups.start_restore(viewer, "20260101T000000Z", "pets", "cats"),
        lambda: app.backups.start_verification(viewer, "pets", mend_nothing()),
    ):
        with pytest.raises(NotAllowed, match="only curators may"):
            act()
    assert not place.exists()


def mend_nothing() -> Any:
    from core.records.verification import VerificationOptions

    return VerificationOptions()


class _Started:
    """Counts the jobs that a schedule starts."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str]] = []

    def start_once(self, kind: str, collection: str, *_: object) -> None:
        self.started.append((kind, collection))


@pytest.mark.parametrize(("hours", "started"), [(23, 0), (25, 1)])
def test_a_backup_is_started_when_the_newest_is_old_enough(hours: int, started: int, data: Path, place: Path) -> None:
    app, jobs = colour_app(data), _Started()
    made_at = app.backups.back_up(OPERATOR, place).backup.made_at
    schedule = BackupSchedule(place, timedelta(hours=24), timedelta(days=30))

    def service(now: datetime, schedule: BackupSchedule = schedule) -> BackupService:
        unused: Any = None
        return BackupService(unused, unused, unused, jobs, app.access, schedule, unused, lambda: now)  # type: ignore[arg-type]

    service(made_at + timedelta(hours=hours)).start_due_backup()
    assert jobs.started == [("backup", EVERYTHING)] * started
    never = BackupSchedule(place, None, timedelta(days=30))
    service(made_at + timedelta(days=900), never).start_due_backup()
    assert len(jobs.started) == started


@pytest.fixture
def read_only_place(place: Path) -> Iterator[Path]:
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=False, capture_output=True)


def test_a_backup_on_a_read_only_disk_can_be_restored(data: Path, read_only_place: Path, tmp_path: Path) -> None:
    colour_app(data).backups.back_up(OPERATOR, tmp_path / "written")
    shutil.copytree(tmp_path / "written", read_only_place)
    mount = ["mount", "--bind", str(read_only_place), str(read_only_place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    subprocess.run(["mount", "-o", "remount,ro,bind", str(read_only_place)], check=True)
    assert not os.access(read_only_place, os.W_OK)
    colour_app(tmp_path / "new").backups.restore(OPERATOR, read_only_place, RestoreOptions(["pets"]))
    assert contents(open_table(tmp_path / "new", "pets")).keys() == contents(open_table(data, "pets")).keys()


def test_the_app_knows_what_was_restored_at_once(data: Path, place: Path) -> None:
    app: App = colour_app(data)
    found = len(app.search("red", "pets").hits)
    app.backups.back_up(OPERATOR, place)
    app.removal.delete(OPERATOR, "pets", "pets")
    app.backups.restore(OPERATOR, place, RestoreOptions(["pets"]))
    assert len(app.search("red", "pets").hits) == found > 0


@pytest.mark.parametrize("name", ["contactsheet.db", "judgements.db"])
def test_a_database_that_is_gone_while_others_are_there_is_damage_until_it_is_given_up(
    name: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("core.cli.command_context._open_app", lambda: colour_app(data))
    (data / name).unlink()
    assert main(["verify"]) == 1
    assert f"database: {name}: it is gone" in capsys.readouterr().out
    assert not (data / name).exists()
    assert main(["restore", "--begin-anew", name]) == 0
    assert capsys.readouterr().out == f"a new {name} was begun\n"
    assert main(["verify"]) == 0
    assert main(["restore", "--begin-anew", name]) == 1
    assert f"{name} is not damaged: nothing was changed" in capsys.readouterr().err
    (data / name).write_bytes(b"")
    assert main(["restore", "--begin-anew", name]) == 0
    assert f"the damaged one is kept as {name[:-3]}.damaged-" in capsys.readouterr().out


def test_a_restore_that_fails_leaves_the_collection_that_worked(data: Path, place: Path, pictures: Path) -> None:
    app = colour_app(data)
    app.backups.back_up(OPERATOR, place)
    app.ingest(pictures, "holiday")
    app.curation.open(Person("Grace", over_loopback=True), "holiday")
    read(data)  # what is computed when it is looked at
    before = plain(read(data))
    copy_runs, tables = COPIES["quality.db"]

    def fail(*_: object) -> None:
        raise StoreError("no space")

    for name in ("holiday", "other"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(COPIES, "quality.db", (fail, tables))  # type: ignore[arg-type]
            with pytest.raises(StoreError, match="no space"):
                app.backups.restore(OPERATOR, place, RestoreOptions(["holiday"], as_name=name, replace=True))
        after = plain(read(data))
        for part in ("collections", "clusters", "judgements", "runs"):
            assert list(differences(after[part], before[part])) == []
    assert copy_runs is COPIES["quality.db"][0]
    assert app.survey_collections()[1] == []


def test_a_damaged_dendrogram_in_a_backup_is_computed_again(data: Path, place: Path) -> None:
    app = colour_app(data)
    backup = app.backups.back_up(OPERATOR, place).backup
    for file in backup.files:
        if file.path.startswith("linkages/holiday/"):
            (place / "objects" / file.digest[:2] / file.digest).write_bytes(b"rotten")
    app.backups.restore(OPERATOR, place, RestoreOptions(["holiday"], as_name="other"))
    assert app.survey_collections()[1] == []
    assert app.clusters.compute_linkage("other", lambda _: None)


def test_a_collection_that_was_killed_between_two_renames_is_said_to_be_interrupted(data: Path, place: Path) -> None:
    app = colour_app(data)
    app.backups.back_up(OPERATOR, place)
    folder = data / "collections"
    (folder / "pets").rename(folder / ".pets.replaced-0123")
    assert "pets" in app.existing_collections()
    ((name, message),) = [(d.name, d.message) for d in app.survey_collections()[1]]
    assert (name, "its restore was interrupted: run it again" in message) == ("pets", True)
    app.removal.delete(OPERATOR, "lite", "lite")
    assert (folder / ".pets.replaced-0123").is_dir()
    assert app.backups.verify(OPERATOR).left
    app.backups.restore(OPERATOR, place, RestoreOptions(["pets"]))
    assert app.backups.verify(OPERATOR).left == ()
    assert not (folder / ".pets.replaced-0123").exists()


def test_siblings_are_neither_hidden_nor_lost_by_a_restore(data: Path, place: Path) -> None:
    app = colour_app(data)
    (sibling,) = [sibling.name for sibling in app.reembedding.siblings("holiday")]
    app.backups.back_up(OPERATOR, place)
    with pytest.raises(CollectionError, match=f"there is a collection {sibling} already"):
        app.backups.restore(OPERATOR, place, RestoreOptions(["pets"], as_name=sibling, replace=True))
    app.reembedding.embed("Ada", "pets", "other", "pets-new", False, lambda _: None)
    with pytest.raises(CollectionError, match="pets-new lies beside pets and is not in this backup"):
        app.backups.restore(OPERATOR, place, RestoreOptions(["pets"], replace=True))
    long = "y" * 63
    app.backups.restore(OPERATOR, place, RestoreOptions(["holiday"], as_name=long))
    assert [s.name for s in app.reembedding.siblings(long)] != [long]
    assert len(app.reembedding.siblings(long)) == 1


def test_a_database_in_use_is_no_damaged_one(data: Path, place: Path) -> None:
    app = colour_app(data)
    app.backups.back_up(OPERATOR, place)
    with sqlite3.connect(data / "contactsheet.db", isolation_level=None) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        db.execute("CREATE TABLE held (a)")
        for act in (
            lambda: app.backups.verify(OPERATOR),
            lambda: app.backups.back_up(OPERATOR, place),
            lambda: app.backups.restore(OPERATOR, place, RestoreOptions()),
            lambda: app.backups.begin_anew(OPERATOR, "contactsheet.db"),
        ):
            with pytest.raises(StoreError, match="locked"):
                act()
        db.execute("ROLLBACK")
    db.close()
    assert list(data.glob("*.damaged-*")) == []
    assert app.backups.verify(OPERATOR).damages == ()


def test_what_is_damaged_stays_in_the_last_backup_that_has_it(data: Path, place: Path) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    moments = iter(start + timedelta(days=day) for day in (0, 10, 20))
    writer, keep = BackupWriter(data, Collections(data / "collections"), lambda: next(moments)), timedelta(days=7)
    first = writer.write(BackupPlace(place), (), keep, lambda _: None, lambda *_: None).backup.id
    (data / "collections" / "pets" / "collection.json").write_text("{")
    (data / "judgements.db").write_bytes(b"")
    for _ in range(2):
        writer.write(BackupPlace(place), (), keep, lambda _: None, lambda *_: None)
    assert [backup.id for backup in BackupPlace(place).backups()] == [first, "20260121T000000Z"]


def test_only_backups_of_everything_that_are_not_of_the_future_put_the_next_one_off(data: Path, place: Path) -> None:
    app, jobs, now = colour_app(data), _Started(), datetime.now(UTC)
    app.backups.back_up(OPERATOR, place, ["pets"])
    future = BackupWriter(data, Collections(data / "collections"), lambda: now + timedelta(days=2000))
    future.write(BackupPlace(place), (), None, lambda _: None, lambda *_: None)
    unused: Any = None
    schedule = BackupSchedule(place, timedelta(hours=24), timedelta(days=30))
    service = BackupService(unused, unused, unused, jobs, app.access, schedule, unused, lambda: now)  # type: ignore[arg-type]
    service.start_due_backup()
    assert jobs.started == [("backup", EVERYTHING)]


def test_hidden_files_in_a_place_are_somebodys_and_links_are_followed_nowhere(data: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    (hidden / ".drafts").mkdir(parents=True)
    with pytest.raises(ContactSheetError, match="holds something else"):
        colour_app(data).backups.back_up(OPERATOR, hidden)
    assert [path.name for path in hidden.iterdir()] == [".drafts"]
    (tmp_path / "secret").write_text("a secret elsewhere")
    (data / "uploads" / "holiday").mkdir(parents=True, exist_ok=True)
    (data / "uploads" / "holiday" / "link.jpg").symlink_to(tmp_path / "secret")
    place = tmp_path / "place"
    colour_app(data).backups.back_up(OPERATOR, place)
    assert not any(b"a secret elsewhere" in path.read_bytes() for path in (place / "objects").glob("*/*"))
    assert place.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "change",
    [
        {"size": "1"},
        {"digest": "x"},
        {"path": 4},
    ],
)
def test_a_forged_list_is_a_damaged_one(change: dict[str, Any], data: Path, place: Path) -> None:
    app = colour_app(data)
    backup = app.backups.back_up(OPERATOR, place).backup
    BackupPlace(place).finish(replace(backup, files=(replace(backup.files[0], **change),)))
    with pytest.raises(BackupDamaged, match="the list of backup"):
        BackupPlace(place).get(backup.id)


def test_the_newest_backup_that_holds_what_is_asked_for_is_restored_from(data: Path, place: Path) -> None:
    app = colour_app(data)
    everything, pets = (app.backups.back_up(OPERATOR, place, names).backup.id for names in ((), ("pets",)))
    other = colour_app(data.parent / "other")
    assert other.backups.restore(OPERATOR, place, RestoreOptions(["pets"], as_name="cats")).backup == pets
    assert other.backups.restore(OPERATOR, place, RestoreOptions(["lite"])).backup == everything
    report = other.backups.restore(OPERATOR, place, RestoreOptions())
    assert (report.backup, len(report.collections)) == (everything, 2)
