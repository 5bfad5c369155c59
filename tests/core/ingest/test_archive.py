"""A dataset's ZIP from a server on this machine: resumed, checked, and never another version's continuation."""

from __future__ import annotations

import io
import threading
import zipfile
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.errors import ContactSheetError, StoreError
from core.ingest.http.allowed_hosts import AllowedHosts
from core.ingest.http.fetcher import Fetcher
from core.ingest.sources import archive
from core.ingest.sources.archive import fetch_archive
from core.ingest.sources.unsplash import UnsplashOptions, assets_by_photo
from core.records.jobs import Cancelled, Progress, ignore
from tests.fakes.colour_app import open_table
from tests.fakes.killed_unsplash import unsplash
from tests.fakes.unsplash import HOST, HOSTS, FakeUnsplash, loopback_environment


class Storage(ThreadingHTTPServer):
    """Serves one file with ranges; `cuts` says after how many bytes the next bodies end."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.data, self.tag, self.supports_ranges = b"", '"one"', True
        self.cuts: deque[int] = deque()
        self.ranges: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/lite.zip?signature=secret"

    def handle_error(self, *_: object) -> None:
        """A client that stops reading is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Storage

    def log_message(self, *_: object) -> None:
        """Tests look at `ranges` instead."""

    def do_GET(self) -> None:
        storage, requested = self.server, self.headers.get("Range", "")
        storage.ranges.append(requested)
        fresh = not requested or not storage.supports_ranges or self.headers.get("If-Range") != storage.tag
        start = 0 if fresh else int(requested.removeprefix("bytes=").removesuffix("-"))
        self.send_response(200 if fresh else 206)
        self.send_header("ETag", storage.tag)
        self.send_header("Content-Length", str(len(storage.data) - start))
        if not fresh:
            self.send_header("Content-Range", f"bytes {start}-{len(storage.data) - 1}/{len(storage.data)}")
        self.end_headers()
        cut = storage.cuts.popleft() if storage.cuts else None
        self.wfile.write(storage.data[start:][:cut])
        self.close_connection = cut is not None


@pytest.fixture
def storage() -> Iterator[Storage]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("photos.tsv000", "photo_id\tphoto_image_url\n" * 5000)
    with Storage() as running:
        running.data = buffer.getvalue()
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


def download(storage: Storage, folder: Path) -> Path:
    environment = loopback_environment()
    fetcher = Fetcher(AllowedHosts(HOSTS, environment.network), environment)
    return fetch_archive(fetcher, storage.url, folder, ignore)


def test_a_zip_is_fetched_once(storage: Storage, tmp_path: Path) -> None:
    path = download(storage, tmp_path)
    assert path.read_bytes() == storage.data
    assert download(storage, tmp_path) == path
    assert storage.ranges == [""]
    assert "secret" not in path.name


def test_an_interrupted_download_is_resumed_where_it_was_cut_off(storage: Storage, tmp_path: Path) -> None:
    storage.cuts.extend([1000, 500])
    assert download(storage, tmp_path).read_bytes() == storage.data
    assert storage.ranges == ["", "bytes=1000-", "bytes=1500-"]


def test_another_process_resumes_a_partial_download(storage: Storage, tmp_path: Path) -> None:
    storage.cuts.extend([1000] + [0] * 4)
    with pytest.raises(ContactSheetError, match=r"cannot be downloaded: cut off .* 0\.0 MB are kept.*; run it again"):
        download(storage, tmp_path)
    storage.ranges.clear()
    assert download(storage, tmp_path).read_bytes() == storage.data
    assert storage.ranges == ["bytes=1000-"]


def test_a_complete_download_that_was_not_renamed_yet_is_used(storage: Storage, tmp_path: Path) -> None:
    path = download(storage, tmp_path)
    path.rename(path.with_suffix(".part"))
    assert download(storage, tmp_path).read_bytes() == storage.data
    assert storage.ranges == [""]


@pytest.mark.parametrize("change", ["the file changed", "no ranges"])
def test_a_download_that_cannot_be_resumed_starts_over(storage: Storage, tmp_path: Path, change: str) -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled("enough")

    fetcher = Fetcher(AllowedHosts(HOSTS, loopback_environment().network), loopback_environment())
    with pytest.raises(Cancelled, match="enough"):
        fetch_archive(fetcher, storage.url, tmp_path, stop)
    if change == "no ranges":
        storage.supports_ranges = False
    else:
        storage.tag, storage.data = '"two"', storage.data[:-22] + b"new" + storage.data[-22:]
    assert download(storage, tmp_path).read_bytes() == storage.data


def test_what_is_no_zip_is_removed(storage: Storage, tmp_path: Path) -> None:
    storage.data = b"<html>sign in</html>"
    with pytest.raises(ContactSheetError, match="is not a ZIP, so it was removed"):
        download(storage, tmp_path)
    assert not list(tmp_path.glob("*.part"))


def test_a_full_disk_is_noticed_before_the_download(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(StoreError, match="0 MB free, 0 are missing: free some space"):
        download(storage, tmp_path)


def test_a_larger_file_than_a_dataset_can_be_is_refused(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", 1000)
    with pytest.raises(ContactSheetError, match=r"too large a file .*; check the address") as refused:
        download(storage, tmp_path)
    assert "secret" not in str(refused.value)


def test_a_dataset_is_added_from_the_address_of_its_zip(storage: Storage, tmp_path: Path) -> None:
    with FakeUnsplash(tmp_path / "server", 6) as images:
        storage.data = images.write_zip(tmp_path / "dataset.zip").read_bytes()
        report = unsplash(tmp_path / "data").ingest(storage.url, "c", UnsplashOptions(width=64))
        assert (report.added, report.failures) == (6, ())
        assert assets_by_photo(open_table(tmp_path / "data", "c")) == images.expected(64)
