"""Finds files on a Hugging Face hub and in its cache on disk.

The hub is `HF_ENDPOINT`, the cache below `HF_HOME`; huggingface_hub reads both. The cache has the documented layout
(blobs, snapshots, refs), so other programs find what was downloaded here.
"""

from __future__ import annotations

import os
import re
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from huggingface_hub import constants, get_hf_file_metadata, try_to_load_from_cache
from huggingface_hub.errors import FileMetadataError, HfHubHTTPError, HFValidationError, RemoteEntryNotFoundError

from core.embedding.hub_errors import DOWNLOAD_ERRORS, with_hub_retries

SAFE_NAME = re.compile(r"[\w-][\w.-]*")
# Otherwise the first request of a process waits up to 3 s for a list of programs, to report which one runs it.
constants.HF_HUB_DISABLE_TELEMETRY = True


@dataclass(frozen=True)
class RequiredFile:
    """A file that a model needs: the names it may have in its repository, best first.

    An `optional` one may be missing there; its absence is cached, so that the hub is not asked again.
    """

    repository: str
    names: tuple[str, ...]
    optional: bool = False

    @property
    def folder(self) -> Path:
        """The cache folder of the repository."""
        return Path(constants.HF_HUB_CACHE) / f"models--{self.repository.replace('/', '--')}"


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub describes it; `etag` is the SHA-256 (hex) of one in large-file storage."""

    required: RequiredFile
    name: str
    commit: str
    etag: str
    size: int

    @property
    def url(self) -> str:
        return file_url(self.required.repository, self.commit, self.name)

    @property
    def blob(self) -> Path:
        return self.required.folder / "blobs" / self.etag

    @property
    def partial(self) -> Path:
        """The incomplete download."""
        return self.blob.with_name(f"{self.etag}.incomplete")

    @property
    def lock(self) -> Path:
        """The lock that huggingface_hub itself takes while it writes the blob."""
        folder = self.required.folder
        return folder.parent / ".locks" / folder.name / f"{self.etag}.lock"

    @property
    def received(self) -> int:
        """Bytes received so far."""
        return self.partial.stat().st_size if self.partial.is_file() else 0


def file_url(repository: str, revision: str, name: str) -> str:
    """The URL of a file on the hub."""
    return f"{constants.ENDPOINT}/{quote(repository)}/resolve/{revision}/{quote(name)}"


def cached_path(file: RequiredFile) -> Path | None:
    """The file in the cache, if it is there."""
    return next((Path(found) for found in _look_up_cache(file) if isinstance(found, str)), None)


def is_settled(file: RequiredFile) -> bool:
    """Whether the cache holds the file, or knows that an optional one does not exist."""
    return cached_path(file) is not None or (file.optional and None not in _look_up_cache(file))


def is_offered(file: RequiredFile, timeout_s: float) -> bool:
    """Whether the hub offers the file now. Returns in time, however slow name service, proxy or hub are."""
    found: list[RemoteFile | None] = []

    def probe() -> None:
        with suppress(*DOWNLOAD_ERRORS):
            found.append(find_remote(file))

    thread = threading.Thread(target=probe, name="hub-probe", daemon=True)
    thread.start()
    thread.join(timeout_s)
    return bool(found)


def find_remote(file: RequiredFile) -> RemoteFile | None:
    """The first of a file's names that the hub has; None if it has none of an optional file. Raises DOWNLOAD_ERRORS."""
    for name in file.names:
        try:
            return with_hub_retries(partial(_describe, file, name), HfHubHTTPError)
        except RemoteEntryNotFoundError as error:
            absent = error
    if not file.optional:
        raise absent
    _cache_absence(file, absent.response.headers.get(constants.HUGGINGFACE_HEADER_X_REPO_COMMIT) or "")
    return None


def publish(remote: RemoteFile) -> None:
    """Link a complete blob to its file name in the cache; the reference that makes it visible is written last."""
    pointer = remote.required.folder / "snapshots" / remote.commit / remote.name
    pointer.parent.mkdir(parents=True, exist_ok=True)
    if not pointer.is_file():
        pointer.unlink(missing_ok=True)
        try:
            pointer.symlink_to(os.path.relpath(remote.blob, pointer.parent))
        except OSError:  # Windows, without the privilege to create links
            remote.blob.replace(pointer)
    _point_main_at(remote.required, remote.commit)


def _look_up_cache(file: RequiredFile) -> list[object]:
    """For each name a path, None if the cache knows nothing, anything else if it knows that there is no such file."""
    try:
        return [try_to_load_from_cache(file.repository, name) for name in file.names]
    except HFValidationError:  # no repository can have this name: the hub reports it
        return [None]


def _describe(file: RequiredFile, name: str) -> RemoteFile:
    url = file_url(file.repository, "main", name)
    found = get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    # Both become file names here, which no server may choose freely.
    names_are_safe = all(SAFE_NAME.fullmatch(text or "") for text in (found.commit_hash, found.etag))
    if not names_are_safe or found.size is None:
        raise FileMetadataError(url)
    return RemoteFile(file, name, str(found.commit_hash), str(found.etag), int(found.size))


def _cache_absence(file: RequiredFile, commit: str) -> None:
    if not SAFE_NAME.fullmatch(commit):
        raise FileMetadataError(file.repository)
    for name in file.names:
        marker = file.folder / ".no_exist" / commit / name
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    _point_main_at(file, commit)


def _point_main_at(file: RequiredFile, commit: str) -> None:
    reference = file.folder / "refs" / "main"
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(commit, encoding="ascii")
