"""A disk that is full or read-only: one clear line, nothing torn, and the ingest goes on once there is space."""

from __future__ import annotations

import errno
import gc
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.access import OPERATOR
from core.cli.main import main
from core.errors import StoreError
from core.ingest import pipeline
from core.jobs.background import BackgroundJobs
from core.records.assets import Location, ModelCard
from core.store.disk_errors import wrap_read_errors, wrap_write_errors
from core.store.lance import table as table_module
from core.store.lance.collections import Collections
from core.store.sql.database import Database
from tests.fakes.colour_app import colour_app, contents, open_table

DISK_MB = 12
BLOCK = bytes(4096)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, 12 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """80 pictures whose thumbnails take some space."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(80):
        noise = Image.frombytes("L", (96, 96), random.Random(number).randbytes(96 * 96))
        noise.save(folder / f"{number:02}.jpg")
    return folder


def leave_free(disk: Path, kilobytes: int) -> Path:
    """Fill the disk up to `kilobytes` with one file."""
    ballast = os.open(disk / "ballast", os.O_CREAT | os.O_WRONLY)
    try:
        while os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize > kilobytes * 1024:
            os.write(ballast, BLOCK)
    finally:
        os.close(ballast)
    return disk / "ballast"


@pytest.mark.parametrize("kilobytes", [0, 40, 130, 200, 300, 400, 600, 800])
def test_an_ingest_that_fills_the_disk_says_so_and_goes_on_when_there_is_space(
    kilobytes: int, disk: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "COMMIT_ASSETS", 16)
    colour_app(tmp_path / "roomy").ingest(pictures, "c")
    expected = contents(open_table(tmp_path / "roomy", "c"))
    app = colour_app(disk / "data")
    ballast = leave_free(disk, kilobytes)
    with pytest.raises(StoreError, match=r"the disk is full\): .*(is kept|nothing was changed); free some space"):
        app.ingest(pictures, "c")
    kept = contents(open_table(disk / "data", "c")) if app.collections() else {}
    print(f"{kilobytes} kB free: {len(kept)} of {len(expected)} kept")
    assert kept.items() <= expected.items()
    ballast.unlink()
    report = app.ingest(pictures, "c")
    assert (report.added, report.known) == (len(expected) - len(kept), len(kept))
    assert contents(open_table(disk / "data", "c")) == expected


def test_compaction_on_a_full_disk_loses_nothing(disk: Path, pictures: Path) -> None:
    colour_app(disk / "data").ingest(pictures, "c")
    table = open_table(disk / "data", "c")
    before = contents(table)
    table.add_locations({i: [Location("/elsewhere")] for i in list(before)[:40]})
    known = contents(table)
    ballast = leave_free(disk, 0)
    with pytest.raises(StoreError, match="the disk is full"):
        table.compact()
    assert contents(table) == known
    ballast.unlink()
    table.compact()
    assert contents(open_table(disk / "data", "c")) == known


def test_the_command_line_tells_a_full_disk_in_one_line(
    disk: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = colour_app(disk / "data")
    monkeypatch.setattr("core.cli.command_context._open_app", lambda: app)
    leave_free(disk, 130)  # enough for the line of the audit log
    assert main(["ingest", str(pictures), "--collection", "c"]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert line.startswith(f"error: {disk}/data/collections/c could not be written (the disk is full)")


def test_what_a_full_disk_cannot_record_is_not_done(disk: Path, pictures: Path) -> None:
    app = colour_app(disk / "data")
    app.ingest(pictures, "c")
    ballast = leave_free(disk, 0)
    for act in (
        lambda: app.removal.delete(OPERATOR, "c", "c"),
        lambda: app.audit.record(OPERATOR, "sign in"),
    ):
        with pytest.raises(
            StoreError, match=r"contactsheet.db could not be used \(the disk is full\): nothing was changed"
        ):
            act()
    ballast.unlink()
    assert app.existing_collections() == ["c"]
    assert list(app.audit.entries(OPERATOR)) == []
    app.removal.delete(OPERATOR, "c", "c")
    assert [entry.outcome for entry in app.audit.entries(OPERATOR)] == ["done"]


@pytest.mark.parametrize("kilobytes", [0, 8, 32, 64])
def test_a_database_on_a_full_disk_says_so(kilobytes: int, disk: Path) -> None:
    database = Database(disk / "contactsheet.db")
    ballast = leave_free(disk, kilobytes)
    with pytest.raises(
        StoreError, match=r"contactsheet.db could not be used \(the disk is full\): .*; free some space"
    ):
        _write_200_kb(database)
    ballast.unlink()
    _write_200_kb(database)


def _write_200_kb(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("CREATE TABLE large (x)")
        connection.execute("INSERT INTO large VALUES (zeroblob(200000))")


def test_an_upload_that_fills_the_disk_says_so_and_leaves_no_half_file(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    app = colour_app(disk / "data")
    files = [(f"{number}.bin", random.Random(number).randbytes(200_000)) for number in range(4)]
    ballast = leave_free(disk, 500)
    with pytest.raises(
        StoreError, match=r"could not be stored \(the disk is full\): nothing was added; free some space"
    ):
        app.library.add_files(OPERATOR, files, "c")
    stored = [path for path in (disk / "data" / "uploads").rglob("*") if path.is_file()]
    assert all((path.name, path.read_bytes()) in files for path in stored)
    assert app.library.jobs() == []
    ballast.unlink()
    app.library.add_files(OPERATOR, files, "c")
    stored = [path for path in (disk / "data" / "uploads").rglob("*") if path.is_file()]
    assert sorted((path.name, path.read_bytes()) for path in stored) == files


def test_an_export_that_fills_the_disk_says_so_and_keeps_the_former(
    disk: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = colour_app(tmp_path / "data")
    app.ingest(pictures, "c")
    saved = app.curation.save(OPERATOR, app.curation.open(OPERATOR, "c"))
    monkeypatch.setattr("core.cli.command_context._open_app", lambda: app)
    exported = disk / "plan.json"
    exported.write_text("former")
    leave_free(disk, 0)
    assert main(["revisions", "export", str(saved.id), "--collection", "c", "--output", str(exported)]) == 1
    expected = f"error: {exported}: the disk is full: what was there before is kept; free some space, then run it again"
    assert capsys.readouterr().err.splitlines() == [expected]
    assert exported.read_text() == "former"
    assert sorted(path.name for path in disk.iterdir()) == ["ballast", "plan.json"]


def test_a_job_whose_output_cannot_be_written_is_told(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    app = colour_app(disk / "data")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StoreError, match=r"jobs could not be written \(the disk is full\)"):
        app.library.add_folder(OPERATOR, app.library.roots[0], "c")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [["collections", "--json"], ["--help"], ["audit"]])
def test_output_to_a_full_disk_is_told_in_one_line(arguments: list[str], tmp_path: Path) -> None:
    colour_app(tmp_path / "data").audit.record(OPERATOR, "sign in")
    environment = {**os.environ, "CONTACTSHEET_DATA": str(tmp_path / "data"), "CONTACTSHEET_MODEL": "bundled"}
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "core", *arguments], stdout=full, stderr=subprocess.PIPE, text=True, env=environment
        )
    expected = "error: output: the disk is full: what was printed is incomplete; free some space, then run it again\n"
    assert (process.returncode, process.stderr) == (1, expected)


@pytest.mark.parametrize("began", [True, False])
def test_a_read_only_data_folder_is_told_in_one_line_and_can_be_read(
    began: bool, disk: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if began:
        colour_app(disk / "data").ingest(pictures, "c")
        gc.collect()  # the event log of an App keeps its database open
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    monkeypatch.setattr("core.cli.command_context._open_app", lambda: colour_app(disk / "data"))
    assert main(["ingest", str(pictures), "--collection", "c"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {disk}/data")
    assert "writable" in line or "can be written" in line
    if began:
        table = open_table(disk / "data", "c")
        assert len(contents(table)) == 80
        for write in (table.compact, lambda: table.add_locations({next(iter(contents(table))): [Location("/x")]})):
            with pytest.raises(StoreError, match="the disk is read-only"):
                write()
        app = colour_app(disk / "data")
        assert len(app.search("anything", "c").hits) == 10
        assert [collection.size for collection in app.collections()] == [80]
        assert (app.library.jobs(), app.clusters.revisions.list("c"), app.monitor.jobs_by_state()) == ([], (), {})
        assert main(["collections"]) == 0
        assert "80 pictures" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/d/write.lock"), "the disk is read-only"),
        (PermissionError(errno.EACCES, "Permission denied"), "access is denied"),
        (RuntimeError("lance error: LanceError(IO): No space left on device (os error 28), /x/y.rs:1"), "disk is full"),
        (
            RuntimeError("lance error: Not found: 1.lance, /x/z.rs:2"),
            r"\(lance error: Not found: 1.lance\)",
        ),
        (ValueError(""), r"\(ValueError\): .* `python -m core verify` says"),
    ],
)
def test_what_a_disk_or_lancedb_raise_becomes_one_line(error: Exception, message: str) -> None:
    for faults, kept in (
        (wrap_write_errors, "what was committed before is kept"),
        (wrap_read_errors, "nothing was changed"),
    ):
        with pytest.raises(StoreError, match=message) as caught, faults(Path("/d")):
            raise error
        assert kept in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_folder_that_takes_no_files_is_told_by_every_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lowest level refuses, as where root may write anywhere and nothing can be mounted."""
    colour_app(tmp_path / "data").ingest(_one_picture(tmp_path), "c")
    table, plain = open_table(tmp_path / "data", "c"), os.open

    def refuse(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return plain(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", refuse)
    collections = Collections(tmp_path / "data" / "collections")
    for write in (
        table.compact,
        lambda: collections.create("d", ModelCard("x", "y", 4)),
        lambda: collections.delete("c"),
        lambda: collections.set_built_from("c", "x"),
    ):
        with pytest.raises(StoreError, match="the disk is read-only"):
            write()
    assert table.count() == 1


def _one_picture(folder: Path) -> Path:
    Image.new("RGB", (4, 3)).save(folder / "one.png")
    return folder / "one.png"


def test_a_place_where_no_folder_can_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    database = Database(tmp_path / "file" / "sub" / "contactsheet.db")
    with pytest.raises(StoreError, match="could not be written"), database.reading():
        pass


def test_files_of_the_table_that_are_gone_are_told(tmp_path: Path) -> None:
    colour_app(tmp_path / "data").ingest(_one_picture(tmp_path), "c")
    table = open_table(tmp_path / "data", "c")
    for path in (table.folder / "assets.lance" / "data").iterdir():
        path.unlink()
    with pytest.raises(StoreError, match=r"c could not be read .*`python -m core verify` says"):
        open_table(tmp_path / "data", "c").snapshot()


def test_old_versions_go_with_the_next_compaction_only_when_they_are_an_hour_old() -> None:
    assert table_module.VERSION_RETENTION.total_seconds() == 3600
