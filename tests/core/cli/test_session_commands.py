from __future__ import annotations

import json

import pytest

from core.access import OPERATOR, Person, RoleRules
from core.app import App
from core.cli import command_context
from core.cli import main as cli

CLAIMS = {"iss": "https://id.example", "sub": "17", "name": "Ann Lee", "groups": ["desk"]}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0"


@pytest.fixture(autouse=True)
def signing_in(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's App is one whose people sign in."""
    app.access.sign_in = RoleRules(frozenset({"desk"}))
    monkeypatch.setattr(command_context, "_open_app", lambda: app)


def sign_in(app: App, **claims: object) -> str:
    """The id of a new session."""
    recognised = app.sessions.recognise(app.sessions.sign_in({**CLAIMS, **claims}, "192.0.2.7", FIREFOX))
    assert recognised is not None
    return recognised.id


def test_a_line_says_who_is_signed_in_and_where(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    session = sign_in(app)
    assert cli.main(["sessions"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split("  ")[0] == session
    for shown in ("Ann Lee", "curator", "Firefox on Linux, from 192.0.2.7", "since ", "seen "):
        assert shown in line


def test_json_has_every_session_those_seen_last_first(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = sign_in(app), sign_in(app, sub="18", name="Bob", groups=[])
    assert cli.main(["sessions", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["sessions"]
    assert [(s["id"], s["who"], s["standing"]) for s in found] == [
        (second, "Bob", "viewer"),
        (first, "Ann Lee", "curator"),
    ]
    assert set(found[0]) == {"id", "who", "standing", "browser", "visitor", "created_at", "seen_at", "expires_at"}


def test_without_a_session_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sessions"]) == 0
    assert capsys.readouterr() == ("", "no sessions\n")


def test_ending_a_session_ends_it_and_leaves_a_line_in_the_audit_log(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    session, other = sign_in(app), sign_in(app, sub="18")
    assert cli.main(["sessions", "--end", session]) == 0
    assert capsys.readouterr().out == "ended the session of Ann Lee\n"
    assert [s.id for s in app.sessions.live(OPERATOR)] == [other]
    newest = next(iter(app.audit.entries(OPERATOR)))
    assert (newest.actor, newest.action, newest.outcome) == ("command line", "revoke session", "done")
    assert cli.main(["sessions", "--end", other, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ended": other}


def test_a_session_that_does_not_live_is_no_success_and_leaves_no_line(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    session = sign_in(app)
    assert cli.main(["sessions", "--end", session]) == 0
    entries = len(list(app.audit.entries(OPERATOR)))
    capsys.readouterr()
    for gone in (session, "", "x\n"):
        assert cli.main(["sessions", "--end", gone]) == 1
        out, err = capsys.readouterr()
        assert (out, err) == ("", f"error: no live session {gone!r}: python -m core sessions lists them\n")
    assert len(list(app.audit.entries(OPERATOR))) == entries


def test_a_name_stays_on_its_line(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    app.access.sign_in = None
    session, code = app.sessions.offer(Person("A\x1b[2Jda"), FIREFOX)
    assert app.sessions.claim(code)
    assert cli.main(["sessions"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{session}  A [2Jda ")
    assert "\x1b" not in out
