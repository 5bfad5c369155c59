from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from core.access import OPERATOR, Person
from core.app import App
from core.cli import command_context
from core.cli import main as cli
from core.store.sql.audit_log import AuditLog
from core.store.sql.database import Database
from tests.fakes.commands import run_command

ADA = Person("Ada", visitor="192.0.2.7")
Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run(app: App, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `audit` now: what it prints, and on standard error."""

    def command(*arguments: object) -> tuple[str, str]:
        assert run_command(app, "audit", *arguments) == 0
        captured = capsys.readouterr()
        return captured.out, captured.err

    return command


@pytest.fixture
def filled(app: App) -> App:
    """Ten days ago a save, today a publication by Ada and an emptied bin."""
    ten_days_ago = datetime.now(UTC) - timedelta(days=10)
    AuditLog(Database(app.settings.data / "contactsheet.db"), lambda: ten_days_ago).record(ADA, "save", "birds")
    app.audit.record(ADA, "publish", "birds", "revision 7")
    app.audit.record(OPERATOR, "empty bin", "cats", outcome="not done: collection busy")
    return app


def test_a_line_says_who_did_what_the_newest_first(filled: App, run: Run) -> None:
    first, second = run()[0].splitlines()
    assert first[19:] == f"  {'command line':<28}  {'empty bin':<18}  not done: collection busy  cats"
    assert second[19:] == f"  {'Ada (192.0.2.7)':<28}  {'publish':<18}  {'done':<10}  birds  revision 7"
    assert datetime.fromisoformat(first[:19] + "Z") <= datetime.now(UTC)


def test_time_action_and_text_choose(filled: App, run: Run) -> None:
    def actions(*arguments: str) -> list[str]:
        return [entry["action"] for entry in json.loads(run(*arguments, "--json")[0])["entries"]]

    assert actions("--since", "30d") == ["empty bin", "publish", "save"]
    assert actions("--since", "30d", "--action", "save") == ["save"]
    assert actions("--grep", "REVISION 7") == ["publish"]
    assert actions("--grep", "%") == []


def test_without_an_entry_it_says_so(run: Run) -> None:
    assert run() == ("", "no entries: --since 365d looks further back\n")
    assert json.loads(run("--json")[0]) == {"entries": []}


def test_it_writes_a_file_of_the_format_that_its_name_says(filled: App, run: Run, tmp_path: Path) -> None:
    as_csv, as_lines = tmp_path / "log.CSV", tmp_path / "log.jsonl"
    assert run("--output", as_csv) == (f"{as_csv}: 2 entries\n", "")
    with as_csv.open(encoding="utf-8-sig", newline="") as file:
        assert [row["action"] for row in csv.DictReader(file)] == ["empty bin", "publish"]
    assert json.loads(run("--output", as_lines, "--json")[0]) == {"output": str(as_lines), "entries": 2}
    assert [json.loads(line)["action"] for line in as_lines.read_text().splitlines()] == ["empty bin", "publish"]
    assert sorted(path.name for path in tmp_path.glob("log*")) == ["log.CSV", "log.jsonl"]


def test_a_file_of_another_kind_is_refused(run: Run) -> None:
    with pytest.raises(click.BadParameter, match=r"'log.xlsx' does not end in .csv or .jsonl"):
        run("--output", "log.xlsx")


def test_an_export_that_fails_leaves_the_earlier_one(
    filled: App, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("earlier")

    def fail(*_: object) -> None:
        raise OSError("broken")

    monkeypatch.setattr(AuditLog, "search", fail)
    with pytest.raises(OSError, match="broken"):
        run("--output", path)
    assert path.read_text() == "earlier"
    assert list(tmp_path.glob("log*")) == [path]


# -- commands that write without a service ---------------------------------------------------------------------------


def entries(app: App) -> list[tuple[str, ...]]:
    found = app.audit.entries(OPERATOR)
    return [(entry.actor, entry.action, entry.collection, entry.target, entry.outcome) for entry in found]


def test_commands_leave_their_line_as_they_start(app: App, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_context, "_open_app", lambda: app)
    assert cli.main(["ingest", str(pictures), "--collection", "c"]) == 0
    assert cli.main(["reembed", "c", "--model", "other"]) == 0
    assert cli.main(["remove", *sorted(app.titles("c"))[:1], "--collection", "c"]) == 0
    assert entries(app) == [
        ("command line", "remove", "c", "1 picture", "done"),
        ("command line", "embed again", "c", "c-new, with other", "started"),
        ("command line", "add pictures", "c", "a folder", "started"),
    ]


def test_the_demo_is_recorded_where_there_was_something_to_add(
    app: App, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = iter([app.ingest(pictures, "c"), None])
    monkeypatch.setattr(command_context, "_open_app", lambda: app)
    monkeypatch.setattr(app, "ensure_demo", lambda _: next(reports))
    assert cli.main(["demo"]) == cli.main(["demo"]) == 0
    assert entries(app) == [("command line", "add pictures", "demo", "the demo collection", "done")]


def test_what_only_looks_leaves_no_line(app: App, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_context, "_open_app", lambda: app)
    app.ingest(pictures, "c")
    for command in (["search", "red"], ["cluster"], ["revisions"], ["assign"], ["map"], ["duplicates"]):
        assert cli.main([*command, "--collection", "c"]) == 0
    assert cli.main(["audit"]) == 0
    assert entries(app) == []
