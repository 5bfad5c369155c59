"""What can go wrong between here and a hub: which errors are transient, and how to explain them to people."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import (
    FileMetadataError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import parse_ratelimit_headers

from core.disk import is_full
from core.retry import RetryPolicy, with_retries

ATTEMPTS = 3  # in a row without receiving a byte
BACKOFF_S = 1.0  # before the first retry, then doubled
MAX_WAIT_S = 30.0  # that a server may ask for
DOWNLOAD_ERRORS = (httpx2.HTTPError, httpx2.InvalidURL, OSError)
TRANSIENT_STATUSES = (408, 429, 500, 502, 503, 504)

Result = TypeVar("Result")


class ContentMismatch(OSError):
    """A complete file differs from what the hub announced."""


def with_hub_retries(
    attempt: Callable[[], Result],
    transient: type[Exception] | tuple[type[Exception], ...],
    received: Callable[[], int] = lambda: 0,
) -> Result:
    """The result of `attempt`, repeated after `transient` errors; a row of them ends when `received()` bytes grow.

    A hub's answer is transient only if its status is. Raises the last error.
    """
    policy = RetryPolicy(
        is_transient=lambda error: isinstance(error, transient) and _may_pass(error),
        attempts=ATTEMPTS,
        first_wait_s=BACKOFF_S,
        asked_s=_asked_s,
        max_asked_s=MAX_WAIT_S,
    )
    return with_retries(attempt, policy, "a request to the model hub", received=received)


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
            return _explain_disk(error), "make room there, or set HF_HOME to another folder"
        case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.ProxyError():
            reason = str(error).strip() or "no answer"
            return f"it cannot be reached ({reason})", f"connect to the network and {again}, or choose another model"
        case httpx2.TimeoutException():
            limits_s = error.request.extensions["timeout"]
            return f"nothing arrived for {limits_s['read']:g} s", f"check the network and {again}"
    return f"the connection failed ({error})", f"check the network and {again}"


def _explain_disk(error: OSError) -> str:
    place, reason = error.filename or constants.HF_HUB_CACHE, error.strerror
    if is_full(error):
        told = reason not in (None, os.strerror(error.errno or 0))
        reason = f"the disk is full ({reason})" if told else "the disk is full"
    return f"{place}: {reason}"


def _explain_status(error: HfHubHTTPError, repository: str, names: tuple[str, ...]) -> tuple[str, str]:
    status = error.response.status_code
    if isinstance(error, RemoteEntryNotFoundError):
        return f"{repository} holds no {' or '.join(names)}", "choose another model"
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403, 404):
        what = f"there is no repository {repository}, or it is not open to everyone (status {status})"
        return what, "check the name, or set HF_TOKEN to a token that may read it"
    return f"it answers with status {status}", "try again later"


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, HfHubHTTPError) or error.response.status_code in TRANSIENT_STATUSES


def _asked_s(error: Exception) -> float:
    """Seconds that the hub asks to be left alone; 0 if it does not ask."""
    if not isinstance(error, HfHubHTTPError):
        return 0.0
    headers = error.response.headers
    limit, after = parse_ratelimit_headers(headers), headers.get("Retry-After", "")
    return float(after) if after.isdigit() else float(limit.reset_in_seconds) if limit else 0.0
