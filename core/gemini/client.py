"""The Gemini client, the only module that knows google-generativeai: one request, and what replies and errors mean."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from typing import Any

from core.gemini.breaker import MAX_PAUSE_S
from core.gemini.failures import Cause, GeminiError
from core.gemini.prices import TokenUsage
from core.gemini.transport import GeminiReply, GeminiRequest
from core.settings import Secret

BLOCKED_REASONS = frozenset(
    {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "OTHER", "IMAGE_SAFETY"}
)
MAX_TOKENS = 10_000_000  # no model takes and gives that many in one request
CAUSE_BY_STATUS: dict[int, Cause] = {
    401: "bad_key",
    403: "forbidden",
    404: "retired",
    499: "unreachable",
    504: "timeout",
}


class GeminiClient:
    """Talks to Gemini over REST. May be shared between threads."""

    def __init__(self, key: Secret, endpoint: str = "") -> None:
        """`endpoint` replaces Google's own address. Nothing is imported or sent before the first request."""
        self.key, self._endpoint = key, endpoint
        self._lock = threading.Lock()
        self._service: tuple[Any, Any] | None = None

    def prepare(self) -> tuple[Any, Any]:
        """The service and its message types; the first call imports the SDK, which takes a second."""
        with self._lock:
            if self._service is None:
                self._service = _connect(self.key, self._endpoint)
            return self._service

    def generate(self, model: str, request: GeminiRequest, timeout_s: float) -> GeminiReply:
        """Send one request, which ends after `timeout_s`, and its connection with it.

        Raises GeminiError, whose message holds nothing that the server wrote.
        """
        service, protos = self.prepare()
        message = _message(protos, model, request)
        try:
            response = service.generate_content(message, retry=None, timeout=timeout_s)
        except Exception as error:  # noqa: BLE001 - the SDK raises what five layers below it raise
            raise _gemini_error(error) from None
        return _reply(response)


def _connect(key: Secret, endpoint: str) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it announces the end of its support
        import google.generativeai as genai
        from google.generativeai import client, protos
    from core.gemini.bounded_adapter import BoundedAdapter

    options = {"api_endpoint": endpoint} if endpoint else None
    genai.configure(api_key=key.reveal(), transport="rest", client_options=options)
    service = client.get_default_generative_client()
    session = service.transport._session
    session.max_redirects = 0  # it would send the key along to wherever a redirect leads
    session._max_refresh_attempts = 0  # after a 401 it would try twice again, each time with a new timeout
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter())
    return service, protos


def _message(protos: Any, model: str, request: GeminiRequest) -> Any:
    parts = [
        protos.Part(text=part)
        if isinstance(part, str)
        else protos.Part(inline_data=protos.Blob(mime_type="image/jpeg", data=part))
        for part in request.parts
    ]
    return protos.GenerateContentRequest(
        model=f"models/{model}",
        system_instruction=protos.Content(parts=[protos.Part(text=request.instruction)]),
        contents=[protos.Content(role="user", parts=parts)],
        generation_config=protos.GenerationConfig(
            response_mime_type="application/json",
            response_schema=_schema(protos, request.schema),
            max_output_tokens=request.max_output_tokens,
            temperature=0.0,
        ),
    )


def _schema(protos: Any, schema: Mapping[str, Any]) -> Any:
    items = schema.get("items")
    return protos.Schema(
        type_=protos.Type[schema["type"]],
        properties={name: _schema(protos, inner) for name, inner in schema.get("properties", {}).items()},
        items=_schema(protos, items) if items else None,
        required=schema.get("required", []),
    )


def _reply(response: Any) -> GeminiReply:
    usage = _usage(response.usage_metadata)
    if not response.candidates:
        block_reason = response.prompt_feedback.block_reason
        raise GeminiError(
            "blocked" if block_reason else "malformed", f"no candidates ({_enum_name(block_reason)})", usage=usage
        )
    candidate = response.candidates[0]
    reason = _enum_name(candidate.finish_reason)
    text = "".join(part.text for part in candidate.content.parts)
    if reason in BLOCKED_REASONS:
        raise GeminiError("blocked", f"finishReason {reason}", usage=usage)
    if reason == "MAX_TOKENS":
        raise GeminiError("truncated", f"{len(text)} characters", usage=usage)
    if not text:
        raise GeminiError("malformed", f"no text, finishReason {reason}", usage=usage)
    return GeminiReply(text, usage, response.model_version)


