"""Six times the pictures take no more memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from core.settings import PROJECT

COPIES = 20
MARGIN_MB = 60.0
PROGRAM = """
import sys
from pathlib import Path
from tests.fakes.colour_app import colour_app
from tests.fakes.memory import peak_mb
report = colour_app(Path(sys.argv[1])).ingest(Path(sys.argv[2]), "c")
print(report.added, report.known, len(report.failures), peak_mb())
"""


def make_pictures(folder: Path, count: int) -> Path:
    """`count` files, 20 of each content, lying apart."""
    rng = np.random.default_rng(11)
    folder.mkdir()
    different = count // COPIES
    for number in range(different):
        Image.fromarray(rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)).save(folder / f"{number:05}.jpg")
    for number in range(different, count):
        (folder / f"{number:05}.jpg").write_bytes((folder / f"{number % different:05}.jpg").read_bytes())
    return folder


def peak_of_ingest(data: Path, pictures: Path) -> tuple[int, int, int, float]:
    command = [sys.executable, "-c", PROGRAM, str(data), str(pictures)]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    added, known, failed, peak_mb = ended.stdout.split()
    return int(added), int(known), int(failed), float(peak_mb)


def test_memory_stays_level_from_500_to_3000_pictures(tmp_path: Path) -> None:
    few = peak_of_ingest(tmp_path / "a", make_pictures(tmp_path / "few", 500))
    many = peak_of_ingest(tmp_path / "b", make_pictures(tmp_path / "many", 3000))
    print(f"peak after 500 pictures {few[-1]:.0f} MB, after 3,000 {many[-1]:.0f} MB")
    assert few[:3] == (25, 475, 0)
    assert many[:3] == (150, 2850, 0)
    assert many[-1] < few[-1] + MARGIN_MB
