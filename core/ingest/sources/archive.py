"""A dataset's ZIP from its address into the data folder: resumed after a cut, also in another process."""

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
    """The ZIP at `url` as a file below `folder`; one that lies there is not fetched again: remove it for a newer one.

    Raises ContactSheetError: what happened, what was kept and what to do.
    """
    path = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.zip"
    if path.is_file():
        return path
    part = path.with_suffix(".part")
    with wrap_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        if not _is_whole(part):
            fetcher.with_retries(partial(_receive, fetcher, url, part, listener), partial(_size, part))
    except FetchError as fault:
        kept = f"{_size(part) / MB:.1f} MB are kept, to go on from there"
        todo = "run it again" if fault.transient else "check the address of the dataset"
        raise ContactSheetError(f"the dataset cannot be downloaded: {fault}; {kept}; {todo}") from fault
    if not zipfile.is_zipfile(part):
        part.unlink()
        raise ContactSheetError("what was downloaded is no ZIP, so it was removed: check the address of the dataset")
    part.replace(path)
    return path


def _receive(fetcher: Fetcher, url: str, part: Path, listener: ProgressListener) -> None:
    """Append what is missing; the part goes on only as the same version of the file (RFC 9110, 13.1.5)."""
    have, (_, version) = _size(part), _note(part)
    headers = {"Range": f"bytes={have}-", "If-Range": version} if have and version else {}
    with fetcher.get(url, headers) as response:
        resumed = response.status == HTTPStatus.PARTIAL_CONTENT
        have = have if resumed else 0
        if resumed and not (response.getheader("Content-Range") or "").startswith(f"bytes {have}-"):
            part.unlink()
            raise FetchError("the server sent another part", response.getheader("Content-Range") or "", transient=True)
        total = have + (response.length or 0)
        _check_room(part, total - have, total)
        with wrap_write_errors(part.parent), part.open("ab" if resumed else "wb") as file:
            part.with_suffix(".note").write_text(f"{total} {_version(response)}", encoding="latin-1")
            for piece in fetcher.chunks(response):
                file.write(piece)
                if file.tell() > MAX_ARCHIVE_BYTES:
                    raise FetchError("too large a file", f"more than {MAX_ARCHIVE_BYTES} bytes")
                listener(Progress(PHASE, file.tell() // MB, total // MB))


def _version(response: HTTPResponse) -> str:
    """What If-Range takes: a strong entity tag, else the date of the last change; nothing where there is neither."""
    tag = response.getheader("ETag") or ""
    found = tag if re.fullmatch(r'"[^"\r\n]*"', tag) else response.getheader("Last-Modified") or ""
    return found if found.isprintable() and len(found) < 200 else ""


def _note(part: Path) -> tuple[int, str]:
    """How many bytes the whole file has, 0 where nobody said, and which version of it the part is of."""
    note = part.with_suffix(".note")
    total, _, version = (note.read_text(encoding="latin-1") if note.is_file() else "0 ").partition(" ")
    return (int(total) if total.isdigit() else 0), version


def _is_whole(part: Path) -> bool:
    return 0 < _note(part)[0] == _size(part)


def _check_room(part: Path, missing: int, total: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if total > MAX_ARCHIVE_BYTES:
        raise FetchError("too large a file", f"{total} bytes, allowed are {MAX_ARCHIVE_BYTES}")
    if missing > free:
        raise StoreError(f"{part.parent} has {free / MB:.0f} MB free, {missing / MB:.0f} are missing: free some space")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
