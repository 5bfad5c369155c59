from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from core.logs import ROOT_LOGGER, configure_logging, log
from core.metrics.stage_timer import StageTimer
from core.settings import Secret


@pytest.fixture(autouse=True)
def _logger_as_before() -> Iterator[None]:
    """Later tests must not write to what captured the output of these."""
    logger = logging.getLogger(ROOT_LOGGER)
    before = (logger.handlers, logger.level, logger.propagate)
    yield
    logger.handlers, logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def test_json_logs_are_one_document_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "INFO")
    log("ingest", "ingest ended", collection="demo", added=3)
    log("ingest", "two\nlines")
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["level"], first["logger"], first["collection"], first["added"]) == (
        "INFO",
        "contactsheet.ingest",
        "demo",
        3,
    )
    assert second["message"] == "two\nlines"


def test_text_logs_name_their_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text", "INFO")
    log("ingest", "ingest ended", added=3)
    assert "contactsheet.ingest: ingest ended added=3" in capsys.readouterr().err


def test_records_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text", "WARNING")
    log("search", "quiet", level=logging.INFO)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_secret_never_reaches_the_log(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(log_format, "INFO", [Secret("AIza-hidden"), Secret()])
    log("rank", "refused: key AIza-hidden is wrong", url="https://x/?key=AIza-hidden")
    logging.getLogger("contactsheet.rank").error("failed", exc_info=ValueError("AIza-hidden"))
    written = capsys.readouterr().err
    assert "AIza-hidden" not in written
    assert "[secret]" in written


def test_stages_add_up_and_survive_an_error() -> None:
    moments = iter([0.0, 1.0, 1.5, 2.0, 2.25, 3.0])
    stages = StageTimer(clock=lambda: next(moments))
    with stages.stage("search"):
        pass
    with pytest.raises(KeyError, match="gone"), stages.stage("search"):
        raise KeyError("gone")
    assert stages.finish() == {"search": 750.0, "total": 3000.0}
