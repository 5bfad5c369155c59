"""The pictures of an Unsplash dataset, downloaded by many threads and handed over as they arrive.

A file gets its name only once it was checked, so every file in the folder is complete, and an interrupted run finds it
there. Disk use is bounded: a limited number of files is downloaded ahead of the reader, and of those handed over only
the most recent are kept, for a run that is interrupted before it committed them.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.embedding import images
from core.errors import BadImage, ContactSheetError
from core.ingest.http.fetch_errors import FAILED, TOO_MANY, UNREACHABLE, FetchError
from core.ingest.http.fetcher import Fetcher
from core.ingest.sources.unsplash_tables import Photo
from core.records.jobs import Failure
from core.store.disk_errors import wrap_write_errors

MAX_IMAGE_BYTES = 64 * 1024 * 1024
IMAGE_TIMEOUT_S = 120.0
FILES_AHEAD_PER_THREAD = 4
TICK_S = 0.5
MAX_CONSECUTIVE_FAILURES = 50  # that are the server's fault, not the photos' own
SERVER_FAILURES = (UNREACHABLE, TOO_MANY, FAILED)


@dataclass(frozen=True)
class DownloadOptions:
    """`width` of the pictures in pixels; download `threads`; `max_kept_files` that stay after they were handed over."""

    width: int
    threads: int
    max_kept_files: int
    max_megapixels: float


class PhotoDownloads:
    """Photos as files in a folder of their own. `tick` is called while nothing arrives; it may raise to give up."""

    def __init__(self, fetcher: Fetcher, folder: Path, options: DownloadOptions, tick: Callable[[], None]) -> None:
        self._fetcher, self._folder, self._options, self._tick = fetcher, folder, options, tick
        self._consecutive_failures = 0

    def path(self, photo: Photo) -> Path:
        """The file of a photo's picture; ids that differ by case alone stay apart on any file system."""
        digest = hashlib.sha256(photo.id.encode()).hexdigest()[:8]
        return self._folder / f"{photo.id}-{digest}-{self._options.width}.jpg"

    def fetch_all(self, photos: Sequence[Photo]) -> Generator[Path | Failure, None, None]:
        """Each photo's file as soon as it is downloaded, or why it is not available, in order of completion.

        Raises ContactSheetError when the server no longer delivers anything, StoreError when the disk is full.
        """
        self._prepare_folder(photos)
        handed_over: deque[Path] = deque()
        pool = ThreadPoolExecutor(self._options.threads, thread_name_prefix="unsplash")
        try:
            for item in self._completed(pool, photos):
                if isinstance(item, Path):
                    handed_over.append(item)
                    if len(handed_over) > self._options.max_kept_files:
                        handed_over.popleft().unlink(missing_ok=True)
                yield item
        finally:
            self._fetcher.stop()
            pool.shutdown(cancel_futures=True)

    def _completed(self, pool: ThreadPoolExecutor, photos: Iterable[Photo]) -> Iterator[Path | Failure]:
        remaining, depth = iter(photos), FILES_AHEAD_PER_THREAD * self._options.threads
        pending: set[Future[Path | Failure]] = set()
        while True:
            pending |= {pool.submit(self._fetch, photo) for photo in islice(remaining, depth - len(pending))}
            if not pending:
                return
            done, pending = wait(pending, TICK_S, FIRST_COMPLETED)
            if not done:
                self._tick()
            for future in done:
                item = future.result()
                self._check_server(item)
                yield item

    def _check_server(self, item: Path | Failure) -> None:
        """Raise ContactSheetError once too many photos in a row failed through the server's fault."""
        failed = isinstance(item, Failure) and item.reason in SERVER_FAILURES
        self._consecutive_failures = self._consecutive_failures + 1 if failed else 0
        if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES and isinstance(item, Failure):
            raise ContactSheetError(
                f"{MAX_CONSECUTIVE_FAILURES} photos in a row could not be downloaded: {item.reason} ({item.detail}); "
                "what was committed is kept: check the network and run it again later"
            )

    def _fetch(self, photo: Photo) -> Path | Failure:
        path = self.path(photo)
        try:
            if not self._is_downloaded(path):
                self._save(path, self._fetcher.with_retries(lambda: self._download(photo)))
            return path
        except FetchError as error:
            return Failure(photo.uri, error.reason, f"photo {photo.id}: {error.detail}")

    def _download(self, photo: Photo) -> bytes:
        with self._fetcher.get(photo.jpeg_url(self._options.width), {"Accept": "image/*"}) as response:
            content_type = response.headers.get_content_type()
            if not content_type.startswith("image/"):
                raise FetchError("not a picture", f"the server sent {content_type[:60]}")
            data = self._fetcher.body(response, MAX_IMAGE_BYTES, IMAGE_TIMEOUT_S)
        self._check_image(data)
        return data

    def _is_downloaded(self, path: Path) -> bool:
        if not path.is_file():
            return False
        try:
            self._check_image(path.read_bytes())
        except (OSError, FetchError):
            return False
        return True

    def _check_image(self, data: bytes) -> None:
        """Decode a whole picture, at the smallest scale. Raises FetchError, transient where bytes may be missing."""
        try:
            opened = images.open_image(data, "download", self._options.max_megapixels)
            images.upright_rgb(opened, "download", min_side_px=1)
        except BadImage as error:
            transient = error.reason in ("truncated", "damaged")
            raise FetchError(error.reason, error.detail, transient=transient) from error

    def _save(self, path: Path, data: bytes) -> None:
        draft = path.with_suffix(".part")
        with wrap_write_errors(self._folder):
            try:
                draft.write_bytes(data)
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)

    def _prepare_folder(self, photos: Iterable[Photo]) -> None:
        """Create the folder, and remove what this run does not need from it."""
        needed = {self.path(photo).name for photo in photos}
        with wrap_write_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            for path in self._folder.iterdir():
                if path.name not in needed:
                    path.unlink()
