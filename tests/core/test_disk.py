"""Files are written whole or not at all, and a full disk is called that."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from core.disk import cause_and_advice, is_full, write_whole


def test_a_file_is_replaced_whole_and_through_its_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_bytes(b"before")
    link.symlink_to(target)
    write_whole(link, b"after")
    assert (target.read_bytes(), link.is_symlink()) == (b"after", True)
    assert sorted(tmp_path.iterdir()) == [link, target]


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there(at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "plan.json"
    path.write_bytes(b"before")
    monkeypatch.setattr(*((os, "fsync") if at == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_whole(path, b"after")
    assert caught.value.filename == str(path)
    assert is_full(caught.value)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("plan.json", b"before")]


def test_a_device_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, b"through")
    assert os.read(reader, 99) == b"through"
    os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_device_that_is_full_is_told() -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_whole(Path("/dev/full"), b"x")
    assert cause_and_advice(caught.value) == ("the disk is full", "free some space, then run it again")


def test_an_error_that_is_not_the_disks_has_no_cause() -> None:
    assert cause_and_advice(ValueError("no")) is None
    assert not is_full(OSError(errno.ENOENT, "No such file"))
