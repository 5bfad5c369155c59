"""Errors of the disk or of LanceDB as a StoreError that says what happened, what was kept and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.disk import cause_and_advice
from core.errors import StoreError
from core.text import one_line


@contextmanager
def wrap_write_errors(folder: Path) -> Iterator[None]:
    """Around a write below `folder`: raises StoreError for whatever the disk or LanceDB raise."""
    with _wrap_errors(folder, "could not be written", "what was committed before is kept"):
        yield


@contextmanager
def wrap_read_errors(folder: Path) -> Iterator[None]:
    """Around a read below `folder`: raises StoreError for whatever the disk or LanceDB raise."""
    with _wrap_errors(folder, "could not be read", "nothing was changed"):
        yield


@contextmanager
def _wrap_errors(folder: Path, problem: str, kept: str) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        cause, advice = _explain(error)
        raise StoreError(f"{folder} {problem} ({cause}): {kept}; {advice}") from error


def _explain(error: Exception) -> tuple[str, str]:
    if known := cause_and_advice(error):
        return known
    cause = one_line(str(error)).split(", /")[0][:200] or type(error).__name__
    return cause, "try again, and restore the folder from a backup if it stays"
