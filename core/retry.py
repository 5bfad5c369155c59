"""Trying again after failures that may pass: one policy and one loop for everything that does."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from core.errors import ContactSheetError
from core.logs import log
from core.text import one_line

MAX_DOUBLINGS = 64  # no wait is that long, and no power of it overflows

Result = TypeVar("Result")


@dataclass(frozen=True)
class RetryTimes:
    """Where a retry gets its time and its randomness from: `draw` gives a number in [0, 1).

    `sleep` may raise to give up, as one does that has been cancelled; the error is raised as it is.
    """

    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random


@dataclass(frozen=True)
class RetryPolicy:
    """Which failures are tried again, how often, and after what wait.

    The wait after the n-th failure in a row is `first_wait_s * factor ** (n - 1)`, times a random factor from
    1 - jitter to 1 + jitter, and at most `max_wait_s`; or `asked_s(error)`, what the other side asks for, if that is
    longer. Nothing is tried again if it asks for more than `max_asked_s`, or if no more than `last_attempt_s` of
    `deadline_s` would be left after the wait.
    """

    is_transient: Callable[[Exception], bool]
    attempts: float = math.inf  # in a row without progress
    first_wait_s: float = 1.0
    factor: float = 2.0
    max_wait_s: float = math.inf
    jitter: float = 0.0
    asked_s: Callable[[Exception], float] = lambda _: 0.0
    max_asked_s: float = math.inf
    deadline_s: float = math.inf
    last_attempt_s: float = 0.0

    def allows_retry(self, error: Exception, failures: int) -> bool:
        """Whether to try again after this error, which is the `failures`-th in a row."""
        return failures < self.attempts and self.is_transient(error) and self.asked_s(error) <= self.max_asked_s

    def wait_s(self, failures: int, draw: float, asked_s: float = 0.0) -> float:
        """Seconds to wait after so many failures in a row; `draw` in [0, 1) is the random part."""
        growing_s = self.first_wait_s * self.factor ** min(failures - 1, MAX_DOUBLINGS)
        return max(asked_s, min(growing_s * (1 + self.jitter * (2 * draw - 1)), self.max_wait_s))

    def is_over(self, elapsed_s: float, wait_s: float) -> bool:
        """Whether too little of the deadline would be left after the wait."""
        return elapsed_s + wait_s + self.last_attempt_s >= self.deadline_s


def with_retries(
    attempt: Callable[[], Result],
    policy: RetryPolicy,
    what: str,
    times: RetryTimes = RetryTimes(),
    received: Callable[[], int] = lambda: 0,
) -> Result:
    """The result of `attempt`, repeated as the policy says; raises its last error as it is.

    An attempt that fails but makes `received()` grow, a number of bytes, is the first failure of a new row. `what` is
    tried again says the log, once for each retry.
    """
    row = _Row(policy, what, times, received)
    return Retrying(
        before=row.begin_attempt,
        retry=retry_if_exception(row.may_go_on),
        wait=row.wait_s,
        stop=row.is_over,
        before_sleep=row.log_retry,
        sleep=times.sleep,
        reraise=True,
    )(attempt)


class _Row:
    """The failures in a row of one call, as tenacity asks about them: in the order of the methods."""

    def __init__(self, policy: RetryPolicy, what: str, times: RetryTimes, received: Callable[[], int]) -> None:
        self._policy, self._what, self._times, self._received = policy, what, times, received
        self._began_s, self._failures, self._received_before = times.clock(), 0, 0
        self._error = Exception()

    def begin_attempt(self, _: RetryCallState) -> None:
        self._received_before = self._received()

    def may_go_on(self, error: BaseException) -> bool:
        if not isinstance(error, Exception):
            return False
        self._failures = 1 if self._received() > self._received_before else self._failures + 1
        self._error = error
        return self._policy.allows_retry(error, self._failures)

    def wait_s(self, _: RetryCallState) -> float:
        return self._policy.wait_s(self._failures, self._times.draw(), self._policy.asked_s(self._error))

    def is_over(self, state: RetryCallState) -> bool:
        return self._policy.is_over(self._times.clock() - self._began_s, state.upcoming_sleep)

    def log_retry(self, state: RetryCallState) -> None:
        error = self._error
        # The texts of others may hold addresses with a token in them.
        cause = one_line(str(error)) if isinstance(error, ContactSheetError) else type(error).__name__
        failures, wait_s = self._failures, round(state.upcoming_sleep, 2)
        log("retry", f"{self._what} failed and is tried again", failures=failures, wait_s=wait_s, cause=cause)
