"""What leaves an event besides searches: work that is watched while it is done, or told of afterwards."""

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

# What stages (ms) cost: (CLIP, compute) in USD.
StageCost = Callable[[Mapping[str, float]], tuple[float, float]]


@dataclass
class RequestNotes:
    """What one under way says of itself: pictures decoded or handed over, and anything else."""

    images: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


Recording = Callable[[str, str], AbstractContextManager[RequestNotes]]


def do_not_record(_kind: str, _collection: str) -> AbstractContextManager[RequestNotes]:
    """For those who leave no events."""
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
    def watching(self, kind: str, collection: str = "") -> Iterator[RequestNotes]:
        """Time what is done inside and write its event, also when it raises; all of it is compute."""
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
    def rendering(self, page: str) -> Iterator[None]:
        """The same for a page; what it asked for has events and costs of its own, so it has none."""
        stages, reason = StageTimer(self._clock), ""
        try:
            yield
        except Exception as error:
            reason = type(error).__name__
            raise
        finally:
            self._write("page", "", stages.finish(), (0.0, 0.0), RequestNotes(detail={"page": page}), reason)

    def done(
        self, kind: str, collection: str, stage_ms: Mapping[str, float], request: RequestNotes, reason: str = ""
    ) -> None:
        """Write the event of something that was done; `reason` says why it failed, where it did."""
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
        self._events.note(
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
