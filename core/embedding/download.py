"""Downloads files of a Hugging Face hub into its cache: resumable, with read timeouts, verified when complete.

huggingface_hub 2.4 finds a file, signs in and names the errors. The transfer is done here, because its own download
starts over in each process, waits as long as a server asks it to, and compares a file's size but not its SHA-256. Its
transfers over Xet cannot be resumed either, so plain HTTP is used where a hub offers both. Its settings apply:
`HF_HUB_ETAG_TIMEOUT` limits connecting and metadata, `HF_HUB_DOWNLOAD_TIMEOUT` the time between bytes (10 s each).
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path

import httpx2
from huggingface_hub import constants, get_session, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import WeakFileLock, build_hf_headers

from core.embedding.hashes import file_checkpoint
from core.embedding.hub import RemoteFile, RequiredFile, cached_path, find_remote, is_settled, publish
from core.embedding.hub_errors import DOWNLOAD_ERRORS, ContentMismatch, explain, with_hub_retries
from core.errors import ModelUnavailable
from core.records.jobs import DOWNLOAD_PHASE, Progress, ProgressListener, ignore

MB = 1_000_000
SHA256_DIGITS = 64


def fetch(model: str, files: Sequence[RequiredFile], listener: ProgressListener = ignore) -> list[Path]:
    """Download the files that `model` needs into the cache; returns their paths in that order, all of one commit.

    No request is made for cached files; an optional file that the hub does not have is left out.
    Raises ModelUnavailable: what happened, what was kept and what to do.
    """
    # Twice, since a repository that changes meanwhile leaves the first files at its previous commit.
    for file in (*files, *files):
        if not is_settled(file):
            _download(model, file, listener)
    return [path for path in map(cached_path, files) if path is not None]


def _download(model: str, file: RequiredFile, listener: ProgressListener) -> None:
    remote = None
    try:
        remote = find_remote(file)
        if remote is not None:
            _store(remote, listener)
    except DOWNLOAD_ERRORS as error:
        what, advice = explain(error, file.repository, file.names)
        kept = "nothing was kept"
        if remote is not None and remote.received:
            kept = f"{remote.received / MB:.1f} of {remote.size / MB:.1f} MB are kept, to go on from there"
        message = f"{model} cannot be downloaded from {constants.ENDPOINT}: {what}; {kept}; {advice}"
        raise ModelUnavailable(message) from error


def _store(remote: RemoteFile, listener: ProgressListener) -> None:
    """Store a file in the cache, complete and verified; waits for another process that downloads it."""
    for folder in (remote.lock.parent, remote.blob.parent):
        folder.mkdir(parents=True, exist_ok=True)
    meter = _ProgressMeter(remote, listener)
    meter.show(remote.received)
    with WeakFileLock(remote.lock):
        if not remote.blob.is_file():
            _check_free_space(remote)
            if remote.received < remote.size:
                transient = (HfHubHTTPError, httpx2.TransportError)
                with_hub_retries(partial(_receive, remote, meter), transient, lambda: remote.received)
            _verify(remote)
            remote.partial.replace(remote.blob)
        publish(remote)


def _receive(remote: RemoteFile, meter: _ProgressMeter) -> None:
    """Append the missing bytes; those received before an error are kept."""
    received = remote.received
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"} | (
        {"Range": f"bytes={received}-"} if received else {}
    )
    timeout = httpx2.Timeout(constants.HF_HUB_DOWNLOAD_TIMEOUT, connect=constants.HF_HUB_ETAG_TIMEOUT)
    with get_session().stream("GET", remote.url, headers=headers, timeout=timeout) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            remote.partial.unlink()  # the hub's file is shorter than announced: nothing to resume
        hf_raise_for_status(response)
        # A server without support for ranges answers 200 and sends the whole file.
        resumed = response.status_code == HTTPStatus.PARTIAL_CONTENT
        with remote.partial.open("ab" if resumed else "wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)
                meter.show(file.tell())
    if remote.received < remote.size:
        raise httpx2.RemoteProtocolError("it was closed early")


def _check_free_space(remote: RemoteFile) -> None:
    free = shutil.disk_usage(remote.blob.parent).free
    if free < remote.size - remote.received:
        raise OSError(errno.ENOSPC, f"{free / MB:.0f} MB are free", str(remote.blob.parent))


def _verify(remote: RemoteFile) -> None:
    """Remove a download that differs from what the hub announced. Raises ContentMismatch."""
    arrived, expected = f"{remote.received} bytes", f"{remote.size} bytes"
    if len(remote.etag) == SHA256_DIGITS and arrived == expected:
        arrived, expected = file_checkpoint(remote.partial), f"sha256:{remote.etag}"
    if arrived != expected:
        remote.partial.unlink()
        raise ContentMismatch(f"{remote.name} arrived as {arrived[:20]} instead of {expected[:20]}")


class _ProgressMeter:
    """Reports received bytes as `Progress`, once per MB; nothing for a file of less than one."""

    def __init__(
        self, remote: RemoteFile, listener: ProgressListener, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size, self._listener, self._clock = remote.size, listener, clock
        self._resumed_at, self._began, self._shown = remote.received, clock(), -1

    def show(self, received: int) -> None:
        total = self._size // MB
        done = received * total // self._size if total else self._shown
        if done == self._shown:
            return
        self._resumed_at, self._shown = min(self._resumed_at, received), done
        elapsed_s = self._clock() - self._began
        rate = (received - self._resumed_at) / MB / elapsed_s if elapsed_s > 0 else 0.0
        remaining_s = (self._size - received) / MB / rate if rate else None
        self._listener(Progress(DOWNLOAD_PHASE, done, total, rate, remaining_s))
