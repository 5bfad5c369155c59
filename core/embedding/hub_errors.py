"""What can go wrong between here and a hub: which faults pass when one waits, and how to say it to people."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import httpx2
from huggingface_hub.errors import (
    FileMetadataError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import parse_ratelimit_headers

RETRIES = 2  # in a row that bring no byte
BACKOFF_S = 1.0  # before the first of them, then doubled
LONGEST_WAIT_S = 30.0  # that a server may ask for
FAULTS = (httpx2.HTTPError, httpx2.InvalidURL, OSError)
PASSING_STATUSES = (408, 429, 500, 502, 503, 504)

Result = TypeVar("Result")


class WrongBytes(OSError):
    """A file arrived whole and is not what the hub announced."""


def patiently(
    attempt: Callable[[], Result],
    passing: type[Exception] | tuple[type[Exception], ...],
    gained: Callable[[], int] = lambda: 0,
) -> Result:
    """What `attempt` gives; tried again after a fault of a kind that passes, while `gained()` grows or RETRIES last."""
    fruitless = 0
    while True:
        before = gained()
        try:
            return attempt()
        except passing as error:
            fruitless = 0 if gained() > before else fruitless + 1
            wait_s = _wait_s(error, fruitless)
            if fruitless > RETRIES or wait_s is None:
                raise
        time.sleep(wait_s)


def explain(error: Exception, repository: str, names: tuple[str, ...]) -> tuple[str, str]:
    """What happened and what to do, in words for people who pick pictures. `error` is one of FAULTS."""
    if isinstance(error, HfHubHTTPError):
        return _explain_answer(error, repository, names)
    again = "run it again"
    match error:
        case OfflineModeIsEnabled():
            return "HF_HUB_OFFLINE is set, and the model is not in the cache", "unset HF_HUB_OFFLINE"
        case FileMetadataError():
            return "what answers there is no Hugging Face hub", "check HF_ENDPOINT and the network's sign-in page"
        case WrongBytes():
            return f"{error}, so it was removed", f"{again}; if it happens again, try another network"
        case OSError():
            return f"{error.filename}: {error.strerror}", "make room there, or set HF_HOME to another folder"
        case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.ProxyError():
            reason = str(error).strip() or "no answer"
            return f"it cannot be reached ({reason})", f"connect to the network and {again}, or choose another model"
        case httpx2.TimeoutException():
            limits_s = error.request.extensions["timeout"]
            return f"nothing arrived for {limits_s['read']:g} s", f"check the network and {again}"
    return f"the connection failed ({error})", f"check the network and {again}"


def _explain_answer(error: HfHubHTTPError, repository: str, names: tuple[str, ...]) -> tuple[str, str]:
    status = error.response.status_code
    if isinstance(error, RemoteEntryNotFoundError):
        return f"{repository} holds no {' or '.join(names)}", "choose another model"
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403, 404):
        what = f"there is no repository {repository}, or it is not open to everyone (status {status})"
        return what, "check the name, or set HF_TOKEN to a token that may read it"
    return f"it answers with status {status}", "try again later"


def _wait_s(error: Exception, fruitless: int) -> float | None:
    """Seconds until a retry makes sense; None if it does not."""
    asked_s = 0.0
    if isinstance(error, HfHubHTTPError):
        if error.response.status_code not in PASSING_STATUSES:
            return None
        headers = error.response.headers
        limit, after = parse_ratelimit_headers(headers), headers.get("Retry-After", "")
        asked_s = float(after) if after.isdigit() else float(limit.reset_in_seconds) if limit else 0.0
    return max(asked_s, BACKOFF_S * 2 ** max(fruitless - 1, 0)) if asked_s <= LONGEST_WAIT_S else None
