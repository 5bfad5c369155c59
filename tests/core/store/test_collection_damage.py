"""A damaged collection is shown as damaged and takes no other one down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.access import OPERATOR
from core.app import App
from core.cli.main import main
from core.errors import CollectionDamaged, CollectionError
from core.store.lance.collections import Collections

DESCRIPTION = "collection.json"


@pytest.fixture
def two(app: App, pictures: Path) -> App:
    """Collections `bad`, which tests damage, and `good`."""
    for name in ("bad", "good"):
        app.ingest(pictures, name)
    return app


def rewrite(home: Path, **changes: Any) -> None:
    about = json.loads((home / DESCRIPTION).read_text())
    del about["checksum"]  # as an older version wrote it
    (home / DESCRIPTION).write_text(json.dumps({**about, **changes}))


def change_one_letter(path: Path) -> None:
    path.write_text(path.read_text().replace("fake-1", "fake-2"))


def newest_manifest(home: Path) -> Path:
    return min((home / "assets.lance" / "_versions").glob("*.manifest"))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "half a description": lambda home: (home / DESCRIPTION).write_text("{"),
    "an empty object": lambda home: (home / DESCRIPTION).write_text("{}"),
    "a list": lambda home: (home / DESCRIPTION).write_text("[1]"),
    "nothing": lambda home: (home / DESCRIPTION).write_text(""),
    "binary": lambda home: (home / DESCRIPTION).write_bytes(bytes(range(256))),
    "deep": lambda home: (home / DESCRIPTION).write_text("[" * 100_000),
    "one letter": lambda home: change_one_letter(home / DESCRIPTION),
    "no description": lambda home: (home / DESCRIPTION).unlink(),
    "a folder": lambda home: ((home / DESCRIPTION).unlink(), (home / DESCRIPTION).mkdir()),
    "another model's shape": lambda home: rewrite(home, model={"name": 1}),
    "no dimension": lambda home: rewrite(home, model={"name": "m", "checkpoint": "c", "dimension": 0}),
    "a schema in words": lambda home: rewrite(home, schema="two"),
    "no time": lambda home: rewrite(home, created_at="yesterday"),
    "a table elsewhere": lambda home: rewrite(home, table="../good/assets"),
    "siblings that are none": lambda home: rewrite(home, beside={"x": 1}),
    "a cut manifest": lambda home: newest_manifest(home).write_bytes(newest_manifest(home).read_bytes()[:100]),
    "an empty manifest": lambda home: newest_manifest(home).write_bytes(b""),
    "no table": lambda home: (home / "assets.lance").rename(home / "elsewhere.lance"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_it_is_listed_as_damaged_beside_the_others(kind: str, two: App) -> None:
    home = two.settings.data / "collections" / "bad"
    DAMAGES[kind](home)
    found, damaged = two.survey_collections()
    assert [collection.name for collection in found] == ["good"]
    ((name, message),) = [(collection.name, collection.message) for collection in damaged]
    assert (name, "\n" in message) == ("bad", False)
    assert message.startswith("collection bad is damaged (")
    assert "restore PLACE --collection bad" in message
    assert [collection.name for collection in two.collections()] == ["good"]
    assert two.existing_collections() == ["bad", "good"]
    assert len(two.search("red", "good").hits) == 3
    with pytest.raises(CollectionDamaged, match="collection bad is damaged"):
        two.search("red", "bad")


@pytest.mark.parametrize("kind", DAMAGES)
def test_it_can_be_deleted_and_made_anew(kind: str, two: App, pictures: Path) -> None:
    DAMAGES[kind](two.settings.data / "collections" / "bad")
    two.removal.delete(OPERATOR, "bad", "bad")
    assert two.survey_collections()[1] == []
    assert two.ingest(pictures, "bad").added == 3
    assert len(two.search("red", "bad").hits) == 3


def test_nothing_can_be_added_to_it(two: App, pictures: Path) -> None:
    home = two.settings.data / "collections" / "bad"
    DAMAGES["half a description"](home)
    with pytest.raises(CollectionDamaged, match="bad is damaged"):
        two.ingest(pictures, "bad")
    assert (home / DESCRIPTION).read_text() == "{"


def test_a_schema_of_a_newer_version_is_kept_for_it(two: App) -> None:
    rewrite(two.settings.data / "collections" / "bad", schema=99)
    found, damaged = two.survey_collections()
    assert [collection.name for collection in found] == ["good"]
    assert "collection bad has schema 99, this version knows up to" in damaged[0].message
    assert damaged[0].message.endswith("update")


def test_what_an_interrupted_creation_left_is_no_collection(two: App) -> None:
    folder = two.settings.data / "collections"
    Collections(folder).create("half", two.model("good"))
    (folder / "half" / DESCRIPTION).unlink()
    (folder / "Not a name").mkdir()
    (folder / "Not a name" / DESCRIPTION).write_text("{}")
    assert two.existing_collections() == ["bad", "good"]
    assert two.survey_collections()[1] == []


def test_the_command_line_lists_the_others_and_says_what_is_damaged(
    two: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("core.cli.command_context._open_app", lambda: two)
    DAMAGES["half a description"](two.settings.data / "collections" / "bad")
    assert main(["collections"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("good ")
    assert err.startswith("damaged: collection bad is damaged (its description cannot be read: collection.json")
    assert main(["collections", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in document["collections"]] == ["good"]
    assert [entry["name"] for entry in document["damaged"]] == ["bad"]
    assert main(["search", "red", "--collection", "bad"]) == 1
    assert capsys.readouterr().err.startswith("error: collection bad is damaged (")


def test_metrics_count_the_others(two: App) -> None:
    DAMAGES["half a description"](two.settings.data / "collections" / "bad")
    assert two.monitor.registry.get_sample_value("contactsheet_assets", {"collection": "good"}) == 3
    assert two.monitor.registry.get_sample_value("contactsheet_assets", {"collection": "bad"}) is None


def test_a_deletion_that_is_interrupted_leaves_it_whole_or_gone(two: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("core.store.lance.collections._remove", fail)
    with pytest.raises(KeyboardInterrupt):
        two.removal.delete(OPERATOR, "bad", "bad")
    assert two.existing_collections() == ["good"]
    assert two.survey_collections()[1] == []
    with pytest.raises(CollectionError, match="there is no collection 'bad'"):
        two.search("red", "bad")
