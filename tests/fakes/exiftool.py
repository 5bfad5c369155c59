"""exiftool (Debian's libimage-exiftool-perl): writes the metadata of test files, and says what it reads in them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

READ = ("-use", "MWG", "-charset", "exif=utf8", "-j", "-G1", "-n", "-a")


class ExifTool:
    """One process for many files: starting the program takes longer than a file does."""

    def __init__(self) -> None:
        path = shutil.which("exiftool")
        if path is None and os.environ.get("CI"):
            pytest.fail("CI must have exiftool: bash .ci/tools exiftool")
        if path is None:
            pytest.skip("no exiftool on this computer (Debian's package libimage-exiftool-perl has it)")
        self._path = path

    def write(self, arguments: Mapping[Path, Sequence[str]]) -> None:
        """Write tags, `-XMP-dc:Title=Harbour`, into each file; `\\n` in a value is a new line."""
        lines: list[str] = []
        for path, tags in arguments.items():
            options = ("-q", "-overwrite_original", "-charset", "exif=utf8", *tags, str(path))
            lines += [f"#[CSTR]{option}".replace("\\", "\\\\").replace("\n", "\\n") for option in options]
            lines.append("-execute")
        self._run(["-@", "-"], "\n".join(lines))

    def read(self, folder: Path) -> dict[str, dict[str, Any]]:
        """Tags by group and name, `XMP-dc:Title`, of every file in a folder, by its name."""
        rows = json.loads(self._run([*READ, "-struct", str(folder)]))
        merged = json.loads(self._run([*READ, "-MWG:all", str(folder)]))  # needs the structures taken apart
        composites = {row["SourceFile"]: row for row in merged}
        return {Path(row["SourceFile"]).name: row | composites[row["SourceFile"]] for row in rows}

    def _run(self, arguments: list[str], text: str = "") -> str:
        ended = subprocess.run([self._path, *arguments], input=text, capture_output=True, text=True, timeout=300)
        unexpected = [line for line in ended.stderr.splitlines() if "[minor]" not in line and "files read" not in line]
        assert not [line for line in unexpected if line.startswith("Error")], "\n".join(unexpected)
        return ended.stdout
