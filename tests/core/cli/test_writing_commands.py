from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from core.app import App
from core.errors import ClusterError, ContactSheetError
from tests.fakes.commands import run_command
from tests.fakes.named_clusters import publish_named

Run = Callable[..., list[str]]


@pytest.fixture
def run(app: App, pictures: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command against an App whose collection `c` has red.png and green.jpg in the cluster Harbour."""
    app.ingest(pictures, "c")
    publish_named(app, {"Harbour": ["red.png", "green.jpg"]})

    def lines(*arguments: object) -> list[str]:
        assert run_command(app, *arguments) == 0
        return capsys.readouterr().out.splitlines()

    return lines


def test_sidecars_are_previewed_written_listed_and_undone(run: Run, pictures: Path) -> None:
    *files, total = run("write-sidecars", "c", "--dry-run")
    assert total == "c: 2 sidecars: 2 created; nothing was written"
    assert f"created   {pictures}/red.png.xmp: Harbour, Clusters|Harbour" in files
    assert list(pictures.glob("*.xmp")) == []
    *again, total = run("write-sidecars", "c")
    assert again == files
    assert total == "c: 2 sidecars: 2 created; undo with: python -m core write-sidecars c --undo 1"
    (line,) = run("write-sidecars", "c", "--list")
    assert line.split()[0] == "1"
    assert "revision 1  2 files  command line" in line
    (pictures / "red.png.xmp").write_bytes(b"mine")
    lines = run("write-sidecars", "c", "--undo", "1")
    assert f"left alone  {pictures}/red.png.xmp: it was changed since" in lines
    assert lines[-1] in ("c: 2 sidecars: 1 deleted and 1 left alone", "c: 2 sidecars: 1 left alone and 1 deleted")
    assert [path.name for path in pictures.glob("*.xmp")] == ["red.png.xmp"]


def test_what_is_left_out_is_named_with_its_reason(run: Run, pictures: Path) -> None:
    (pictures / "red.png").unlink()
    lines = run("write-sidecars", "c")
    assert f"left out  {pictures}/red.png: the picture is not there" in lines


def test_pictures_are_exported_by_cluster_and_by_the_first_digits_of_their_ids(
    run: Run, app: App, pictures: Path, tmp_path: Path
) -> None:
    place = tmp_path / "out.zip"
    assert run("export-pictures", "c", "--to", place, "--cluster", "harbour") == [
        f"{place}: 2 pictures: 2 exported",
    ]
    assert set(zipfile.ZipFile(place).namelist()) == {"Harbour/red.png", "Harbour/green.jpg", "manifest.csv"}
    blue = next(i for i, title in app.titles("c").items() if title == "blue.webp")
    (pictures / "sub" / "blue.webp").unlink()
    folder = tmp_path / "out"
    assert run("export-pictures", "c", "--to", folder, "--id", blue[:10]) == [
        f"left out      {blue[:12]}: its original is missing or was changed",
        f"{folder}: 1 picture: 1 left out",
    ]
    found = json.loads(run("export-pictures", "c", "--to", folder, "--id", blue, "--thumbnails", "--json")[0])
    assert [picture["file"] for picture in found["pictures"]] == ["blue (thumbnail).jpg"]


def test_wrong_usage_is_refused_before_anything_is_written(run: Run, app: App, tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="target"):
        run("export-pictures", "c")
    with pytest.raises(ContactSheetError, match="0 pictures with an id that begins with 'zz': write more digits"):
        run("export-pictures", "c", "--to", tmp_path / "a.zip", "--id", "zz")
    with pytest.raises(ClusterError, match="'Quay' is no cluster of c"):
        run("export-pictures", "c", "--to", tmp_path / "a.zip", "--cluster", "Quay")
    (tmp_path / "file").touch()
    with pytest.raises(ContactSheetError, match="file is a file: name a folder"):
        run("export-pictures", "c", "--to", tmp_path / "file")
    with pytest.raises(ContactSheetError, match="c has no run 7"):
        run("write-sidecars", "c", "--undo", "7")
    assert not (tmp_path / "a.zip").exists()
