from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import pytest

from core.cli.unsplash_commands import add_unsplash_command
from core.ingest.sources.unsplash import UnsplashOptions
from core.records.jobs import Failure, IngestReport

LOST = (Failure("https://unsplash.com/photos/a", "not found"), Failure("https://unsplash.com/photos/b", "cut off"))


class FakeApp:
    """Notes what it is asked for, and reports what it is told to."""

    def __init__(self, failures: tuple[Failure, ...] = ()) -> None:
        self.asked: list[Any] = []
        self.report = IngestReport("c", 3, 2, failures, 1.0, 3.0)

    def ingest_unsplash(
        self, place: str, collection: str, wish: UnsplashOptions, listener: Callable[..., None]
    ) -> IngestReport:
        self.asked += [place, collection, wish]
        return self.report


def run(app: FakeApp, *arguments: str) -> tuple[int, list[tuple[IngestReport, bool]]]:
    printed: list[tuple[IngestReport, bool]] = []

    def finish(parser: argparse.ArgumentParser, command: Callable[[argparse.Namespace], int]) -> None:
        parser.add_argument("--json", action="store_true")
        parser.set_defaults(run=command)

    parser = argparse.ArgumentParser()
    opened: Any = lambda: app  # noqa: E731
    add_unsplash_command(parser.add_subparsers(), finish, opened, lambda *told: printed.append(told))
    options = parser.parse_args(["ingest-unsplash", *arguments])
    return options.run(options), printed


def test_the_command_hands_on_what_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    app = FakeApp()
    options = ("--width", "320", "--limit", "9", "--threads", "4")
    assert run(app, "https://h/lite.zip", "--collection", "c", *options) == (0, [(app.report, False)])
    assert app.asked == ["https://h/lite.zip", "c", UnsplashOptions(320, 9, 4)]
    assert capsys.readouterr().out == ""


def test_without_options_640_pixels_and_16_threads_are_meant() -> None:
    app = FakeApp()
    run(app, "folder", "--collection", "c")
    assert app.asked == ["folder", "c", UnsplashOptions(640, None, 16)]


def test_what_is_missing_is_told_by_its_cause_but_never_beside_json(capsys: pytest.CaptureFixture[str]) -> None:
    run(FakeApp(LOST), "folder", "--collection", "c")
    assert capsys.readouterr().out == "left out: 1 not found, 1 cut off; run it again to try these once more\n"
    assert run(FakeApp(LOST), "folder", "--collection", "c", "--json")[1][0][1] is True
    assert capsys.readouterr().out == ""
