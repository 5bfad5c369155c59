"""Uploads are decided on before their first byte is read, and cut off where they grow beyond what was allowed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.api.guards import SafeHeaders
from core.errors import ContactSheetError, NotAllowed, TooManyTries, UploadTooLarge
from core.logs import log
from core.upload_permits import FRAMING_BYTES, HeldBytes, UploadGrant, UploadPermits

UPLOAD_PATH = "/_stcore/upload_file/"
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})  # these bring no file


@dataclass(frozen=True)
class UploadGuard:
    """ASGI middleware around the server of pages: what comes to Streamlit's upload route has to be permitted.

    The route itself takes files from every session, whether its page shows an uploader or not. Refusals are 403 (this
    session may not), 413 (too large, or too much at once), 429 (too often) and 400 (a Content-Length that is none); the
    body is not read for any of them, unless its length was not known or a lie.
    """

    app: ASGIApp
    permits: Callable[[], UploadPermits]
    held: HeldBytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or UPLOAD_PATH not in scope["path"] or scope["method"] in READING_METHODS:
            await self.app(scope, receive, send)
            return
        session = scope["path"].partition(UPLOAD_PATH)[2].partition("/")[0]
        try:
            length = _content_length(scope)
            grant = await run_in_threadpool(lambda: self.permits().begin(session, length, self.held))
        except (ContactSheetError, ValueError) as error:
            await _refuse(error, scope, receive, send)
            return
        try:
            await self._stream(grant, scope, receive, send)
        finally:
            self.permits().end(grant)

    async def _stream(self, grant: UploadGrant, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the body on until it is longer than allowed; the rest of it is not read."""
        left, answered = grant.max_bytes + FRAMING_BYTES, False

        async def limited_receive() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _TooLong
            return message

        async def noted_send(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self.app(scope, limited_receive, noted_send)
        except _TooLong:
            if not answered:
                text = f"more than {grant.max_bytes:,} bytes came: choose a smaller file"
                await _refuse(UploadTooLarge(text), scope, receive, send)


class _TooLong(Exception):
    """More came than was allowed; no error of anyone's, so that nothing on the way takes it for one of its own."""


def _content_length(scope: Scope) -> int | None:
    """The length that a request claims to have, None if it claims none. Raises ValueError."""
    claimed = Headers(scope=scope).getlist("content-length")
    if not claimed:
        return None
    if len(claimed) != 1 or not (claimed[0].isascii() and claimed[0].isdigit()):
        raise ValueError
    return int(claimed[0])


async def _refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 503)
    text = "The Content-Length is not a number." if isinstance(error, ValueError) else str(error)
    log("api", "upload refused", logging.WARNING, status=status, reason=text)
    headers = {"Connection": "close"}
    if isinstance(error, TooManyTries):
        headers["Retry-After"] = str(round(error.wait_s) or 1)
    await SafeHeaders(PlainTextResponse(text, status, headers))(scope, receive, send)


STATUS: dict[type[Exception], int] = {NotAllowed: 403, UploadTooLarge: 413, TooManyTries: 429, ValueError: 400}
