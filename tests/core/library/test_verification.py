"""Verification: flipped bits are found with the pictures they hit, and mended where the original can tell."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from core.access import OPERATOR
from core.app import App
from core.cli.main import main
from core.errors import CollectionBusy
from core.records.assets import Location
from core.records.backups import RestoreOptions
from core.records.verification import Damage, VerificationOptions
from core.store.lance import schema
from core.store.lance.table import AssetTable
from tests.fakes.colour_app import colour_app, contents, open_table
from tests.fakes.encoder import ColourEncoder

MEND = VerificationOptions(mend=True)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Twelve pictures, each of which has a title."""
    folder = tmp_path / "noise"
    folder.mkdir()
    for number in range(12):
        image = Image.frombytes("RGB", (32, 32), random.Random(number).randbytes(32 * 32 * 3))
        exif = Image.Exif()
        exif[0x010E] = f"noise number {number}"
        image.save(folder / f"{number}.jpg", exif=exif)
    return folder


@pytest.fixture
def app(tmp_path: Path, noise: Path) -> App:
    app = colour_app(tmp_path / "data")
    app.ingest(noise, "c")
    return app


def table_of(app: App) -> AssetTable:
    return open_table(app.settings.data, "c")


def rewrite(table: AssetTable, asset_id: str, **values: Any) -> None:
    """Change columns of a row behind the back of its checksums, as a flipped bit does."""
    rows = table._query([asset_id], schema.COLUMNS).to_arrow().select(schema.COLUMNS)
    for name, value in values.items():
        field = rows.schema.field(name)
        rows = rows.set_column(rows.schema.get_field_index(name), field, pa.array([value], field.type))
    table._table.merge_insert("id").when_matched_update_all().execute(rows)


def some_id(app: App) -> str:
    return sorted(app.titles("c"))[0]


def found(app: App, options: VerificationOptions = VerificationOptions()) -> list[tuple[str, str, bool]]:
    report = app.backups.verify(OPERATOR, ["c"], options)
    return [(damage.kind, damage.asset_id, damage.mended) for damage in report.damages]


def test_a_whole_collection_has_no_damage(app: App) -> None:
    report = app.backups.verify(OPERATOR, options=VerificationOptions(originals=True))
    assert (report.damages, report.assets, report.originals, report.missing) == ((), 12, 12, 0)
    assert report.summary == "no damage: 12 pictures, 1 collection, 6 databases, 12 originals (0 missing) in 0 s"


def test_a_thumbnail_is_made_again_to_the_byte(app: App) -> None:
    asset_id, before = some_id(app), contents(table_of(app))
    other = next(i for i in before if i != asset_id)
    rewrite(table_of(app), asset_id, thumbnail=table_of(app).thumbnail(other))  # the picture of another one
    assert found(app) == [("thumbnail", asset_id, False)]
    assert found(app, MEND) == [("thumbnail", asset_id, True)]
    assert contents(table_of(app)) == before
    assert found(app) == []


@pytest.mark.parametrize("value", [3e38, 0.5, -1.0])
def test_a_vector_is_made_again(app: App, value: float) -> None:
    asset_id, before = some_id(app), contents(table_of(app))
    vector = table_of(app).vector(asset_id)
    assert vector is not None
    vector[0] = value
    rewrite(table_of(app), asset_id, vector=vector.tolist())
    assert found(app) == [("vector", asset_id, False)]
    assert found(app, MEND) == [("vector", asset_id, True)]
    assert contents(table_of(app)) == before


def test_words_that_stood_in_the_file_come_back_and_others_are_never_guessed(app: App) -> None:
    asset_id, before = some_id(app), contents(table_of(app))
    rewrite(table_of(app), asset_id, description="noise number 4711")
    assert found(app, MEND) == [("metadata", asset_id, True)]
    assert contents(table_of(app)) == before
    rewrite(table_of(app), asset_id, ingested_at=datetime(2001, 1, 1, tzinfo=UTC))
    (damage,) = app.backups.verify(OPERATOR, ["c"], MEND).damages
    assert not damage.mended
    assert (
        damage.detail
        == "it is not what was written; not all of it stands in the file: restore the collection from a backup"
    )
    assert table_of(app).metadata(asset_id).ingested_at.year == 2001


