"""What a hostile or broken server may reply in place of Gemini: drips, floods, bombs, and usage that cannot be true."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

from tests.fakes.gemini_steps import AnswerStep, Step, StreamStep


def head(*lines: str, status: str = "200 OK") -> bytes:
    """The head of a JSON reply with more header lines."""
    return "\r\n".join((f"HTTP/1.1 {status}", "Content-Type: application/json", *lines, "", "")).encode()


_MB, _ENDLESS_MB = b" " * (1 << 20), 1 << 10
_BOMB = gzip.compress(bytes(16 << 20)) * 16  # 256 KB that gzip makes 256 MB of
_CHUNK_MB = b"100000\r\n" + _MB + b"\r\n"
HOSTILE: Mapping[str, Step] = {
    "silent": StreamStep(b"", times=3600, pause_s=0.05),
    "dripped-head": StreamStep(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", 3600, 0.05),
    "dripped-status": StreamStep(b"HTTP/1.1 ", b"2", 3600, 0.05),
    "dripped-body": AnswerStep(drip_s=20.0, drip_from_body=True),
    "dripped-until-closed": StreamStep(head("Connection: close"), b" ", 3600, 0.05),
    "dripped-continue": StreamStep(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 3600, 0.05),
    "dripped-error": StreamStep(head("Content-Length: 9000", status="503 No"), b" ", 3600, 0.05),
    "endless-body": StreamStep(head("Connection: close"), _MB, _ENDLESS_MB),
    "endless-chunks": StreamStep(head("Transfer-Encoding: chunked"), _CHUNK_MB, _ENDLESS_MB),
    "endless-chunk-size": StreamStep(head("Transfer-Encoding: chunked"), b"0" * (1 << 20), _ENDLESS_MB),
    "endless-error": StreamStep(head("Connection: close", status="429 No"), _MB, _ENDLESS_MB),
    "endless-header": StreamStep(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * (1 << 20), _ENDLESS_MB),
    "endless-headers": StreamStep(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 60_000 + b"\r\n", 16 * _ENDLESS_MB),
    "endless-continue": StreamStep(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000, 10_000),
    "gzip-bomb": StreamStep(head("Content-Encoding: gzip", "Connection: close") + _BOMB),
    "gzip-bomb-error": StreamStep(head("Content-Encoding: gzip", "Connection: close", status="503 No") + _BOMB),
    "huge-length": StreamStep(head("Content-Length: 1000000000000"), _MB, _ENDLESS_MB),
}
# Usage that no request can have had: these are read, and the request is charged at its maximum.
IMPOSSIBLE_USAGES: Mapping[str, Step] = {
    "usage-negative-prompt": AnswerStep(usage={"promptTokenCount": -2_000_000_000}),
    "usage-negative-output": AnswerStep(usage={"candidatesTokenCount": -400_000_000}),
    "usage-negative-cached": AnswerStep(usage={"cachedContentTokenCount": -400_000_000}),
    "usage-negative-total": AnswerStep(usage={"totalTokenCount": -1}),
    "usage-no-prompt": AnswerStep(usage={"promptTokenCount": 0}),
    "usage-cached-above-prompt": AnswerStep(usage={"cachedContentTokenCount": 2_000_000_000}),
    "usage-total-too-small": AnswerStep(usage={"totalTokenCount": 3}),
    "usage-huge": AnswerStep(usage={"totalTokenCount": 2**31 - 1}),
    "usage-zero": AnswerStep(usage=dict.fromkeys(("promptTokenCount", "candidatesTokenCount", "totalTokenCount"), 0)),
}
# The client's own library reads nothing of a reply with one of these.
UNREADABLE_USAGES: Mapping[str, Step] = {
    "usage-nan": AnswerStep(usage={"promptTokenCount": "NaN"}),
    "usage-bare-nan": AnswerStep(usage={"candidatesTokenCount": float("nan")}),
    "usage-infinite": AnswerStep(usage={"totalTokenCount": float("inf")}),
    "usage-text": AnswerStep(usage={"promptTokenCount": "many"}),
    "usage-fraction": AnswerStep(usage={"candidatesTokenCount": 0.5}),
    "usage-beyond-32-bits": AnswerStep(usage={"totalTokenCount": 10**30}),
    "usage-list": AnswerStep(usage={"promptTokenCount": [1]}),
}
