"""Ten thousand damaged pictures: each is read, or refused with a reason; nothing else ever happens."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from core.app import App
from core.records.jobs import Failure
from core.settings import PROJECT
from tests.fakes.mutations import MAX_MEGAPIXELS, outcome
from tests.fakes.odd_pictures import every_kind, mutated
from tests.fakes.trials import trials

COUNT, SEED = trials(10_000), 20_261
REASONS = {
    "ok",
    "empty file",
    "damaged",
    "truncated",
    "too many pixels",
    "not an image in a supported format",
    "not supported",
}


def test_mutations_never_crash_hang_swell_or_speak(tmp_path: Path) -> None:
    last = tmp_path / "last.bin"
    command = [sys.executable, "-m", "tests.fakes.mutations", str(SEED), str(COUNT), str(last)]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, f"{ended.stderr[-500:]} at {last.read_bytes()[:200]!r}"
    assert ended.stderr == ""
    found = json.loads(ended.stdout)
    outcomes = {(image_format, result): times for image_format, result, times in found["outcomes"]}
    print(found)
    assert sum(outcomes.values()) == COUNT
    assert {result for _, result in outcomes} <= REASONS
    assert {image_format for image_format, _ in outcomes} == {"JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"}
    assert found["slow"] == []
    assert found["peak_mb"] < 1500


def test_mutations_of_raws_and_scientific_files_are_read_or_refused_too(tmp_path: Path) -> None:
    last = tmp_path / "last.bin"
    command = [sys.executable, "-m", "tests.fakes.mutations", str(SEED), str(COUNT // 5), str(last), "built"]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, f"{ended.stderr[-500:]} at {last.read_bytes()[:200]!r}"
    # LibRaw says on standard error what rawpy raises as an error too; nothing can turn that off.
    assert [line for line in ended.stderr.splitlines() if "data corrupted at" not in line] == []
    found = json.loads(ended.stdout)
    print(found)
    assert sum(times for *_, times in found["outcomes"]) == COUNT // 5
    assert {result for _, result, _ in found["outcomes"]} <= REASONS
    assert found["slow"] == []
    assert found["peak_mb"] < 700


@pytest.mark.filterwarnings("ignore::UserWarning")  # pytest undoes our own filter; the process above shows silence
def test_a_folder_of_mutations_is_ingested_as_far_as_it_is_readable(app: App, tmp_path: Path) -> None:
    folder, rng, kinds = tmp_path / "mutants", random.Random(SEED), every_kind()
    folder.mkdir()
    expected, others = dict[str, str](), list(kinds.values())
    for number, (name, data) in enumerate(list(kinds.items()) * 3):
        path = folder / f"{number:03}.{name.split()[0].lower()}"
        path.write_bytes(data if number < len(kinds) else mutated(data, others, rng))
        expected[path.name] = outcome(path.read_bytes())
    object.__setattr__(app.settings, "max_megapixels", MAX_MEGAPIXELS)
    report = app.ingest(folder, "c")
    bad = {name: reason for name, reason in expected.items() if reason != "ok"}
    assert {Path(f.uri).name: f.reason for f in report.failures} == bad
    assert report.added + report.known == len(expected) - len(bad) > 2 * len(kinds) - 60
    kept = Counter(Path(uri).name for hit in app.searches.browse("c", 1000).hits for uri in hit.asset.uris)
    assert kept == Counter(name for name, reason in expected.items() if reason == "ok")
    assert all(isinstance(f, Failure) and f.uri for f in report.failures)