def test_what_has_no_original_any_more_is_named_and_left(app: App, noise: Path) -> None:
    asset_id = some_id(app)
    rewrite(table_of(app), asset_id, thumbnail=b"noise")
    title = app.titles("c")[asset_id]
    for path in noise.iterdir():
        path.unlink()
    (damage,) = app.backups.verify(OPERATOR, ["c"], MEND).damages
    assert damage.line.startswith(f"c: thumbnail of {title}: it is not what was written; its original was not found: ")
    assert table_of(app).thumbnail(asset_id) == b"noise"


def test_a_vector_is_not_made_by_another_model(app: App) -> None:
    rewrite(table_of(app), some_id(app), vector=[1.0] + [0.0] * (table_of(app).model.dimension - 1))
    other_model = ColourEncoder()
    other_model.card = replace(other_model.card, checkpoint="another")
    other = colour_app(app.settings.data, other_model)
    (damage,) = other.backups.verify(OPERATOR, ["c"], MEND).damages
    assert not damage.mended
    assert "is another model by now" in damage.detail


def test_originals_are_compared_with_their_ids_on_request(app: App, noise: Path) -> None:
    first, second = sorted(noise.iterdir())[:2]
    changed, gone = (next(i for i, row in contents(table_of(app)).items() if str(p) in row[0]) for p in (first, second))
    first.write_bytes(first.read_bytes() + b"\0")
    second.unlink()
    assert app.backups.verify(OPERATOR).damages == ()
    report = app.backups.verify(OPERATOR, options=VerificationOptions(originals=True))
    assert [(d.kind, d.asset_id) for d in report.damages] == [("original", changed)]
    assert (report.originals, report.missing) == (10, 1)
    assert gone != changed


