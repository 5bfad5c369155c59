"""What can go wrong between here and an image server: which errors are transient, and how long to wait."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from core.errors import ContactSheetError
from core.text import counted

NOT_FOUND = "not found"
UNREACHABLE = "the server cannot be reached"
TOO_MANY = "too many requests"
FAILED = "the server failed"
CUT_OFF = "cut off"
TRANSIENT_STATUSES = (408, 425, 429, 500, 502, 503, 504)


class FetchError(ContactSheetError):
    """A request failed.

    `reason` is the same phrase for the same kind of error, so that errors can be counted; `transient` says whether
    another attempt may succeed, `retry_after_s` how many seconds the server asked to be left alone.
    """

    def __init__(self, reason: str, detail: str = "", transient: bool = False, retry_after_s: float = 0.0) -> None:
        self.reason, self.detail, self.transient, self.retry_after_s = reason, detail, transient, retry_after_s
        super().__init__(f"{reason} ({detail})" if detail else reason)


class AddressRefused(FetchError):
    """Nothing may be fetched from this address."""


def status_error(status: int, retry_after: str, now: datetime) -> FetchError | None:
    """The error that a status stands for; None for 200 and 206."""
    if status in (200, 206):
        return None
    if status in (404, 410):
        return FetchError(NOT_FOUND, f"status {status}")
    transient = status in TRANSIENT_STATUSES
    reason = TOO_MANY if status == 429 else FAILED if status >= 500 else "refused by the server"
    return FetchError(reason, f"status {status}", transient, parse_retry_after(retry_after, now) if transient else 0.0)


def parse_retry_after(text: str, now: datetime) -> float:
    """The seconds of a Retry-After header, a number or an HTTP date (RFC 9110, 10.2.3); 0 where it is neither."""
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


@contextmanager
def transport_errors(host: str) -> Iterator[None]:
    """Turn what sockets, TLS and http.client raise into a FetchError."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise FetchError("the certificate is not trusted", f"{host}: {error.verify_message}") from error
    except http.client.IncompleteRead as error:
        raise FetchError(CUT_OFF, f"{host}: {counted(len(error.partial), 'byte')} came", transient=True) from error
    except http.client.InvalidURL as error:
        raise FetchError("not an address that can be fetched", host) from error
    except TimeoutError as error:
        raise FetchError(UNREACHABLE, f"{host}: no answer in time", transient=True) from error
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(UNREACHABLE, f"{host}: {error or type(error).__name__}"[:200], transient=True) from error
