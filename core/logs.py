"""Logging to standard error: plain lines, or one JSON document per line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from core import __version__
from core.settings import Secret

ROOT_LOGGER = "contactsheet"


class JsonFormatter(logging.Formatter):
    """One JSON document per record: `time`, `level`, `logger`, `version`, `message` and `extra["fields"]`."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "version": __version__,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            document["error"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False, default=str)


class RedactingFormatter(logging.Formatter):
    """Wraps another formatter and redacts every secret in its output."""

    def __init__(self, inner: logging.Formatter, secrets: Iterable[Secret]) -> None:
        super().__init__()
        self._inner, self._secrets = inner, [s.reveal() for s in secrets if s]

    def format(self, record: logging.LogRecord) -> str:
        text = self._inner.format(record)
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text


def configure_logging(log_format: str, level: str, secrets: Iterable[Secret] = ()) -> None:
    """Send this project's log records to standard error; calling it again replaces the configuration."""
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(JsonFormatter() if log_format == "json" else plain, secrets))
    logger = logging.getLogger(ROOT_LOGGER)
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False


def log(component: str, message: str, level: int = logging.INFO, **fields: object) -> None:
    """Log `message` with `fields`; the plain format appends them as `name=value`."""
    logger = logging.getLogger(f"{ROOT_LOGGER}.{component}")
    text = " ".join([message, *(f"{k}={v}" for k, v in fields.items())])
    logger.log(level, "%s", text, extra={"fields": {"event": message, **fields}})
