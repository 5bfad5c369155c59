from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from core.app import App
from core.cli import command_context
from core.cli import main as cli
from core.cli.command_reference import command_reference
from core.cli.progress_bar import ProgressBar, describe
from core.doctor import examine
from core.errors import SettingError
from core.records.jobs import Progress
from core.settings import PROJECT, Secret, Settings
from core.text import duration


@pytest.fixture
def run(app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command against the App of this test: (exit code, standard output, standard error)."""
    monkeypatch.setattr(command_context, "_open_app", lambda: app)

    def command(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_ingest_then_search_prints_ranked_results(run, pictures: Path) -> None:
    code, out, err = run("ingest", pictures, "--collection", "c")
    assert (code, out.splitlines()[-1].split(" in ")[0]) == (0, "c: 3 added, 0 known already, 0 skipped")
    assert "embed" in err
    code, out, _ = run("search", "red", "--collection", "c", "--top", 2)
    assert code == 0
    first, _ = out.splitlines()
    assert first.split()[:3] == ["1", "1.0000", "red.png"]


def test_ingest_names_every_skipped_file_and_still_succeeds(run, pictures: Path) -> None:
    (pictures / "empty.jpg").touch()
    code, out, _ = run("ingest", pictures, "--collection", "c")
    assert code == 0
    assert f"skipped  {pictures / 'empty.jpg'}: empty file" in out
    assert "3 added, 0 known already, 1 skipped" in out


def test_json_is_one_document_with_stable_names(run, pictures: Path) -> None:
    (pictures / "empty.jpg").touch()
    ingest = json.loads(run("ingest", pictures, "--collection", "c", "--json")[1])
    assert ingest["failures"] == [{"uri": str(pictures / "empty.jpg"), "reason": "empty file", "detail": ""}]
    counts = {"added", "known", "removed", "refreshed", "replaced", "moved", "missing"}
    lists = {"failures", "notes", "passed_over", "remarks"}
    assert counts | lists | {"collection", "seconds", "images_per_s"} == set(ingest)
    search = json.loads(run("search", "red", "--collection", "c", "--top", 1, "--json")[1])
    about = {"collection", "collection_version", "query", "understood", "matching", "stage_ms", "receipt"}
    assert about | {"results"} == set(search)
    (result,) = search["results"]
    assert (result["rank"], result["title"], result["width"]) == (1, "red.png", 40)
    assert set(result) == {
        "rank",
        "similarity",
        "id",
        "title",
        "description",
        "keywords",
        "author",
        "licence",
        "source",
        "sources",
        "uris",
        "width",
        "height",
        "created_at",
        "missing",
        "metadata",
    }
    listed = json.loads(run("collections", "--json")[1])
    assert listed["collections"][0]["name"] == "c"
    assert listed["collections"][0]["model"]["dimension"] == 4


def test_search_takes_every_filter(run, pictures: Path, tmp_path: Path) -> None:
    captions = tmp_path / "c.csv"
    captions.write_text(
        "file,title,keywords,date,source\nred.png,Red,warm,2001-05-01,one\ngreen.jpg,Green,cold,2003-05-01,two\n"
    )
    run("ingest", pictures, "--collection", "c", "--captions", captions, "--source", "rest")

    def found(*options: str) -> list[str]:
        document = json.loads(run("search", "red", "--collection", "c", "--json", *options)[1])
        return sorted(r["title"] for r in document["results"])

    assert found("--source", "one", "--source", "rest") == ["Red", "blue.webp"]
    assert found("--keyword", "cold") == ["Green"]
    assert found("--orientation", "square") == ["blue.webp"]
    assert found("--since", "2002-01-01") == ["Green"]
    assert found("--until", "2002-01-01") == ["Red"]
    assert found("--floor", "0.9") == ["Red"]


def test_nothing_found_says_what_to_do(run, pictures: Path) -> None:
    run("ingest", pictures, "--collection", "c")
    code, out, err = run("search", "red", "--collection", "c", "--floor", "1")
    assert (code, out) == (0, "")
    assert "lower --floor" in err


def test_a_file_is_shown_under_its_name_whatever_characters_it_has(run, pictures: Path) -> None:
    (pictures / "red.png").rename(pictures / "90%.png")
    run("ingest", pictures, "--collection", "c")
    out = run("search", "red", "--collection", "c", "--top", 1)[1]
    assert out.split() == ["1", "1.0000", "90%.png", str(pictures / "90%.png")]


def test_output_is_utf8_whatever_the_environment_says(pictures: Path, tmp_path: Path) -> None:
    (pictures / "red.png").rename(pictures / "\u732b\u2009\u20ac.png")
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "CONTACTSHEET_DATA": str(tmp_path / "generated")}
    command = [sys.executable, "-m", "core", "rescan", "\u732b"]
    ended = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert ended.stderr.decode("utf-8").startswith("error: '\u732b' cannot name a collection")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "x", "--collection", "none"], "there is no collection 'none'"),
        (["ingest", "/nowhere/at/all", "--collection", "c"], "/nowhere/at/all does not exist"),
        (["ingest", ".", "--collection", "../c"], "cannot name a collection"),
        (["search", " ", "--collection", "none"], "no collection"),
    ],
)
def test_an_error_is_one_line_on_standard_error_and_exit_code_1(run, arguments: list[str], message: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert message in err


def test_stopping_by_hand_says_that_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_context, "_open_app", stop)
    assert cli.main(["collections"]) == 1
    assert "run the command again to go on" in capsys.readouterr().err


def test_a_folder_one_may_not_write_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied", "/read-only")

    monkeypatch.setattr(command_context, "_open_app", refuse)
    assert cli.main(["collections"]) == 1
    assert capsys.readouterr().err.startswith("error: /read-only: Permission denied: ")


@pytest.mark.parametrize("value", ["0", "10001", "many"])
def test_an_impossible_number_of_results_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["search", "x", "--top", value]) == 2
    assert "--top" in capsys.readouterr().err


def test_a_date_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["search", "x", "--since", "soon"]) == 2
    assert "1998-09-03" in capsys.readouterr().err


def test_every_command_and_option_has_help_and_json() -> None:
    for name, command in cli.commands.commands.items():
        options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
        assert command.help, name
        assert any("--json" in option.opts for option in options), name
        assert all(option.help for option in options), name


def test_the_list_of_commands_cuts_no_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    _, _, listed = capsys.readouterr().out.partition("Commands:")
    assert all(line.endswith((".", ")", "")) and not line.endswith("...") for line in listed.splitlines())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Usage: python -m core"),
        (["serch"], "No such command 'serch'"),
        (["search"], "Missing argument 'QUERY'"),
        (["search", "x", "--tip", "3"], "No such option '--tip'"),
        (["search", "x", "--top"], "Option '--top' requires an argument"),
        (["ingest", "folder"], "Missing option '--collection'"),
        (["revisions", "burn"], "'burn' is not one of"),
        (["metrics", "--since", "soon"], "'soon' is not a span like 30m, 12h or 7d"),
    ],
)
def test_wrong_usage_ends_with_exit_code_2_on_standard_error(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert problem in captured.err


def test_bytes_that_are_no_text_are_shown_escaped() -> None:
    command = [sys.executable, "-m", "core", "sessions", b"\xff"]
    done = subprocess.run(command, capture_output=True, cwd=PROJECT, check=False)
    assert done.returncode == 2
    assert rb"unexpected extra argument (\udcff)" in done.stderr


def test_the_reference_is_made_from_the_commands() -> None:
    committed = (PROJECT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert committed == command_reference(), "run: python -m core.cli.command_reference > docs/reference/commands.md"


def test_the_module_runs_and_refuses_a_wrong_setting_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "core", "collections"],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        check=False,
        env={"CONTACTSHEET_THREADS": "lots", "PATH": ""},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: CONTACTSHEET_THREADS is 'lots', but must be 0 to 256\n"


def checks(settings: Settings) -> dict[str, tuple[bool, str, str]]:
    return {c.name: (c.ok, c.found, c.advice) for c in examine(lambda: settings)}


def test_the_doctor_finds_packages_device_data_and_collections(settings: Settings, app: App, pictures: Path) -> None:
    app.ingest(pictures, "c")
    found = checks(settings)
    assert found["streamlit"][0]
    assert found["device"][0]
    assert found["collections"][1] == "c (3, colour)"
    assert found["Gemini key"] == (True, "not set", found["Gemini key"][2])


def test_the_doctor_says_what_to_do_about_each_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = checks(
        Settings(data=tmp_path / "file" / "below", model="local-dir:/nowhere", model_is_explicit=True, device="mps")
    )
    for name in ("model", "data folder"):
        ok, _, advice = found[name]
        assert not ok
        assert advice
    assert not found["device"][0]


def test_the_doctor_reports_a_setting_that_is_refused() -> None:
    def refuse() -> Settings:
        raise SettingError("CONTACTSHEET_THREADS is 'lots', but must be 0 to 256")

    last = examine(refuse)[-1]
    assert (last.name, last.ok) == ("settings", False)
    assert "lots" in last.found


def test_the_doctor_never_shows_the_key(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-hidden")
    cli.main(["doctor"])
    cli.main(["doctor", "--json"])
    captured = capsys.readouterr()
    assert "present" in captured.out
    assert "AIza-hidden" not in captured.out + captured.err


def test_a_key_in_settings_is_present_for_the_doctor(tmp_path: Path) -> None:
    found = checks(Settings(data=tmp_path, gemini_api_key=Secret("k")))
    assert found["Gemini key"][1] == "present"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_redrawn_in_place() -> None:
    stream = Terminal()
    with ProgressBar(stream, clock=iter(range(100)).__next__) as bar:
        bar.show(Progress("embed", 0, 10))
        bar.show(Progress("embed", 5, 10, 2.5, 2.0))
    assert stream.getvalue().count("\r") == 2
    assert stream.getvalue().endswith("5/10  2.5 images/s  0:02 left\n")


def test_a_file_gets_a_line_per_phase_and_then_one_every_five_seconds() -> None:
    stream = io.StringIO()
    moments = iter([0.0, 0.0, 1.0, 6.0, 6.0, 7.0, 7.0])
    with ProgressBar(stream, clock=lambda: next(moments)) as bar:
        for done in range(1, 4):
            bar.show(Progress("embed", done, 9))
        bar.show(Progress("compact", 9, 9))
    assert [line.split()[0] for line in stream.getvalue().splitlines()] == ["embed", "embed", "compact"]


def test_progress_without_a_total_names_phase_and_count() -> None:
    assert describe(Progress("scan", 3000, 0)) == "scan 3000"
    assert describe(Progress("load model", 0, 0)) == "load model"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61.4, "1:01"), (3725, "1:02:05")])
def test_durations_read_like_a_clock(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "core", "collections", "--json"]
    environment = {**os.environ, "CONTACTSHEET_DATA": str(tmp_path)}
    run = subprocess.run(command, cwd=PROJECT, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert run.stderr == ""


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--keyword", "kyword"), "c has no keyword ‘kyword’: check the spelling"),
        (("--source", "picture"), "c has no source ‘picture’ (did you mean pictures?): check the spelling"),
        (("--floor", "5"), "a minimum similarity of 5 is out of range: choose -1 to 1"),
        (("--floor", "nan"), "a minimum similarity of nan is out of range"),
    ],
)
def test_a_filter_that_cannot_find_anything_is_said_to_be(
    run, pictures: Path, option: tuple[str, str], message: str
) -> None:
    run("ingest", pictures, "--collection", "c")
    code, _, error = run("search", "red", "--collection", "c", *option)
    assert code == 1
    assert message in error


def test_pictures_are_found_by_the_year_in_which_they_were_taken(run, pictures: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("file,date\nred.png,1998-09-30\ngreen.jpg,31.12.1998\nsub/blue.webp,c. 1930\n")
    run("ingest", pictures, "--collection", "c", "--captions", captions)

    def found(*options: str) -> set[str]:
        results = json.loads(run("search", "red", "--collection", "c", "--json", *options)[1])["results"]
        return {result["title"].partition(".")[0] for result in results}

    assert found("--until", "1998") == {"red", "green", "blue"}
    assert found("--since", "1998") == {"red", "green"}
    assert found("--since", "1998-09", "--until", "1998-09") == {"red"}
    assert found("--since", "1930s", "--until", "1930s") == {"blue"}
    assert found("--since", "1931") == {"red", "green"}
    code, _, error = run("search", "red", "--collection", "c", "--since", "1999", "--until", "1998")
    assert (code, "no time lies between 1999 and 1998" in error) == (1, True)


def test_pictures_are_found_by_people_places_cameras_ratings_and_coordinates(
    run, pictures: Path, tmp_path: Path
) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("file,people,city,camera,rating,latitude,longitude\nred.png,Ada,Lisbon,NIKON D90,4,38.7,-9.1\n")
    run("ingest", pictures, "--collection", "c", "--captions", captions)
    for option in (
        ("--person", "ada"),
        ("--place", "Lisbon"),
        ("--camera", "NIKON D90"),
        ("--rating", "3"),
        ("--gps",),
    ):
        found = json.loads(run("search", "blue", "--collection", "c", "--json", *option)[1])["results"]
        assert [result["title"] for result in found] == ["red.png"], option
