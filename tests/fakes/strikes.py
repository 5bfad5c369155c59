"""A process that is killed (SIGKILL) while it is in a stage of its work, which it announces to whoever strikes.

Whenever the stage is entered or left, a line is written to a pipe; at one entry it may stay there.
"""

from __future__ import annotations

import os
import random
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from tests.fakes.child_processes import FORKS

LINGER_S, DEADLINE_S = 120.0, 60.0
ENTER, LEAVE, PROMISE = b"enter\n", b"leave\n", b"promise\n"

# Functions of a stage, each as its owner (module or class) and name.
Stage = tuple[tuple[Any, str], ...]


@dataclass(frozen=True)
class Kill:
    """Where to strike: at the nth entry into a stage, `delay_ms` later, while the child lingers there or works on."""

    stage: str
    entry: int
    delay_ms: float
    lingers: bool


@dataclass(frozen=True)
class Struck:
    """What a strike did: whether the process was `killed` and whether it was `inside` the stage then.

    `promised`: it had called `promise` before.
    """

    killed: bool
    inside: bool
    promised: bool


class Announcer:
    """Wraps functions so that every entry and exit is announced, and one entry lingers."""

    def __init__(self, pipe: int, linger_at: int) -> None:
        self._pipe, self._linger_at, self._entries, self._lock = pipe, linger_at, 0, threading.Lock()

    def announce(self, stage: Stage) -> None:
        for owner, name in stage:
            setattr(owner, name, self.wrap(getattr(owner, name)))

    def promise(self) -> None:
        """Tell whoever strikes that something was promised."""
        os.write(self._pipe, PROMISE)

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def announced(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self._entries += 1
                entry = self._entries
                os.write(self._pipe, ENTER)
            if entry == self._linger_at:
                time.sleep(LINGER_S)
            try:
                return function(*args, **kwargs)
            finally:
                os.write(self._pipe, LEAVE)

        return announced


class Victim:
    """A process that runs `work(*arguments, stage, announcer)`, ready to be struck."""

    def __init__(self, work: Callable[..., None], arguments: tuple[Any, ...], kill: Kill) -> None:
        self._kill, self._seen = kill, b""
        reading, writing = FORKS.Pipe(duplex=False)
        linger_at = kill.entry if kill.lingers else 0
        self._pipe: Connection = reading
        self._process: ForkServerProcess = FORKS.Process(
            target=_run, args=(work, arguments, kill.stage, linger_at, writing)
        )
        self._process.start()
        writing.close()

    def strike(self) -> Struck:
        """Kill it at its moment; it may have ended before, or left the stage."""
        self._read_until(self._kill.entry)
        time.sleep(self._kill.delay_ms / 1000)
        self._process.kill()
        self._finish()
        killed = self._process.exitcode == -signal.SIGKILL
        inside = killed and self._seen.count(ENTER) > self._seen.count(LEAVE)
        return Struck(killed, inside, PROMISE in self._seen)

    def wait(self) -> None:
        """Let it come to its end."""
        self._finish()
        assert self._process.exitcode == 0

    def _read_until(self, entries: int) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while self._seen.count(ENTER) < entries:
            ready, _, _ = select.select([self._pipe], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"the child announced {self._seen.count(ENTER)} entries in {DEADLINE_S:g} s, not {entries}"
            part = os.read(self._pipe.fileno(), 1 << 16)
            assert part, f"the child ended after {self._seen.count(ENTER)} of {entries} entries"
            self._seen += part

    def _finish(self) -> None:
        while part := os.read(self._pipe.fileno(), 1 << 16):
            self._seen += part
        self._pipe.close()
        self._process.join(DEADLINE_S)


def strike(work: Callable[..., None], arguments: tuple[Any, ...], kill: Kill) -> Struck:
    """Start `work(*arguments, stage, announcer)` in a process of its own and kill it as `kill` says."""
    return Victim(work, arguments, kill).strike()


def kills(entries: dict[str, int], count: int, seed: int, longest_ms: float = 4.0) -> list[Kill]:
    """`count` seeded kills, going round the stages; `entries` says how often each is entered, at least.

    Half of them linger in the stage; the others work on, and may have left it when they are struck.
    """
    rng, stages = random.Random(seed), list(entries)
    return [
        Kill(
            stage=(stage := stages[number % len(stages)]),
            entry=rng.randint(1, entries[stage]),
            delay_ms=rng.uniform(0, longest_ms),
            lingers=number // len(stages) % 2 == 0,
        )
        for number in range(count)
    ]


def _run(work: Callable[..., None], arguments: tuple[Any, ...], stage: str, linger_at: int, pipe: Connection) -> None:
    work(*arguments, stage, Announcer(pipe.fileno(), linger_at))
