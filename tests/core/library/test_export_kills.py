"""An export that is killed at any moment (SIGKILL): every file of it is whole or absent, and so is a ZIP file."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

from core.access import OPERATOR
from tests.fakes.colour_app import colour_app
from tests.fakes.killed_export import export_twice
from tests.fakes.named_clusters import publish_named
from tests.fakes.painted import paint
from tests.fakes.strikes import kills, strike
from tests.fakes.trials import trials

PICTURES = 12
ENTRIES = {"read": 24, "copy": 26, "name": 13, "rename": 1, "end": 1}
KILLS = trials(8 * len(ENTRIES), at_least=2 * len(ENTRIES))


def test_what_an_export_leaves_when_it_is_killed_is_whole(tmp_path: Path) -> None:
    archive, app = tmp_path / "archive", colour_app(tmp_path / "data")
    paint(archive, "red", PICTURES)
    app.ingest(archive, "c")
    publish_named(app, {"Harbour": [f"red_{number}.png" for number in range(PICTURES)]})
    originals = {f"Harbour/{path.name}": path.read_bytes() for path in archive.iterdir()}
    hits = Counter[str]()
    for number, kill in enumerate(kills(ENTRIES, KILLS, seed=17)):
        target = tmp_path / str(number)
        struck = strike(export_twice, (app.settings.data, target), kill)
        hits["inside" if struck.inside else "just after" if struck.killed else "ended"] += 1
        for path in (target / "out").rglob("*.png"):
            assert path.read_bytes() == originals[path.relative_to(target / "out").as_posix()], kill
        if (target / "out.zip").exists():
            with zipfile.ZipFile(target / "out.zip") as found:
                assert found.testzip() is None
                assert {*found.namelist()} == {*originals, "manifest.csv"}, kill
        else:
            assert not struck.promised
        again = app.exports.export(OPERATOR, "c", target / "out")
        assert {picture.outcome for picture in again.pictures} <= {"exported", "already there"}
        assert {p.file: (target / "out" / p.file).read_bytes() for p in again.pictures} == originals, kill
    print(dict(hits))
    assert hits["inside"] >= KILLS // 3, hits
