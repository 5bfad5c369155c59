"""Errors of the disk or of LanceDB as a StoreError that says what happened, what was kept and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.disk import cause_and_advice
from core.errors import StoreError
from core.text import one_line

# KeyError and OverflowError: columns and dates of a damaged file.
_EXPECTED = (OSError, RuntimeError, ValueError, KeyError, OverflowError)


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
    except BaseException as error:
        if not isinstance(error, _EXPECTED) and not _is_panic(error):
            raise
        cause, advice = _explain(error)
        raise StoreError(f"{folder} {problem} ({cause}): {kept}; {advice}") from error


def _is_panic(error: BaseException) -> bool:
    """Whether LanceDB gave up on a file; such an error may be no Exception, and its type cannot be imported."""
    return type(error).__name__ in ("PanicException", "RustPanic")


def reason(error: BaseException) -> str:
    """What went wrong, in a few words: LanceDB's own end with a place in its source."""
    return one_line(str(error)).split(", /")[0][:200] or type(error).__name__


def _explain(error: BaseException) -> tuple[str, str]:
    advice = "try again; if it stays, `python -m core verify` says what is damaged"
    return cause_and_advice(error) or (reason(error), advice)
