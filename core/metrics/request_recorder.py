"""Events of requests other than searches: timed while they run, or recorded afterwards."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from core.metrics.stage_timer import StageTimer
from core.records.events import Event
from core.store.sql.event_log import EventLog

# Maps stage times (ms) to costs: (CLIP, compute) in USD.
StageCost = Callable[[Mapping[str, float]], tuple[float, float]]


@dataclass
class RequestNotes:
    """What a running request reports about itself: the number of images decoded or returned, and details."""

    images: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


Recording = Callable[[str, str], AbstractContextManager[RequestNotes]]


def do_not_record(_kind: str, _collection: str) -> AbstractContextManager[RequestNotes]:
    """A `Recording` that writes no events."""
    return nullcontext(RequestNotes())


class RequestRecorder:
    """Writes the events of requests. May be shared between threads."""

    def __init__(
        self,
        events: EventLog,
        cost: StageCost,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._events, self._cost, self._clock, self._now = events, cost, clock, now

    @contextmanager
    def recording(self, kind: str, collection: str = "") -> Iterator[RequestNotes]:
        """Time the body and write its event, also if it raises; all of its time counts as compute."""
        stages, request, reason = StageTimer(self._clock), RequestNotes(), ""
        try:
            yield request
        except Exception as error:
            reason = type(error).__name__
            raise
        finally:
            took = stages.finish()
            self._write(kind, collection, took, self._cost({"work": took["total"]}), request, reason)

    @contextmanager
    def recording_page(self, page: str) -> Iterator[None]:
        """The same for rendering a page; its requests have their own events and costs, so it costs nothing."""
        stages, reason = StageTimer(self._clock), ""
        try:
            yield
        except Exception as error:
            reason = type(error).__name__
            raise
        finally:
            self._write("page", "", stages.finish(), (0.0, 0.0), RequestNotes(detail={"page": page}), reason)

    def record(
        self, kind: str, collection: str, stage_ms: Mapping[str, float], request: RequestNotes, reason: str = ""
    ) -> None:
        """Write the event of a finished request; `reason` says why it failed, empty if it did not."""
        self._write(kind, collection, stage_ms, self._cost(stage_ms), request, reason)

    def _write(
        self,
        kind: str,
        collection: str,
        stage_ms: Mapping[str, float],
        usd: tuple[float, float],
        request: RequestNotes,
        reason: str,
    ) -> None:
        self._events.try_append(
            Event(
                uuid.uuid4().hex,
                kind,
                self._now(),
                collection,
                "error" if reason else "ok",
                reason,
                stage_ms,
                clip_usd=usd[0],
                compute_usd=usd[1],
                detail=request.detail,
                images=request.images,
            )
        )
