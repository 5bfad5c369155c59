"""What leaves an event besides searches: work that is watched while it is done, or told of afterwards."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from core.telemetry.events import Event, EventLog
from core.telemetry.stages import Stages

# What stages (ms) cost: (CLIP, compute) in USD.
Cost = Callable[[Mapping[str, float]], tuple[float, float]]


@dataclass
class Request:
    """What one under way says of itself: pictures decoded or handed over, and anything else."""

    images: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


Watch = Callable[[str, str], AbstractContextManager[Request]]


def unwatched(_kind: str, _collection: str) -> AbstractContextManager[Request]:
    """For those who leave no events."""
    return nullcontext(Request())


class Requests:
    """Writes the events of requests. May be shared between threads."""

    def __init__(
        self, events: EventLog, cost: Cost, clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._events, self._cost, self._clock, self._now = events, cost, clock, now

    @contextmanager
    def watching(self, kind: str, collection: str = "") -> Iterator[Request]:
        """Time what is done inside and write its event, also when it raises; all of it is compute."""
        stages, request, reason = Stages(self._clock), Request(), ""
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
        stages, reason = Stages(self._clock), ""
        try:
            yield
        except Exception as error:
            reason = type(error).__name__
            raise
        finally:
            self._write("page", "", stages.finish(), (0.0, 0.0), Request(detail={"page": page}), reason)

    def done(
        self, kind: str, collection: str, stage_ms: Mapping[str, float], request: Request, reason: str = ""
    ) -> None:
        """Write the event of something that was done; `reason` says why it failed, where it did."""
        self._write(kind, collection, stage_ms, self._cost(stage_ms), request, reason)

    def _write(
        self, kind: str, collection: str, stage_ms: Mapping[str, float], usd: tuple[float, float], request: Request,
        reason: str,
    ) -> None:  # fmt: skip
        self._events.note(Event(
            uuid.uuid4().hex, kind, self._now(), collection, "error" if reason else "ok", reason, stage_ms,
            clip_usd=usd[0], compute_usd=usd[1], detail=request.detail, images=request.images,
        ))  # fmt: skip
