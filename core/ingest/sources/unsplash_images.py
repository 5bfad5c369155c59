"""The pictures of an Unsplash dataset, downloaded by many threads and handed over as they arrive.

A file gets its name only once it was checked, so what lies in the folder is whole; a run that was cut off finds it
there. Disk use is bounded: so many files lie ahead of the reader, and of those handed over only the last ones are kept,
for a run that is cut off before it committed them.
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
AHEAD = 4  # files per thread that may lie ready
TICK_S = 0.5
MAX_CONSECUTIVE_FAILURES = 50  # photos in a row that are the server's fault, not their own
SERVER_FAILURES = (UNREACHABLE, TOO_MANY, FAILED)


@dataclass(frozen=True)
class DownloadOptions:
    """`width` of the pictures in pixels; `threads` that download; `kept` files that stay once they were handed over."""

    width: int
    threads: int
    kept: int
    max_megapixels: float


class PhotoDownloads:
    """Photos as files in a folder of its own. `tick` is called while nothing arrives; it may raise to give up."""

    def __init__(self, fetcher: Fetcher, folder: Path, sizes: DownloadOptions, tick: Callable[[], None]) -> None:
        self._fetcher, self._folder, self._sizes, self._tick = fetcher, folder, sizes, tick
        self._lost_in_a_row = 0

    def path(self, photo: Photo) -> Path:
        """Where a photo's picture lies; ids that differ by case alone stay apart on any file system."""
        mark = hashlib.sha256(photo.id.encode()).hexdigest()[:8]
        return self._folder / f"{photo.id}-{mark}-{self._sizes.width}.jpg"

    def arriving(self, photos: Sequence[Photo]) -> Generator[Path | Failure, None, None]:
        """Each photo's file as soon as it is there, or why it cannot be had, in the order in which they come.

        Raises ContactSheetError when the server gives nothing any more, StoreError when the disk takes no more.
        """
        self._tidy(photos)
        handed_over: deque[Path] = deque()
        pool = ThreadPoolExecutor(self._sizes.threads, thread_name_prefix="unsplash")
        try:
            for item in self._completed(pool, photos):
                if isinstance(item, Path):
                    handed_over.append(item)
                    if len(handed_over) > self._sizes.kept:
                        handed_over.popleft().unlink(missing_ok=True)
                yield item
        finally:
            self._fetcher.stop()
            pool.shutdown(cancel_futures=True)

    def _completed(self, pool: ThreadPoolExecutor, photos: Iterable[Photo]) -> Iterator[Path | Failure]:
        source, depth = iter(photos), AHEAD * self._sizes.threads
        waiting: set[Future[Path | Failure]] = set()
        while True:
            waiting |= {pool.submit(self._bring, photo) for photo in islice(source, depth - len(waiting))}
            if not waiting:
                return
            done, waiting = wait(waiting, TICK_S, FIRST_COMPLETED)
            if not done:
                self._tick()
            for future in done:
                yield self._unless_hopeless(future.result())

    def _unless_hopeless(self, item: Path | Failure) -> Path | Failure:
        lost = isinstance(item, Failure) and item.reason in SERVER_FAILURES
        self._lost_in_a_row = self._lost_in_a_row + 1 if lost else 0
        if self._lost_in_a_row >= MAX_CONSECUTIVE_FAILURES and isinstance(item, Failure):
            raise ContactSheetError(
                f"{MAX_CONSECUTIVE_FAILURES} photos in a row could not be downloaded: {item.reason} ({item.detail}); what was "
                "committed is kept: check the network and run it again later"
            )
        return item

    def _bring(self, photo: Photo) -> Path | Failure:
        path = self.path(photo)
        try:
            if not self._lies_ready(path):
                self._keep(path, self._fetcher.with_retries(lambda: self._download(photo)))
            return path
        except FetchError as fault:
            return Failure(photo.uri, fault.reason, f"photo {photo.id}: {fault.detail}")

    def _download(self, photo: Photo) -> bytes:
        with self._fetcher.get(photo.sized(self._sizes.width), {"Accept": "image/*"}) as response:
            kind = response.headers.get_content_type()
            if not kind.startswith("image/"):
                raise FetchError("not a picture", f"the server sent {kind[:60]}")
            data = self._fetcher.body(response, MAX_IMAGE_BYTES, IMAGE_TIMEOUT_S)
        self._check(data)
        return data

    def _lies_ready(self, path: Path) -> bool:
        if not path.is_file():
            return False
        try:
            self._check(path.read_bytes())
        except (OSError, FetchError):
            return False
        return True

    def _check(self, data: bytes) -> None:
        """Decode a picture to its end, at the smallest scale. Raises Fault, which passes where bytes may be missing."""
        try:
            opened = images.open_image(data, "download", self._sizes.max_megapixels)
            images.upright_rgb(opened, "download", enough_px=1)
        except BadImage as error:
            raise FetchError(error.reason, error.detail, transient=error.reason in ("truncated", "damaged")) from error

    def _keep(self, path: Path, data: bytes) -> None:
        draft = path.with_suffix(".part")
        with wrap_write_errors(self._folder):
            draft.write_bytes(data)
            draft.replace(path)

    def _tidy(self, photos: Iterable[Photo]) -> None:
        """Have the folder, and nothing in it that this run does not want."""
        wanted = {self.path(photo).name for photo in photos}
        with wrap_write_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            for path in self._folder.iterdir():
                if path.name not in wanted:
                    path.unlink()
