"""Downloads a dataset's ZIP into the data folder; an interrupted download resumes, also in another process."""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from functools import partial
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path

from core.errors import ContactSheetError, StoreError
from core.ingest.http.fetch_errors import FetchError
from core.ingest.http.fetcher import Fetcher
from core.records.jobs import Progress, ProgressListener
from core.store.disk_errors import wrap_write_errors

PHASE = "download dataset, MB"
MB = 1_000_000
MAX_ARCHIVE_BYTES = 64 * 1024**3


def fetch_archive(fetcher: Fetcher, url: str, folder: Path, listener: ProgressListener) -> Path:
    """The ZIP at `url` as a file in `folder`. An existing file is not downloaded again: remove it to get a newer one.

    Raises ContactSheetError: what happened, what was kept and what to do.
    """
    path = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.zip"
    if path.is_file():
        return path
    part = path.with_suffix(".part")
    with wrap_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        if not _is_complete(part):
            fetcher.with_retries(partial(_download, fetcher, url, part, listener), partial(_size, part))
    except FetchError as error:
        kept = f"{_size(part) / MB:.1f} MB are kept, to go on from there"
        advice = "run it again" if error.transient else "check the address of the dataset"
        raise ContactSheetError(f"the dataset cannot be downloaded: {error}; {kept}; {advice}") from error
    if not zipfile.is_zipfile(part):
        part.unlink()
        raise ContactSheetError("what was downloaded is not a ZIP, so it was removed: check the address of the dataset")
    part.replace(path)
    return path


def _download(fetcher: Fetcher, url: str, part: Path, listener: ProgressListener) -> None:
    """Append what is missing; continues only the same version of the file (RFC 9110, 13.1.5)."""
    received, (_, version) = _size(part), _read_note(part)
    headers = {"Range": f"bytes={received}-", "If-Range": version} if received and version else {}
    with fetcher.get(url, headers) as response:
        resumed = response.status == HTTPStatus.PARTIAL_CONTENT
        received = received if resumed else 0
        if resumed and not (response.getheader("Content-Range") or "").startswith(f"bytes {received}-"):
            part.unlink()
            raise FetchError("the server sent another part", response.getheader("Content-Range") or "", transient=True)
        total = received + (response.length or 0)
        _check_free_space(part, total - received, total)
        with wrap_write_errors(part.parent), part.open("ab" if resumed else "wb") as file:
            part.with_suffix(".note").write_text(f"{total} {_version(response)}", encoding="latin-1")
            for chunk in fetcher.chunks(response):
                file.write(chunk)
                if file.tell() > MAX_ARCHIVE_BYTES:
                    raise FetchError("too large a file", f"more than {MAX_ARCHIVE_BYTES} bytes")
                listener(Progress(PHASE, file.tell() // MB, total // MB))


def _version(response: HTTPResponse) -> str:
    """The value for If-Range: a strong entity tag, else the date of the last change; empty where there is neither."""
    tag = response.getheader("ETag") or ""
    version = tag if re.fullmatch(r'"[^"\r\n]*"', tag) else response.getheader("Last-Modified") or ""
    return version if version.isprintable() and len(version) < 200 else ""


def _read_note(part: Path) -> tuple[int, str]:
    """The size of the complete file in bytes, 0 if unknown, and the version of it that the part belongs to."""
    note = part.with_suffix(".note")
    total, _, version = (note.read_text(encoding="latin-1") if note.is_file() else "0 ").partition(" ")
    return (int(total) if total.isdigit() else 0), version


def _is_complete(part: Path) -> bool:
    return 0 < _read_note(part)[0] == _size(part)


def _check_free_space(part: Path, missing: int, total: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if total > MAX_ARCHIVE_BYTES:
        raise FetchError("too large a file", f"{total} bytes, the limit is {MAX_ARCHIVE_BYTES}")
    if missing > free:
        raise StoreError(f"{part.parent} has {free / MB:.0f} MB free, {missing / MB:.0f} are missing: free some space")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
