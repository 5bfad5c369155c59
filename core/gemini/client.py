"""google-generativeai, and nothing else of the house knows it: one request, and what every reply and error means."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from typing import Any

from core.gemini.calls import GeminiReply, GeminiRequest
from core.gemini.prices import TokenUsage
from core.gemini.refusals import Cause, GeminiFault
from core.settings import Secret

BLOCKED = frozenset(
    {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "OTHER", "IMAGE_SAFETY"}
)
BY_STATUS: dict[int, Cause] = {401: "bad_key", 403: "forbidden", 404: "retired", 499: "unreachable", 504: "timeout"}


class GeminiClient:
    """Speaks to Gemini over REST. May be shared between threads."""

    def __init__(self, key: Secret, endpoint: str = "") -> None:
        """`endpoint` is asked instead of Google's own address. Nothing is imported or sent before the first request."""
        self.key, self._endpoint = key, endpoint
        self._lock = threading.Lock()
        self._parts: tuple[Any, Any] | None = None

    def prepare(self) -> tuple[Any, Any]:
        """The service and its message types; the first call imports the SDK, which takes a second."""
        with self._lock:
            if self._parts is None:
                self._parts = _connected(self.key, self._endpoint)
            return self._parts

    def generate(self, model: str, question: GeminiRequest, timeout_s: float) -> GeminiReply:
        """One request. Raises GeminiFault; what it says holds nothing that the server wrote.

        The SDK gives up only when no byte comes for `timeout_s`, so a reply may take longer: keep a deadline.
        """
        service, protos = self.prepare()
        request = _request(protos, model, question)
        try:
            response = service.generate_content(request, retry=None, timeout=timeout_s)
        except Exception as error:  # noqa: BLE001 - the SDK raises what five layers below it raise
            raise _fault(error) from None
        return _reply(response)


def _connected(key: Secret, endpoint: str) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it announces the end of its support
        import google.generativeai as genai
        from google.generativeai import client, protos
    options = {"api_endpoint": endpoint} if endpoint else None
    genai.configure(api_key=key.reveal(), transport="rest", client_options=options)
    service = client.get_default_generative_client()
    service.transport._session.max_redirects = 0  # it would send the key along to wherever a redirect leads
    return service, protos


def _request(protos: Any, model: str, question: GeminiRequest) -> Any:
    parts = [
        protos.Part(text=part)
        if isinstance(part, str)
        else protos.Part(inline_data=protos.Blob(mime_type="image/jpeg", data=part))
        for part in question.parts
    ]
    return protos.GenerateContentRequest(
        model=f"models/{model}",
        system_instruction=protos.Content(parts=[protos.Part(text=question.instruction)]),
        contents=[protos.Content(role="user", parts=parts)],
        generation_config=protos.GenerationConfig(
            response_mime_type="application/json",
            response_schema=_schema(protos, question.schema),
            max_output_tokens=question.most_output_tokens,
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
        blocked = response.prompt_feedback.block_reason
        raise GeminiFault("blocked" if blocked else "malformed", f"no candidates ({_name(blocked)})", usage=usage)
    candidate = response.candidates[0]
    reason = _name(candidate.finish_reason)
    text = "".join(part.text for part in candidate.content.parts)
    if reason in BLOCKED:
        raise GeminiFault("blocked", f"finishReason {reason}", usage=usage)
    if reason == "MAX_TOKENS":
        raise GeminiFault("truncated", f"{len(text)} characters", usage=usage)
    if not text:
        raise GeminiFault("malformed", f"no text, finishReason {reason}", usage=usage)
    return GeminiReply(text, usage, response.model_version)


def _name(value: Any) -> str:
    """The name of an enum's value; a number that the SDK does not know stays a number."""
    return str(getattr(value, "name", value))


def _usage(metadata: Any) -> TokenUsage | None:
    """What a reply says it used, None where it does not say; the SDK drops the thoughts, the total holds them."""
    prompt, output, total = (
        metadata.prompt_token_count,
        metadata.candidates_token_count,
        metadata.total_token_count,
    )
    if not (prompt or total):
        return None
    return TokenUsage(prompt, metadata.cached_content_token_count, output, max(0, total - prompt - output))


def _fault(error: Exception) -> GeminiFault:
    from google.api_core.exceptions import GoogleAPICallError
    from requests import exceptions as http
    from urllib3.exceptions import NewConnectionError, ProxyError, SSLError

    if isinstance(error, GoogleAPICallError):
        return _refusal(int(error.code or 0), _details(error))
    if isinstance(error, http.ConnectTimeout):
        return GeminiFault("unreachable", "no connection")
    if isinstance(error, http.Timeout):
        return GeminiFault("timeout", usage=None)
    if isinstance(error, http.ConnectionError) and error.args:
        never_sent = isinstance(getattr(error.args[0], "reason", None), NewConnectionError | ProxyError | SSLError)
        return GeminiFault(
            "unreachable",
            "no connection" if never_sent else "connection lost",
            usage=TokenUsage() if never_sent else None,
        )
    if isinstance(error, http.RequestException):
        return GeminiFault("unreachable", type(error).__name__, usage=None)
    return GeminiFault("malformed", type(error).__name__, usage=None)


def _details(error: Any) -> dict[str, Mapping[str, Any]]:
    """The details of an error by their kind, such as `RetryInfo`."""
    found = [detail for detail in error.details or () if isinstance(detail, Mapping)]
    return {str(detail.get("@type", "")).rpartition(".")[2]: detail for detail in found}


def _refusal(status: int, details: Mapping[str, Mapping[str, Any]]) -> GeminiFault:
    said = f"HTTP {status}"
    if status == 429:
        per_day = any("PerDay" in quota for quota in _quotas(details))
        return GeminiFault("quota_day" if per_day else "quota_minute", said, _seconds(details.get("RetryInfo", {})))
    if status == 400 and details.get("ErrorInfo", {}).get("reason") == "API_KEY_INVALID":
        return GeminiFault("bad_key", said)
    if status in BY_STATUS:
        return GeminiFault(BY_STATUS[status], said)
    return GeminiFault("overloaded" if status >= 500 else "refused", said, _seconds(details.get("RetryInfo", {})))


def _quotas(details: Mapping[str, Mapping[str, Any]]) -> list[str]:
    violations = details.get("QuotaFailure", {}).get("violations")
    if not isinstance(violations, list):
        return []
    return [str(v.get("quotaId", "")) for v in violations if isinstance(v, Mapping)]


def _seconds(retry_info: Mapping[str, Any]) -> float | None:
    """`37s` or `0.25s` as seconds."""
    text = str(retry_info.get("retryDelay", "")).removesuffix("s")
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e6 else None
