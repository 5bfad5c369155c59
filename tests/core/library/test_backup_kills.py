"""A backup or a restore that is killed at any moment (SIGKILL) is run again, and nothing is lost or half there."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from core.access import OPERATOR
from core.store.objects.backup_place import BackupPlace
from tests.core.store.test_released_data import differences
from tests.fakes.child_processes import killed
from tests.fakes.colour_app import colour_app, contents, open_table
from tests.fakes.killed_backup import back_up_announced, restore_announced
from tests.fakes.released_data import read, unpack
from tests.fakes.trials import trials

KILLS = trials(40, 3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return unpack(tmp_path)


def test_a_killed_backup_leaves_complete_ones_alone_and_is_made_by_the_next_try(data: Path, tmp_path: Path) -> None:
    place, rng, hits = tmp_path / "backups", random.Random(15), 0
    before = json.loads(json.dumps(read(data)))
    _, whole_s = killed(back_up_announced, (str(data), str(tmp_path / "timed")), None)
    complete = 0
    for number in range(KILLS):
        # Every other one begins anew, so that copying is hit as often as comparing.
        target = place if number % 2 else tmp_path / f"new-{number}"
        struck, _ = killed(back_up_announced, (str(data), str(target)), rng.uniform(0, whole_s))
        hits += struck
        backups = BackupPlace(target)
        assert [file for backup in backups.backups() for file in backups.damaged(backup)] == []
        assert len(backups.backups()) == len(backups.ids())
        if number % 2:
            complete += not struck
            assert complete <= len(backups.backups()) <= complete + number
    print(f"{hits} of {KILLS} hit within {whole_s:.2f} s")
    assert hits >= KILLS // 3
    colour_app(data).backups.back_up(OPERATOR, place)
    assert list((place / ".drafts").glob("*")) == []
    assert colour_app(data).backups.verify(OPERATOR).damages == ()
    assert list(differences(json.loads(json.dumps(read(data))), before)) == []


def test_a_killed_restore_leaves_the_collection_whole_or_said_to_be_interrupted(data: Path, tmp_path: Path) -> None:
    place, rng, outcomes = tmp_path / "backups", random.Random(16), Counter[tuple[str, bool]]()
    colour_app(data).backups.back_up(OPERATOR, place)
    wanted = contents(open_table(data, "holiday"))
    revisions = len(colour_app(data).clusters.revisions.list("holiday"))
    _, whole_s = killed(restore_announced, (str(data), str(place), "timed"), None)
    for number in range(KILLS):
        name = "new" if number % 4 else f"new-{number}"
        struck, _ = killed(restore_announced, (str(data), str(place), name), rng.uniform(0, whole_s))
        app = colour_app(data)
        found, damaged = app.survey_collections()
        assert {"holiday", "lite", "pets"} <= {collection.name for collection in found}
        messages = {collection.name: collection.message for collection in damaged}
        if name in messages:
            assert "its restore was interrupted: run it again" in messages[name]
        elif name in {collection.name for collection in found}:
            assert contents(open_table(data, name)).keys() == wanted.keys()
            assert len(app.clusters.revisions.list(name)) == revisions
        there = "whole" if name in app.existing_collections() else "not there"
        outcomes["interrupted" if name in messages else there, struck] += 1
    print(outcomes, f"within {whole_s:.2f} s")
    app = colour_app(data)
    interrupted = {collection.name for collection in app.survey_collections()[1]}
    homes = {"new" if number % 4 else f"new-{number}" for number in range(KILLS)}  # their siblings come with them
    for name in {*(interrupted & homes), "new"}:
        killed(restore_announced, (str(data), str(place), name), None)
        assert len(colour_app(data).clusters.revisions.list(name)) == revisions
    app = colour_app(data)
    assert app.survey_collections()[1] == []
    assert app.backups.verify(OPERATOR).damages == ()
    assert [*(data / "collections").glob(".restoring-*"), *data.glob(".restore-*")] == []
