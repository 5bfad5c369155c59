from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.access import Person
from core.cli import unsplash_commands
from core.ingest.sources.unsplash import UnsplashOptions
from core.records.jobs import Failure, IngestReport
from tests.fakes.commands import run_command

FAILURES = (Failure("https://unsplash.com/photos/a", "not found"), Failure("https://unsplash.com/photos/b", "cut off"))


class FakeAudit:
    """Keeps in a list what is recorded."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, ...]] = []

    def record(self, person: Person, *entry: str) -> None:
        self.entries.append((person.author, *entry))


class FakeApp:
    """Records the arguments it receives, and returns a fixed report."""

    def __init__(self, failures: tuple[Failure, ...] = ()) -> None:
        self.received: list[Any] = []
        self.audit = FakeAudit()
        self.report = IngestReport("c", 3, 2, failures, 1.0, 3.0)

    def ingest_unsplash(
        self, location: str, collection: str, options: UnsplashOptions, listener: Callable[..., None]
    ) -> IngestReport:
        self.received += [location, collection, options]
        return self.report


Run = Callable[..., tuple[int, list[tuple[IngestReport, bool]]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on an app: its exit code, and the reports it printed."""

    def run(app: FakeApp, *arguments: str) -> tuple[int, list[tuple[IngestReport, bool]]]:
        printed: list[tuple[IngestReport, bool]] = []
        monkeypatch.setattr(unsplash_commands, "print_report", lambda *report: printed.append(report))
        return run_command(app, "ingest-unsplash", *arguments), printed

    return run


def test_the_command_passes_its_arguments_on(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    app = FakeApp()
    options = ("--width", "320", "--limit", "9", "--threads", "4")
    assert run(app, "https://h/lite.zip", "--collection", "c", *options) == (0, [(app.report, False)])
    assert app.received == ["https://h/lite.zip", "c", UnsplashOptions(320, 9, 4)]
    assert capsys.readouterr().out == ""


def test_the_defaults_are_640_pixels_and_16_threads(run: Run) -> None:
    app = FakeApp()
    run(app, "folder", "--collection", "c")
    assert app.received == ["folder", "c", UnsplashOptions(640, None, 16)]
    assert app.audit.entries == [("command line", "add pictures", "c", "an Unsplash dataset", "started")]


def test_missing_photos_are_listed_by_reason_but_never_beside_json(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run(FakeApp(FAILURES), "folder", "--collection", "c")
    assert capsys.readouterr().out == "left out: 1 not found, 1 cut off; run it again to try these once more\n"
    assert run(FakeApp(FAILURES), "folder", "--collection", "c", "--json")[1][0][1] is True
    assert capsys.readouterr().out == ""
