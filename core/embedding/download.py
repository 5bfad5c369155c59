"""Files of a Hugging Face hub into the cache: resumed after a cut, ended by silence, checked when whole.

huggingface_hub 2.4 finds a file, signs in and names the errors. The bytes are carried here, because its own download
begins anew in each process, waits as long as a server asks it to, and compares a file's size but not its SHA-256. What
it does over Xet cannot be resumed either, so plain HTTP is used where a hub offers both. Its settings hold here too:
`HF_HUB_ETAG_TIMEOUT` bounds connecting and asking, `HF_HUB_DOWNLOAD_TIMEOUT` the silence between bytes (10 s each).
"""

from __future__ import annotations

import errno
import os
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
from core.embedding.hub import RemoteFile, RequiredFile, cached, locate, publish, settled
from core.embedding.hub_errors import FAULTS, WrongBytes, explain, patiently
from core.errors import ModelUnavailable
from core.records.jobs import DOWNLOAD_PHASE, Progress, ProgressListener, ignore

MB = 1_000_000
SHA256_DIGITS = 64


def fetch(model: str, needs: Sequence[RequiredFile], listener: ProgressListener = ignore) -> list[Path]:
    """Bring what `model` needs into the cache and say where it lies, in the order of `needs`, all of one commit.

    No request is made for what is there already; an optional file that the hub does not have is left out.
    Raises ModelUnavailable: what happened, what was kept and what to do.
    """
    # Twice, since a repository that moved on meanwhile leaves the files that came first at its former commit.
    for need in (*needs, *needs):
        if not settled(need):
            _bring(model, need, listener)
    return [path for path in map(cached, needs) if path is not None]


def _bring(model: str, need: RequiredFile, listener: ProgressListener) -> None:
    remote = None
    try:
        remote = locate(need)
        if remote is not None:
            _carry(remote, listener)
    except FAULTS as error:
        what, todo = explain(error, need.repository, need.names)
        kept = "nothing was kept"
        if remote is not None and remote.received:
            kept = f"{remote.received / MB:.1f} of {remote.size / MB:.1f} MB are kept, to go on from there"
        message = f"{model} cannot be downloaded from {constants.ENDPOINT}: {what}; {kept}; {todo}"
        raise ModelUnavailable(message) from error


def _carry(remote: RemoteFile, listener: ProgressListener) -> None:
    """Have a file whole, checked and named in the cache; another process that is at it is waited for."""
    for folder in (remote.lock.parent, remote.blob.parent):
        folder.mkdir(parents=True, exist_ok=True)
    meter = _Meter(remote, listener)
    meter.show(remote.received)
    with WeakFileLock(remote.lock):
        if not remote.blob.is_file():
            _check_room(remote)
            if remote.received < remote.size:
                passing = (HfHubHTTPError, httpx2.TransportError)
                patiently(partial(_receive, remote, meter), passing, lambda: remote.received)
            _check(remote)
            remote.partial.replace(remote.blob)
        publish(remote)


def _receive(remote: RemoteFile, meter: _Meter) -> None:
    """Append what is missing; what came before a fault stays."""
    have = remote.received
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    timeout = httpx2.Timeout(constants.HF_HUB_DOWNLOAD_TIMEOUT, connect=constants.HF_HUB_ETAG_TIMEOUT)
    with get_session().stream("GET", remote.url, headers=headers, timeout=timeout) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            remote.partial.unlink()  # the hub's file is shorter than announced: nothing to go on from
        hf_raise_for_status(response)
        # A server that does not know ranges answers 200 and sends the whole file.
        resumed = response.status_code == HTTPStatus.PARTIAL_CONTENT
        with remote.partial.open("ab" if resumed else "wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)
                meter.show(file.tell())
    if remote.received < remote.size:
        raise httpx2.RemoteProtocolError("it was closed early")


def _check_room(remote: RemoteFile) -> None:
    free = shutil.disk_usage(remote.blob.parent).free
    if free < remote.size - remote.received:
        reason = f"{os.strerror(errno.ENOSPC)}, {free / MB:.0f} MB are free"
        raise OSError(errno.ENOSPC, reason, str(remote.blob.parent))


def _check(remote: RemoteFile) -> None:
    """Remove what is not what the hub announced. Raises WrongBytes."""
    arrived, wanted = f"{remote.received} bytes", f"{remote.size} bytes"
    if len(remote.etag) == SHA256_DIGITS and arrived == wanted:
        arrived, wanted = file_checkpoint(remote.partial), f"sha256:{remote.etag}"
    if arrived != wanted:
        remote.partial.unlink()
        raise WrongBytes(f"{remote.name} arrived as {arrived[:20]} instead of {wanted[:20]}")


class _Meter:
    """Bytes that are here to `Progress`, once per MB; silent for a file of less than one."""

    def __init__(
        self, remote: RemoteFile, listener: ProgressListener, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size, self._listener, self._clock = remote.size, listener, clock
        self._start, self._began, self._shown = remote.received, clock(), -1

    def show(self, have: int) -> None:
        total = self._size // MB
        done = have * total // self._size if total else self._shown
        if done == self._shown:
            return
        self._start, self._shown = min(self._start, have), done
        elapsed_s = self._clock() - self._began
        rate = (have - self._start) / MB / elapsed_s if elapsed_s > 0 else 0.0
        remaining_s = (self._size - have) / MB / rate if rate else None
        self._listener(Progress(DOWNLOAD_PHASE, done, total, rate, remaining_s))
