"""Several processes on one collection: one ingest at a time, readers that never see half a state, no row twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.errors import CollectionBusy
from core.ingest import pipeline
from core.records.assets import Location
from core.records.jobs import Progress
from core.settings import PROJECT
from core.store.objects.locks import write_lock
from tests.core.embedding.test_open_clip_models import tiny_model  # noqa: F401 - a fixture
from tests.fakes.child_processes import FORKS
from tests.fakes.colour_app import colour_app, contents, open_table

DEADLINE_S = 90.0


def make_pictures(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(5)
    folder.mkdir()
    for number in range(count):
        pixels = np.full((12, 16, 3), rng.integers(0, 256, 3), np.uint8)
        pixels[0, 0] = (number // 256, number % 256, 0)
        Image.fromarray(pixels).save(folder / f"{number:04}.png")
    return folder


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE_S:g} s"
        time.sleep(0.02)


def _ingest_once_all_are_ready(data: str, pictures: str, ready: Any, refused: Any, results: Queue[str]) -> None:
    app = colour_app(Path(data))

    def hold_on(progress: Progress) -> None:
        if progress.phase == "embed":
            refused.wait(DEADLINE_S)

    ready.wait(DEADLINE_S)
    try:
        results.put(f"added {app.ingest(Path(pictures), 'c', listener=hold_on).added}")
    except CollectionBusy as error:
        refused.set()
        results.put(str(error))


def test_of_two_ingests_started_at_once_one_is_refused_and_the_other_completes(tmp_path: Path) -> None:
    pictures = make_pictures(tmp_path / "pictures", 30)
    ready, refused, results = FORKS.Barrier(2), FORKS.Event(), FORKS.Queue()
    arguments = (str(tmp_path / "data"), str(pictures), ready, refused, results)
    processes = [FORKS.Process(target=_ingest_once_all_are_ready, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    outcomes = sorted(results.get(timeout=DEADLINE_S) for _ in processes)
    for process in processes:
        process.join(DEADLINE_S)
    assert outcomes == [
        "added 30",
        "another ingest into c is running: wait for it to end, or stop it, then try again",
    ]
    assert len(contents(open_table(tmp_path / "data", "c"))) == 30


def test_a_second_ingest_from_the_command_line_ends_with_one_line(
    tmp_path: Path,
    tiny_model: Path,  # noqa: F811 - the fixture above
) -> None:
    pictures = make_pictures(tmp_path / "pictures", 60)
    command = [sys.executable, "-m", "core", "ingest", str(pictures), "--collection", "c"]
    environment = {
        **os.environ,
        "CONTACTSHEET_DATA": str(tmp_path / "data"),
        "CONTACTSHEET_MODEL": f"local-dir:{tiny_model}",
    }
    progress = tmp_path / "progress.txt"
    with progress.open("wb") as file:
        first = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=file, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: "embed" in progress.read_text() or first.poll() is not None, "the first ingest embeds")
    first.send_signal(signal.SIGSTOP)  # it stays where it is, with its locks, as long as the second one needs
    second = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=DEADLINE_S)
    first.send_signal(signal.SIGCONT)
    output, _ = first.communicate(timeout=DEADLINE_S)
    errors = [line for line in second.stderr.splitlines() if not line.startswith("load model")]
    assert (second.returncode, second.stdout) == (1, "")
    assert errors == ["error: another ingest into c is running: wait for it to end, or stop it, then try again"]
    assert first.returncode == 0
    assert output.startswith("c: 60 added, 0 known already, 0 skipped")


def _read_until_stopped(
    data: str, expected: dict[str, tuple[Any, ...]], ready: Any, stop: Any, results: Queue[tuple[int, str]]
) -> None:
    """Two threads that search, browse and read, comparing every row with what it must be."""
    app, rounds, errors = colour_app(Path(data)), [0, 0], list[str]()

    def read(number: int) -> None:
        largest = 0
        try:
            while not stop.is_set() or rounds[number] == 0:
                found = contents(open_table(Path(data), "c"))
                wrong = [i for i, row in found.items() if row[1:] != expected[i][1:]]
                hits = [hit.asset.id for hit in app.search("red", "c", 20).hits]
                if wrong or len(found) < largest or len(set(hits)) != len(hits) or not set(hits) <= set(expected):
                    errors.append(f"{len(wrong)} wrong rows, {len(found)} after {largest}, {hits}")
                largest, rounds[number] = len(found), rounds[number] + 1
        except Exception as error:  # noqa: BLE001 - reported to the test
            errors.append(f"{type(error).__name__}: {error}")

    ready.wait(DEADLINE_S)
    threads = [threading.Thread(target=read, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((sum(rounds), "; ".join(errors)))


def _write_until_stopped(data: str, ids: list[str], ready: Any, stop: Any, results: Queue[tuple[int, str]]) -> None:
    """Notes further places and compacts, again and again."""
    table, rounds, error_text = open_table(Path(data), "c"), 0, ""
    ready.wait(DEADLINE_S)
    try:
        while not stop.is_set() or rounds == 0:
            table.add_locations({i: [Location(f"/elsewhere/{rounds % 10}/{i}")] for i in ids[:: 1 + rounds % 7]})
            if rounds % 3 == 0:
                table.compact()
            rounds += 1
    except Exception as error:  # noqa: BLE001 - reported to the test
        error_text = f"{type(error).__name__}: {error}"
    results.put((rounds, error_text))


def test_readers_and_a_writer_never_see_a_partial_state_of_an_ingest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = make_pictures(tmp_path / "pictures", 400)
    colour_app(tmp_path / "alone").ingest(pictures, "c")
    expected = contents(open_table(tmp_path / "alone", "c"))
    data, ready, stop, results = tmp_path / "data", FORKS.Barrier(4), FORKS.Event(), FORKS.Queue()
    app = colour_app(data)
    app.ingest(make_pictures(tmp_path / "few", 10).rename(tmp_path / "first"), "c", source="pictures")
    readers = [
        FORKS.Process(target=_read_until_stopped, args=(str(data), expected, ready, stop, results)) for _ in range(2)
    ]
    writer = FORKS.Process(target=_write_until_stopped, args=(str(data), sorted(expected), ready, stop, results))
    for process in (*readers, writer):
        process.start()
    monkeypatch.setattr(pipeline, "COMMIT_ASSETS", 8)
    ready.wait(DEADLINE_S)
    try:
        report = app.ingest(pictures, "c", source="pictures")
    finally:
        stop.set()
    answers = [results.get(timeout=DEADLINE_S) for _ in (*readers, writer)]
    for process in (*readers, writer):
        process.join(DEADLINE_S)
    print("rounds of readers and writer:", [rounds for rounds, _ in answers])
    assert [error_text for _, error_text in answers if error_text] == []
    assert all(rounds for rounds, _ in answers)
    assert (report.added, report.known, report.failures) == (390, 10, ())
    after = contents(open_table(data, "c"))
    assert {i: row[1:] for i, row in after.items()} == {i: row[1:] for i, row in expected.items()}
    assert all(set(expected[i][0]) <= set(after[i][0]) for i in expected)
    assert all(len(set(row[0])) == len(row[0]) for row in after.values())


def test_a_short_write_waits_for_another_and_is_refused_when_that_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = colour_app(tmp_path / "data")
    app.ingest(make_pictures(tmp_path / "pictures", 4), "c")
    table, released = open_table(tmp_path / "data", "c"), threading.Event()
    some_id = next(iter(contents(table)))
    with write_lock(table.folder):
        waiting = threading.Thread(target=lambda: (table.add_locations({some_id: [Location("/late")]}), released.set()))
        waiting.start()
        assert not released.wait(0.3)
    assert released.wait(DEADLINE_S)
    assert "/late" in contents(table)[some_id][0]
    with write_lock(table.folder), pytest.raises(CollectionBusy, match="being written to by another process"):
        table.add_locations({some_id: [Location("/too-late")]})
    assert "/too-late" not in contents(table)[some_id][0]
