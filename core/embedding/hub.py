"""What a Hugging Face hub offers, and what of it lies in the cache on this disk.

The hub is `HF_ENDPOINT`, the cache below `HF_HOME`; huggingface_hub reads both. The cache is laid out as its
documentation says (blobs, snapshots, refs), so whoever else looks there finds what was downloaded here.
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

from core.embedding.hub_errors import FAULTS, patiently

SAFE_NAME = re.compile(r"[\w-][\w.-]*")
# Otherwise the first request of a process waits up to 3 s for a list of programs, to report the one it runs under.
constants.HF_HUB_DISABLE_TELEMETRY = True


@dataclass(frozen=True)
class RequiredFile:
    """A file that a model needs: the names it may have in its repository, best first.

    An `optional` one may be missing there; that it is gets remembered, so that nobody has to ask again.
    """

    repository: str
    names: tuple[str, ...]
    optional: bool = False

    @property
    def folder(self) -> Path:
        """Where the cache keeps the repository."""
        return Path(constants.HF_HUB_CACHE) / f"models--{self.repository.replace('/', '--')}"


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub describes it; `etag` is the SHA-256 (hex) of one in large-file storage."""

    need: RequiredFile
    name: str
    commit: str
    etag: str
    size: int

    @property
    def url(self) -> str:
        return url_of(self.need.repository, self.commit, self.name)

    @property
    def blob(self) -> Path:
        return self.need.folder / "blobs" / self.etag

    @property
    def partial(self) -> Path:
        """What has arrived so far."""
        return self.blob.with_name(f"{self.etag}.incomplete")

    @property
    def lock(self) -> Path:
        """The lock that huggingface_hub itself takes while it writes the blob."""
        folder = self.need.folder
        return folder.parent / ".locks" / folder.name / f"{self.etag}.lock"

    @property
    def received(self) -> int:
        """Bytes that have arrived so far."""
        return self.partial.stat().st_size if self.partial.is_file() else 0


def url_of(repository: str, revision: str, name: str) -> str:
    """Where the hub serves a file."""
    return f"{constants.ENDPOINT}/{quote(repository)}/resolve/{revision}/{quote(name)}"


def cached(need: RequiredFile) -> Path | None:
    """The file in the cache, if it is there."""
    return next((Path(found) for found in _look_up(need) if isinstance(found, str)), None)


def settled(need: RequiredFile) -> bool:
    """Whether the cache holds the file, or knows that an optional one does not exist."""
    return cached(need) is not None or (need.optional and None not in _look_up(need))


def offered(need: RequiredFile, within_s: float) -> bool:
    """Whether the hub offers the file now. Answers in time, whatever name service, proxy or hub do."""
    answers: list[RemoteFile | None] = []

    def ask() -> None:
        with suppress(*FAULTS):
            answers.append(locate(need))

    asking = threading.Thread(target=ask, name="hub-probe", daemon=True)
    asking.start()
    asking.join(within_s)
    return bool(answers)


def locate(need: RequiredFile) -> RemoteFile | None:
    """The first of a need's names that the hub has; None where it has none and need not. Raises one of FAULTS."""
    for name in need.names:
        try:
            return patiently(partial(_describe, need, name), HfHubHTTPError)
        except RemoteEntryNotFoundError as error:
            absent = error
    if not need.optional:
        raise absent
    _remember_absence(need, absent.response.headers.get(constants.HUGGINGFACE_HEADER_X_REPO_COMMIT) or "")
    return None


def publish(remote: RemoteFile) -> None:
    """Give a whole blob its file's name in the cache; the reference by which it is found comes last."""
    pointer = remote.need.folder / "snapshots" / remote.commit / remote.name
    pointer.parent.mkdir(parents=True, exist_ok=True)
    if not pointer.is_file():
        pointer.unlink(missing_ok=True)
        try:
            pointer.symlink_to(os.path.relpath(remote.blob, pointer.parent))
        except OSError:  # Windows, without the right to make links
            remote.blob.replace(pointer)
    _point_main_at(remote.need, remote.commit)


def _look_up(need: RequiredFile) -> list[object]:
    """Per name: a path, None where the cache knows nothing, anything else where it knows that there is no file."""
    try:
        return [try_to_load_from_cache(need.repository, name) for name in need.names]
    except HFValidationError:  # no repository can have this name: the hub will say so
        return [None]


def _describe(need: RequiredFile, name: str) -> RemoteFile:
    url = url_of(need.repository, "main", name)
    found = get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    # Both become names of files here, which no server may choose freely.
    named = all(SAFE_NAME.fullmatch(text or "") for text in (found.commit_hash, found.etag))
    if not named or found.size is None:
        raise FileMetadataError(url)
    return RemoteFile(need, name, str(found.commit_hash), str(found.etag), int(found.size))


def _remember_absence(need: RequiredFile, commit: str) -> None:
    if not SAFE_NAME.fullmatch(commit):
        raise FileMetadataError(need.repository)
    for name in need.names:
        marker = need.folder / ".no_exist" / commit / name
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    _point_main_at(need, commit)


def _point_main_at(need: RequiredFile, commit: str) -> None:
    reference = need.folder / "refs" / "main"
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(commit, encoding="ascii")