def test_a_damaged_index_is_found_and_made_again(app: App) -> None:
    folder = table_of(app).folder / "assets.lance" / "_indices"
    for path in folder.rglob("*.lance"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert found(app) == [("index", "", False)]
    assert found(app, MEND) == [("index", "", True)]
    assert found(app) == []
    assert table_of(app).thumbnail(some_id(app))


def test_a_data_file_that_cannot_be_read_hits_the_collection_and_no_other(app: App, noise: Path) -> None:
    app.ingest(noise, "other")
    for path in (table_of(app).folder / "assets.lance" / "data").glob("*.lance"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    report = app.backups.verify(OPERATOR)
    assert {damage.collection for damage in report.damages} == {"c"}
    assert report.assets >= 12


def test_dendrograms_and_maps_that_cannot_be_read_make_room_for_new_ones(app: App) -> None:
    app.clusters.compute_linkage("c", lambda _: None)
    (path,) = (app.settings.data / "linkages" / "c").glob("*.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert found(app) == [("dendrogram", "", False)]
    assert path.exists()
    assert found(app, MEND) == [("dendrogram", "", True)]
    assert found(app) == []


def test_a_damaged_bin_is_told(app: App) -> None:
    asset_id = some_id(app)
    app.removal.remove(OPERATOR, "c", [asset_id])
    bin_ = table_of(app).bin
    rows = bin_._open().search().to_arrow()
    at = rows.schema.get_field_index("thumbnail")
    bin_._open().merge_insert("id").when_matched_update_all().execute(
        rows.set_column(at, rows.schema.field(at), [[b"noise"]])
    )
    (damage,) = app.backups.verify(OPERATOR, ["c"]).damages
    assert (damage.kind, damage.asset_id, damage.detail) == (
        "thumbnail",
        asset_id,
        "it is not what was written, in the bin",
    )


def test_rows_of_an_older_version_get_their_checksums(app: App) -> None:
    home = app.settings.data / "collections" / "c"
    table = table_of(app)
    table._table.drop_columns([field.name for field in schema.CHECKSUM_FIELDS])
    about = json.loads((home / "collection.json").read_text())
    del about["checksum"]
    (home / "collection.json").write_text(json.dumps({**about, "schema": 1}))
    old = contents(table_of(app))
    report = app.backups.verify(OPERATOR, ["c"])
    assert (report.damages, report.unsealed) == ((), 12)
    assert contents(table_of(app)) == old
    assert app.backups.verify(OPERATOR, ["c"]).unsealed == 0
    rewrite(table_of(app), some_id(app), title="another")
    assert found(app) == [("metadata", some_id(app), False)]


def test_locations_that_are_added_are_part_of_what_is_sealed(app: App) -> None:
    table_of(app).add_locations({some_id(app): [Location("/elsewhere/a.jpg")]})
    assert found(app) == []
    rewrite(table_of(app), some_id(app), uris=["/elsewhere/b.jpg"])
    assert found(app) == [("metadata", some_id(app), False)]


def test_a_damaged_database_is_named(app: App) -> None:
    path = app.settings.data / "judgements.db"
    path.write_bytes(path.read_bytes()[:5000])
    (damage,) = app.backups.verify(OPERATOR).damages
    assert (damage.kind, damage.mended) == ("database", False)
    assert damage.line.startswith("database: judgements.db: ")


def test_a_database_that_was_begun_anew_is_told_by_who_began_it(app: App) -> None:
    (app.settings.data / "events.db").write_bytes(b"")
    again = colour_app(app.settings.data)
    (damage,) = again.backups.verify(OPERATOR).damages
    assert damage.mended
    assert "it is kept as events.damaged-" in damage.detail
    assert colour_app(app.settings.data).backups.verify(OPERATOR).damages == ()


def test_the_command_exits_with_1_on_damage_and_names_the_picture(
    app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("core.cli.command_context._open_app", lambda: app)
    assert main(["verify"]) == 0
    asset_id = some_id(app)
    rewrite(table_of(app), asset_id, thumbnail=b"noise")
    capsys.readouterr()
    assert main(["verify", "--collection", "c"]) == 1
    out = capsys.readouterr().out
    assert f"c: thumbnail of {app.titles('c')[asset_id]}: it is not what was written" in out
    assert "1 damaged: 12 pictures, 1 collection in" in out
    assert main(["verify", "--collection", "c", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["left"], document["damages"][0]["asset_id"]) == (1, asset_id)
    assert main(["verify", "--mend"]) == 0
    assert main(["verify", "--collection", "nowhere"]) == 1
    assert "there is no collection 'nowhere'" in capsys.readouterr().err
    assert main(["verify", "--backups", "x", "--mend"]) == 2


def test_lines_of_damage_are_one_line() -> None:
    line = Damage("thumbnail", "c", "a" * 64, "", "it cannot be read").line
    assert line == "c: thumbnail of aaaaaaaaaaaa: it cannot be read"


def test_damaged_words_stay_found_when_a_copy_of_the_file_is_added(app: App, noise: Path) -> None:
    asset_id = some_id(app)
    rewrite(table_of(app), asset_id, width=9999)
    assert found(app) == [("metadata", asset_id, False)]
    for path in list(noise.iterdir()):
        path.with_name(f"copy-{path.name}").write_bytes(path.read_bytes())
    app.ingest(noise, "c")
    assert found(app) == [("metadata", asset_id, False)]


def test_a_picture_that_changed_while_it_was_mended_is_left(app: App) -> None:
    table, asset_id = table_of(app), some_id(app)
    before, vector = table.metadata(asset_id), table.vector(asset_id)
    assert before is not None
    assert vector is not None
    table.add_locations({asset_id: [Location("/elsewhere/a.jpg")]})
    with pytest.raises(CollectionBusy, match="was changed meanwhile: try again"):
        table.replace(before, b"thumbnail", vector, before)
    assert table.uris([asset_id])[asset_id][-1] == "/elsewhere/a.jpg"


def test_a_table_that_was_replaced_is_not_written_to_under_its_old_name(app: App, tmp_path: Path) -> None:
    held = table_of(app)
    app.backups.back_up(OPERATOR, tmp_path / "backups")
    app.backups.restore(OPERATOR, tmp_path / "backups", RestoreOptions(["c"], replace=True))
    with pytest.raises(CollectionBusy, match="c was replaced or deleted meanwhile"):
        held.remove([some_id(app)], "Ada", datetime.now(UTC))
    assert app.backups.verify(OPERATOR).assets == 12
