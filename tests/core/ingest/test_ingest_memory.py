"""Six times the pictures take hardly more memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from core.settings import PROJECT

COUNT, COPIES = 3000, 20
MARGIN_MB = 60.0
PROGRAM = """
import sys
from pathlib import Path
from core.ingest import pipeline
from tests.fakes.colour_app import colour_app
from tests.fakes.memory import peak_mb
pipeline.COMMIT_ASSETS = 32
peaks = {}
def note(progress):
    if progress.phase == "embed":
        peaks.setdefault(progress.done // 500, peak_mb())
report = colour_app(Path(sys.argv[1])).ingest(Path(sys.argv[2]), "c", listener=note)
print(report.added, report.known, len(report.failures), *(round(peaks[step]) for step in range(1, 7)), round(peak_mb()))
"""


def make_pictures(folder: Path, count: int) -> Path:
    """`count` files, 20 of each content, the copies after all originals."""
    rng = np.random.default_rng(11)
    folder.mkdir()
    different = count // COPIES
    for number in range(different):
        Image.fromarray(rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)).save(folder / f"{number:05}.jpg")
    for number in range(different, count):
        (folder / f"{number:05}.jpg").write_bytes((folder / f"{number % different:05}.jpg").read_bytes())
    return folder


def test_memory_stays_level_from_500_to_3000_pictures(tmp_path: Path) -> None:
    pictures = make_pictures(tmp_path / "pictures", COUNT)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "data"), str(pictures)]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    added, known, failed, *peaks_mb = map(int, ended.stdout.split())
    print(f"peak after every 500 pictures and at the end, MB: {peaks_mb}")
    assert (added, known, failed) == (COUNT // COPIES, COUNT - COUNT // COPIES, 0)
    assert peaks_mb[-1] < peaks_mb[0] + MARGIN_MB
