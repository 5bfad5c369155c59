"""Uploads are stored whole or not at all, none over another."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from core.errors import StoreError
from core.ingest.sources import upload
from core.ingest.sources.upload import ABANDONED_AFTER_S, DRAFTS, save_upload


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """The folder of a collection's uploads; it does not exist yet."""
    return tmp_path / "uploads" / "c"


def stored(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_same_content_is_stored_once_and_another_under_a_numbered_name(uploads: Path) -> None:
    names = [save_upload(uploads, "a.JPG", content).name for content in (b"one", b"two", b"one", b"three", b"two")]
    assert names == ["a.jpg", "a-2.jpg", "a.jpg", "a-3.jpg", "a-2.jpg"]
    assert stored(uploads) == {"a.jpg": b"one", "a-2.jpg": b"two", "a-3.jpg": b"three"}


def test_uploads_of_one_name_at_the_same_time_are_all_stored(uploads: Path) -> None:
    contents = [b"%d" % number * 1000 for number in range(24)]
    gate = threading.Barrier(len(contents))

    def save(content: bytes) -> None:
        gate.wait()
        save_upload(uploads, "a.jpg", content)

    threads = [threading.Thread(target=save, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored(uploads).values()) == sorted(contents)
    assert list((uploads.parent / DRAFTS).iterdir()) == []


def test_a_file_system_without_hard_links_will_do(uploads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for content in (b"one", b"two"):
        save_upload(uploads, "a.jpg", content)
    assert stored(uploads) == {"a.jpg": b"one", "a-2.jpg": b"two"}


def test_a_full_disk_is_told_and_nothing_is_left(uploads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        path.write_bytes(content[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(upload, "write_durably", full)
    expected = (
        r"^a.jpg could not be stored \(the disk is full\): nothing was added; free some space, then upload again$"
    )
    with pytest.raises(StoreError, match=expected):
        save_upload(uploads, "a.jpg", b"picture")
    assert [path for path in uploads.parent.rglob("*") if path.is_file()] == []


def test_what_a_killed_process_left_half_is_removed_later(uploads: Path) -> None:
    half = uploads.parent / DRAFTS / "0123"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"hal")
    save_upload(uploads, "a.jpg", b"one")
    assert half.exists()  # it may belong to an upload that is under way
    save_upload(uploads, "b.jpg", b"two", now_s=lambda: time.time() + ABANDONED_AFTER_S + 60)
    assert not half.exists()
    assert stored(uploads) == {"a.jpg": b"one", "b.jpg": b"two"}
