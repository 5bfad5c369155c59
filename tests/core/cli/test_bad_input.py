"""Files that are not what they claim, and places that cannot be read: named with a reason, every neighbour kept."""

from __future__ import annotations

import json
import os
import shutil
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.app import App
from core.cli.main import main
from core.embedding import images
from core.errors import BadImage
from core.ingest.sources.folder import Walk, image_files, walk
from core.records.jobs import Failure, IngestReport
from core.store.objects.names import uri_to_path
from tests.fakes.encoder import ColourEncoder
from tests.fakes.odd_pictures import huge_jpeg, picture, png

NOBODY = 65534


def reasons(report: IngestReport) -> dict[str, str]:
    return {uri_to_path(f.uri).name: f.reason for f in report.failures}


def test_every_bad_file_is_reported_with_its_reason_and_the_others_are_added(app: App, pictures: Path) -> None:
    good = (pictures / "red.png").read_bytes()
    files = {
        "zero.jpg": (b"", "empty file"),
        "text.jpg": (b"hello", "not an image in a supported format"),
        "cut.png": (good[:70], "truncated"),
        "head.png": (good[:20], "damaged"),
        "bomb.png": (png(30_000, 30_000, pixels=zlib.compress(b"\0" * 100)), "too many pixels"),
        "jpeg.jpg": (huge_jpeg(), "too many pixels"),
        "sound.webp": (b"RIFF\x24\0\0\0WAVEfmt ", "not an image in a supported format"),
    }
    for name, (data, _) in files.items():
        (pictures / name).write_bytes(data)
    (pictures / "gone.jpg").symlink_to(pictures / "nowhere")
    (pictures / "loop.png").symlink_to(pictures / "loop.png")
    (pictures / "album").symlink_to("/unplugged/album")
    os.mkfifo(pictures / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(os.path.relpath(pictures / "door.jpg"))
    (pictures / "folder.jpg").mkdir()
    shutil.copy(pictures / "red.png", pictures / "folder.jpg" / "inside.png")
    (pictures / "folder.jpg" / "again").symlink_to(pictures, target_is_directory=True)
    report = app.ingest(pictures, "c")
    assert (report.added, report.known) == (3, 1)
    assert reasons(report) == {name: reason for name, (_, reason) in files.items()} | {
        "gone.jpg": "dangling link",
        "loop.png": "dangling link",
        "album": "dangling link",
        "pipe.jpg": "not a regular file",
        "door.jpg": "not a regular file",
    }


def test_the_command_line_reports_each_bad_file_on_one_line(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], app: App
) -> None:
    monkeypatch.setattr("core.cli.command_context._open_app", lambda: app)
    names = [b"line\nbreak.jpg", b"esc\x1b[31m.jpg", b"turn\xe2\x80\xaeed.jpg", b"\xff\xfe.jpg", b"x" * 251 + b".jpg"]
    for name in names:
        (pictures / os.fsdecode(name)).write_bytes(b"no picture")
        (pictures / os.fsdecode(name)).with_suffix(".png").write_bytes((pictures / "red.png").read_bytes() + name)
    assert main(["ingest", str(pictures), "--collection", "c"]) == 0
    output, progress = capfd.readouterr()
    lines = output.splitlines()
    assert len(lines) == len(names) + 1
    assert all(line.isprintable() for line in lines)
    assert all(line.endswith(": not an image in a supported format") for line in lines[:-1])
    assert {os.fsencode(uri_to_path(line.split("  ")[1].split(": ")[0]).name) for line in lines[:-1]} == set(names)
    assert lines[-1].startswith("c: 8 added, 0 known already, 5 skipped")
    assert "arning" not in progress
    assert main(["ingest", str(pictures), "--collection", "c", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert {failure["reason"] for failure in document["failures"]} == {"not an image in a supported format"}


def test_a_folder_whose_own_name_is_not_utf8_is_ingested(app: App, pictures: Path) -> None:
    odd = pictures.rename(os.fsdecode(os.fsencode(pictures.parent) + b"/\xff\xe9t\xe9"))
    assert app.ingest(odd, "c").added == 3
    assert [name for name, _ in app.searches.facets("c").sources] == ["\ufffd\ufffdt\ufffd"]


def test_a_path_too_long_for_the_system_is_one_line(capsys: pytest.CaptureFixture[str], settings: object) -> None:
    assert main(["ingest", "/" + "x" * 5000, "--collection", "c"]) == 1
    error = capsys.readouterr().err
    assert error.endswith("File name too long: grant access or choose another folder\n")
    assert error.count("\n") == 1


def test_a_file_that_disappears_between_scan_and_read_is_reported(
    app: App, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*arguments: Any) -> Walk:
        walked = walk(*arguments)
        (pictures / "red.png").unlink()
        return walked

    monkeypatch.setattr("core.ingest.source_walk.walk", found)
    report = app.ingest(pictures, "c")
    assert (report.added, reasons(report)) == (2, {"red.png": "no such file"})


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root, as which containers run tests, may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_place(tmp_path: Path) -> Iterator[Path]:
    """A folder that anybody may enter; pytest's own belong to who runs it."""
    folder = tmp_path / "open"
    folder.mkdir()
    for folder_path in (folder, *folder.parents):
        if (
            folder_path.stat().st_uid == os.geteuid()
            and folder_path != Path("/")
            and not folder_path.stat().st_mode & 1
        ):
            folder_path.chmod(folder_path.stat().st_mode | 0o011)
    folder.chmod(0o755)
    yield folder
    for folder_path in folder.iterdir():
        folder_path.chmod(0o755)


def test_files_and_folders_without_access_are_reported(open_place: Path) -> None:
    for name in ("locked.png", "listed/inside.png", "closed/inside.png"):
        (open_place / name).parent.mkdir(exist_ok=True)
        picture("RGB").save(open_place / name)
    (open_place / "locked.png").chmod(0)
    (open_place / "closed").chmod(0)
    (open_place / "listed").chmod(0o744)
    with without_privileges():
        found = list(image_files(open_place))
        with pytest.raises(BadImage, match=r"locked\.png: cannot be read \(Permission denied\)"):
            images.load(open_place / "locked.png")
    assert [item.reason if isinstance(item, Failure) else item.name for item in found] == [
        "folder cannot be read",
        "cannot be read",
        "locked.png",
    ]


def test_a_file_that_cannot_be_read_costs_only_itself(
    app: App, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path.read_bytes

    def fails(path: Path) -> bytes:
        if path.name == "red.png":
            raise OSError(5, "Input/output error", str(path))
        return plain(path)

    monkeypatch.setattr(Path, "read_bytes", fails)
    report = app.ingest(pictures, "c")
    assert [(f.reason, f.detail) for f in report.failures] == [("cannot be read", "Input/output error")]
    assert report.added == 2


def test_a_picture_that_the_model_cannot_prepare_costs_only_itself(
    app: App, pictures: Path, encoder: ColourEncoder
) -> None:
    plain = encoder.preprocess

    def fails(image: Image.Image) -> np.ndarray:
        if image.size == (40, 20):
            raise RuntimeError("no room")
        return plain(image)

    encoder.preprocess = fails  # type: ignore[method-assign]
    report = app.ingest(pictures, "c")
    assert [(f.reason, f.detail) for f in report.failures] == [("cannot be processed", "RuntimeError: no room")]
    assert report.added == 2


def test_folders_deeper_than_python_can_call_are_walked(tmp_path: Path) -> None:
    depth, here = 600, os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("deep.png", os.O_CREAT, dir_fd=here))
    os.close(here)
    (tmp_path / "z.png").touch()
    found = list(image_files(tmp_path))
    assert [item.name for item in found if isinstance(item, Path)] == ["deep.png", "z.png"]
