"""The command about sessions: who is signed in, or remembered by their browser, and ending that."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from core.access import OPERATOR
from core.cli.command_context import CommandContext, json_option, pass_context
from core.cli.output import print_json
from core.records.sessions import BrowserSession
from core.sessions import session_owner
from core.text import one_line

if TYPE_CHECKING:
    from core.app import App


@click.command(short_help="List who is signed in, or end a session.")
@click.option(
    "--end", "ended", metavar="ID", help="End this session instead, in all tabs and server processes at once."
)
@json_option
@pass_context
def sessions(context: CommandContext, ended: str | None, as_json: bool) -> int:
    """List who is signed in or remembered by a browser, those seen last first; or end a session."""
    if ended is not None:
        return end(context.open_app(), ended, as_json)
    list_sessions(context.open_app(), as_json)
    return 0


def end(app: App, session: str, as_json: bool) -> int:
    """End a session; returns the exit code, 1 if there is none."""
    found = app.sessions.get(session)
    if found is None or not app.sessions.revoke(OPERATOR, session):
        print(f"error: no live session {session[:40]!r}: python -m core sessions lists them", file=sys.stderr)
        return 1
    print_json({"ended": session}) if as_json else print(f"ended the session of {one_line(session_owner(found))}")
    return 0


def list_sessions(app: App, as_json: bool) -> None:
    """Print the live sessions."""
    found = app.sessions.live(OPERATOR)
    if as_json:
        print_json({"sessions": [document(session, app.sessions.standing(session)) for session in found]})
        return
    for session in found:
        print(line(session, app.sessions.standing(session)))
    if not found:
        print("no sessions", file=sys.stderr)


def document(session: BrowserSession, standing: str) -> dict[str, Any]:
    """One session in the JSON document of `sessions --json`."""
    return {
        "id": session.id,
        "who": session_owner(session),
        "standing": standing,
        "browser": session.browser,
        "visitor": session.visitor,
        "created_at": session.created_at.isoformat(),
        "seen_at": session.seen_at.isoformat(),
        "expires_at": session.expires_at.isoformat(),
    }


def line(session: BrowserSession, standing: str) -> str:
    """The same for people; times are UTC. What came from outside stays on the line."""
    who, place = one_line(session_owner(session)), f"{session.browser}, from {session.visitor or 'somewhere'}"
    times = f"since {session.created_at:%Y-%m-%d %H:%M}  seen {session.seen_at:%Y-%m-%d %H:%M}"
    return f"{session.id}  {who:<36}  {standing:<8}  {place:<40}  {times}"
