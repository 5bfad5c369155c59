"""Which sessions of pages may upload what: asked before the first byte of a file is read."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from core.access import Access, Action, Person
from core.cache import LruCache
from core.errors import NotAllowed, TooManyTries, UploadTooLarge
from core.settings import Settings
from core.store.sql.rate_limits import RateLimits

UploadKind = Literal["query", "collection"]
HeldBytes = Callable[[Iterable[str]], int]

PERMIT_S = 12 * 3600.0
MAX_SESSIONS = 10_000
MINUTE_S, QUERY_UPLOADS_PER_MINUTE = 60.0, 20
# Files that lie in memory until their page is done with them.
QUERY_FILES_HELD, COLLECTION_FILES_HELD = 3, 20
FRAMING_BYTES = 64 * 1024  # what a form adds around its one file
BYTES_PER_MB = 1024 * 1024  # as Streamlit counts, whose uploader shows the limit


@dataclass(frozen=True)
class UploadGrant:
    """An upload that may begin: of at most `max_bytes`, and `expected_bytes` if its length is true.

    Give it to `UploadPermits.end` when it is over.
    """

    session: str
    kind: UploadKind
    max_bytes: int
    expected_bytes: int


@dataclass
class _Session:
    """What a session's pages offered, to whom and when; and the bytes that its uploads may still bring."""

    offers: dict[UploadKind, tuple[Person, float]] = field(default_factory=dict)
    coming: list[int] = field(default_factory=list)


class UploadPermits:
    """The sessions whose pages show an uploader, in this process. May be shared between threads.

    A page offers an upload when it shows the uploader. Whether its person may add pictures is asked again at every
    upload: a role that has ended lets nothing through.
    """

    def __init__(
        self, access: Access, rates: RateLimits, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._access, self._rates, self._settings, self._clock = access, rates, settings, clock
        self._lock, self._sessions = threading.Lock(), LruCache[str, _Session](MAX_SESSIONS)

    def offer(self, session: str, person: Person, kind: UploadKind) -> None:
        """From now on this session may upload files of this kind: a picture to search by, or files of curators."""
        with self._lock:
            known = self._sessions.setdefault(session, _Session())
            known.offers[kind] = person, self._clock() + PERMIT_S

    def withdraw(self, session: str, kind: UploadKind) -> None:
        """This session may upload no more files of this kind."""
        with self._lock:
            self._known(session).offers.pop(kind, None)

    def begin(self, session: str, length: int | None, held: HeldBytes) -> UploadGrant:
        """Allow an upload of `length` bytes (None: not known); `held` tells the bytes in memory of some sessions.

        Raises NotAllowed, UploadTooLarge, TooManyTries.
        """
        with self._lock:
            person, kind = self._offer(session)
            max_bytes = self._max_bytes(kind)
            grant = UploadGrant(session, kind, max_bytes, max_bytes if length is None else min(length, max_bytes))
            self._check_size(grant, length)
            self._check_held(grant, person, held)
            self._known(session).coming.append(grant.expected_bytes)
        try:
            self._check_rate(person, kind)
        except BaseException:
            self.end(grant)
            raise
        return grant

    def end(self, grant: UploadGrant) -> None:
        """The upload is over, however it ended."""
        with self._lock:
            known = self._known(grant.session)
            if grant.expected_bytes in known.coming:
                known.coming.remove(grant.expected_bytes)

    def _known(self, session: str) -> _Session:
        """What is known of a session, which may be nothing."""
        return self._sessions.get(session) or _Session()

    def _offer(self, session: str) -> tuple[Person, UploadKind]:
        offers = self._known(session).offers.items()
        current = {kind: person for kind, (person, until) in offers if until > self._clock()}
        curator = current.get("collection")
        if curator is not None and self._access.role(curator) >= Action.ADD_PICTURES.role:
            return curator, "collection"
        if "query" in current:
            return current["query"], "query"
        raise NotAllowed("this session may upload nothing: open the page with the uploader again")

    def _max_bytes(self, kind: UploadKind) -> int:
        mb = self._settings.query_picture_mb if kind == "query" else self._settings.upload_mb
        return mb * BYTES_PER_MB

    def _check_size(self, grant: UploadGrant, length: int | None) -> None:
        if length is not None and length > grant.max_bytes + FRAMING_BYTES:
            raise UploadTooLarge(
                f"{length:,} bytes are too many, the limit is {grant.max_bytes:,}: choose a smaller file"
            )

    def _check_held(self, grant: UploadGrant, person: Person, held: HeldBytes) -> None:
        if grant.kind == "collection":
            sessions, files = [grant.session], COLLECTION_FILES_HELD
        else:
            sessions, files = self._sessions_of(person), QUERY_FILES_HELD
            if self._known(grant.session).coming:
                raise TooManyTries("another picture is being uploaded: wait for it to end", 1.0)
        coming = sum(sum(self._known(session).coming) for session in sessions)
        if held(sessions) + coming + grant.expected_bytes > files * grant.max_bytes:
            raise UploadTooLarge("too many files are waiting already: use or remove those first")

    def _sessions_of(self, person: Person) -> list[str]:
        """The sessions of the same visitor or account that may upload pictures to search by."""
        return [
            name
            for name, known in self._sessions.items()
            if "query" in known.offers and known.offers["query"][0].quota_key == person.quota_key
        ]

    def _check_rate(self, person: Person, kind: UploadKind) -> None:
        if kind == "query" and not self._access.is_curator(person):
            wait_s = self._rates.take("upload", person.quota_key, QUERY_UPLOADS_PER_MINUTE, MINUTE_S)
            if wait_s is not None:
                text = f"{QUERY_UPLOADS_PER_MINUTE} pictures a minute are the limit: try again in {math.ceil(wait_s)} s"
                raise TooManyTries(text, wait_s)
