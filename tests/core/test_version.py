"""One version, in one place, wherever a person or a program asks for it."""

from __future__ import annotations

import json
import logging
import re
import tomllib

import pytest

from core import __version__
from core.app import App
from core.cli.main import main
from core.doctor import examine
from core.logs import JsonFormatter
from core.settings import PROJECT


def test_the_command_line_prints_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"Contact Sheet {__version__}\n"


def test_the_project_takes_its_version_from_the_package() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "core.__version__"


def test_doctor_says_which_version_it_examined() -> None:
    assert [(check.ok, check.found) for check in examine() if check.name == "contact sheet"] == [(True, __version__)]


def test_every_json_log_record_names_the_version() -> None:
    record = logging.LogRecord("contactsheet.test", logging.INFO, __file__, 1, "started", None, None)
    assert json.loads(JsonFormatter().format(record))["version"] == __version__


def test_prometheus_is_told_the_version(app: App) -> None:
    samples = [sample for family in app.monitor.registry.collect() for sample in family.samples]
    assert {labels["version"] for sample in samples if "version" in (labels := dict(sample.labels))} == {__version__}


def test_the_changelog_has_a_dated_entry_for_every_released_version() -> None:
    headings = re.findall(r"^## \[(.+)\](?: - (\d{4}-\d{2}-\d{2}))?$", (PROJECT / "CHANGELOG.md").read_text(), re.M)
    (first, date), *released = headings
    assert (first, date) == ("Unreleased", "")
    assert released
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) and date for version, date in released)
    base = __version__.removesuffix(".dev0")
    assert (base == released[0][0]) == (base == __version__), "a development version comes after the last released one"