def _enum_name(value: Any) -> str:
    """The name of an enum's value; a number that the SDK does not know stays a number."""
    return str(getattr(value, "name", value))


def _usage(metadata: Any) -> TokenUsage | None:
    """The usage a reply reports, None if it reports none, or one that cannot be true.

    The SDK drops the thoughts, the total includes them.
    """
    prompt, output = metadata.prompt_token_count, metadata.candidates_token_count
    cached, total = metadata.cached_content_token_count, metadata.total_token_count
    possible = 0 <= cached <= prompt and prompt > 0 and output >= 0 and prompt + output <= total <= MAX_TOKENS
    return TokenUsage(prompt, cached, output, total - prompt - output) if possible else None


def _gemini_error(error: Exception) -> GeminiError:
    from google.api_core.exceptions import GoogleAPICallError
    from requests import exceptions as http
    from urllib3.exceptions import NewConnectionError, ProxyError, SSLError

    from core.gemini.bounded_adapter import RefusedReply

    if isinstance(error, GoogleAPICallError):
        return _error_of_status(int(error.code or 0), _details(error))
    if isinstance(error, RefusedReply):
        return GeminiError("malformed", str(error), usage=None)
    if isinstance(error, http.ConnectTimeout):
        return GeminiError("unreachable", "no connection")
    if isinstance(error, http.Timeout):
        return GeminiError("timeout", usage=None)
    if isinstance(error, http.ConnectionError) and error.args:
        never_sent = isinstance(getattr(error.args[0], "reason", None), NewConnectionError | ProxyError | SSLError)
        return GeminiError(
            "unreachable",
            "no connection" if never_sent else "connection lost",
            usage=TokenUsage() if never_sent else None,
        )
    if isinstance(error, http.RequestException):
        return GeminiError("unreachable", type(error).__name__, usage=None)
    return GeminiError("malformed", type(error).__name__, usage=None)


def _details(error: Any) -> dict[str, Mapping[str, Any]]:
    """The details of an error by their kind, such as `RetryInfo`."""
    found = [detail for detail in error.details or () if isinstance(detail, Mapping)]
    return {str(detail.get("@type", "")).rpartition(".")[2]: detail for detail in found}


def _error_of_status(status: int, details: Mapping[str, Mapping[str, Any]]) -> GeminiError:
    detail = f"HTTP {status}"
    if status == 429:
        per_day = any("PerDay" in quota for quota in _quotas(details))
        return GeminiError("quota_day" if per_day else "quota_minute", detail, _seconds(details.get("RetryInfo", {})))
    if status == 400 and details.get("ErrorInfo", {}).get("reason") == "API_KEY_INVALID":
        return GeminiError("bad_key", detail)
    if status in CAUSE_BY_STATUS:
        return GeminiError(CAUSE_BY_STATUS[status], detail)
    return GeminiError("overloaded" if status >= 500 else "refused", detail, _seconds(details.get("RetryInfo", {})))


def _quotas(details: Mapping[str, Mapping[str, Any]]) -> list[str]:
    violations = details.get("QuotaFailure", {}).get("violations")
    if not isinstance(violations, list):
        return []
    return [str(v.get("quotaId", "")) for v in violations if isinstance(v, Mapping)]


def _seconds(retry_info: Mapping[str, Any]) -> float | None:
    """`37s` or `0.25s` as seconds; nobody is waited for longer than the circuit breaker's longest pause."""
    text = str(retry_info.get("retryDelay", "")).removesuffix("s")
    try:
        seconds = float(text)
    except ValueError:
        return None
    return min(seconds, MAX_PAUSE_S) if seconds >= 0 else None
