"""What can go wrong between here and a hub: which errors are transient, and how to explain them to people."""

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

MAX_RETRIES = 2  # in a row without receiving a byte
BACKOFF_S = 1.0  # before the first retry, then doubled
MAX_WAIT_S = 30.0  # that a server may ask for
DOWNLOAD_ERRORS = (httpx2.HTTPError, httpx2.InvalidURL, OSError)
TRANSIENT_STATUSES = (408, 429, 500, 502, 503, 504)

Result = TypeVar("Result")


class ContentMismatch(OSError):
    """A complete file differs from what the hub announced."""


def with_retries(
    attempt: Callable[[], Result],
    transient: type[Exception] | tuple[type[Exception], ...],
    received: Callable[[], int] = lambda: 0,
) -> Result:
    """The result of `attempt`, repeated after `transient` errors.

    Raises the error once MAX_RETRIES attempts in a row have not made `received()`, a number of bytes, grow.
    """
    failures = 0
    while True:
        received_before = received()
        try:
            return attempt()
        except transient as error:
            failures = 0 if received() > received_before else failures + 1
            wait_s = _wait_s(error, failures)
            if failures > MAX_RETRIES or wait_s is None:
                raise
        time.sleep(wait_s)


def explain(error: Exception, repository: str, names: tuple[str, ...]) -> tuple[str, str]:
    """What happened and what to do, for users. `error` is one of DOWNLOAD_ERRORS."""
    if isinstance(error, HfHubHTTPError):
        return _explain_status(error, repository, names)
    again = "run it again"
    match error:
        case OfflineModeIsEnabled():
            return "HF_HUB_OFFLINE is set, and the model is not in the cache", "unset HF_HUB_OFFLINE"
        case FileMetadataError():
            return "what answers there is no Hugging Face hub", "check HF_ENDPOINT and the network's sign-in page"
        case ContentMismatch():
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


def _explain_status(error: HfHubHTTPError, repository: str, names: tuple[str, ...]) -> tuple[str, str]:
    status = error.response.status_code
    if isinstance(error, RemoteEntryNotFoundError):
        return f"{repository} holds no {' or '.join(names)}", "choose another model"
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403, 404):
        what = f"there is no repository {repository}, or it is not open to everyone (status {status})"
        return what, "check the name, or set HF_TOKEN to a token that may read it"
    return f"it answers with status {status}", "try again later"


def _wait_s(error: Exception, failures: int) -> float | None:
    """Seconds until a retry makes sense; None if it does not."""
    retry_after_s = 0.0
    if isinstance(error, HfHubHTTPError):
        if error.response.status_code not in TRANSIENT_STATUSES:
            return None
        headers = error.response.headers
        limit, after = parse_ratelimit_headers(headers), headers.get("Retry-After", "")
        retry_after_s = float(after) if after.isdigit() else float(limit.reset_in_seconds) if limit else 0.0
    return max(retry_after_s, BACKOFF_S * 2 ** max(failures - 1, 0)) if retry_after_s <= MAX_WAIT_S else None
