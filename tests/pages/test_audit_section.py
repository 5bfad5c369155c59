from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from streamlit.runtime.context import ContextProxy, StreamlitHeaders
from streamlit.testing.v1 import AppTest

from core.access import OPERATOR, Person
from core.api.connection_guard import CONNECTION_HEADER, LOCAL, VISITOR_HEADER
from core.app import App
from core.errors import NotAllowed, StoreError
from core.metrics.audit import PAGE_SIZE
from core.records.audit import AuditFilter
from core.settings import Secret
from core.store.sql.audit_log import AuditLog
from core.store.sql.database import Database
from pages.metrics.audit_section import MAX_DOWNLOADED, audit_filter, exported, nothing_line
from pages.ui import resources
from tests.pages.conftest import visit

NOW = datetime(2026, 11, 20, tzinfo=UTC)
ADA = Person("Ada", over_loopback=True, visitor="192.0.2.7")
Connect = Callable[[bool], None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Come from this computer, or from another one."""

    def from_here(here: bool) -> None:
        headers = StreamlitHeaders([(CONNECTION_HEADER, LOCAL if here else "remote"), (VISITOR_HEADER, "192.0.2.7")])
        monkeypatch.setattr(ContextProxy, "headers", property(lambda _: headers))

    return from_here


@pytest.fixture
def admin(served: App, connect: Connect) -> Iterator[App]:
    """The App that pages see, from the computer that serves them."""
    connect(True)
    resources.monitoring.clear()
    yield served
    resources.monitoring.clear()


def audit_page(section: str = "Audit log", **params: str) -> AppTest:
    page = visit()
    page.switch_page("pages/metrics/page.py")
    for name, value in {"section": section, **params}.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def rows(page: AppTest) -> list[dict[str, str]]:
    found: list[dict[str, str]] = page.dataframe[0].value.to_dict("records") if page.dataframe else []
    return found


def sections(page: AppTest) -> list[str]:
    return list(page.segmented_control(key="section").options)


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_an_admin_sees_who_did_what(admin: App) -> None:
    admin.audit.record(ADA, "publish", "birds", "revision 7")
    admin.audit.record(OPERATOR, "sign in")
    page = audit_page()
    assert sections(page) == ["Overview", "Requests", "Alerts", "Machine", "Sessions", "Audit log"]
    newest, oldest = rows(page)
    assert list(newest) == ["When (UTC)", "Who", "What", "Collection", "Target", "Outcome", "From"]
    assert list(newest.values())[1:] == ["command line", "sign in", "–", "–", "done", "–"]
    assert list(oldest.values())[1:] == ["Ada", "publish", "birds", "revision 7", "done", "192.0.2.7"]
    assert datetime.fromisoformat(f"{newest['When (UTC)']}Z") <= datetime.now(UTC)


def test_a_viewer_has_no_such_section_and_no_address_shows_it(admin: App, connect: Connect) -> None:
    admin.audit.record(ADA, "publish", "birds", "revision 7")
    connect(False)
    page = audit_page(audit_action="publish", audit_span="All")
    assert sections(page) == ["Overview", "Requests", "Alerts", "Machine"]
    assert page.segmented_control(key="section").value == "Overview"
    assert not any("Who" in row for row in rows(page))
    assert "revision 7" not in str(page)


def test_a_curator_with_the_key_has_no_such_section_either(admin: App, connect: Connect) -> None:
    object.__setattr__(admin.access, "curator_key", Secret("sesame"))
    connect(False)
    page = visit()
    page.session_state["person_key"] = Secret("sesame")
    page.switch_page("pages/metrics/page.py")
    page.query_params["section"] = "Audit log"
    page.run()
    assert not page.exception
    assert admin.access.is_curator(Person(key=Secret("sesame")))
    assert "Audit log" not in sections(page)


def test_whoever_loses_the_role_meanwhile_is_refused(admin: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NotAllowed("only admins may read the audit log: enter the curator key")

    monkeypatch.setattr(admin.audit, "page", refuse)
    assert "Only admins may read the audit log" in audit_page().error[0].value.replace("\\", "")


def test_text_action_and_time_choose_and_the_address_keeps_them(admin: App) -> None:
    ten_days_ago = datetime.now(UTC) - timedelta(days=10)
    AuditLog(Database(admin.settings.data / "contactsheet.db"), lambda: ten_days_ago).record(ADA, "save", "birds")
    admin.audit.record(ADA, "publish", "birds", "revision 7")
    admin.audit.record(OPERATOR, "publish", "cats", "revision 8")
    page = audit_page()
    assert [row["Collection"] for row in rows(page)] == ["cats", "birds"]
    page.text_input(key="audit_text").set_value("REVISION 7").run()
    assert [row["Collection"] for row in rows(page)] == ["birds"]
    page.text_input(key="audit_text").set_value("%").run()
    assert rows(page) == []
    assert page.info[0].value == "No entry matches: try another text, all actions or a longer time."
    page = audit_page(audit_action="save", audit_span="30 days")
    assert [row["What"] for row in rows(page)] == ["save"]


def test_a_name_is_no_formula_in_the_table_either(admin: App) -> None:
    admin.audit.record(Person('=HYPERLINK("http://evil.example")'), "wrong key", outcome="not done")
    assert rows(audit_page())[0]["Who"] == '\'=HYPERLINK("http://evil.example")'


def test_an_address_that_asks_for_nonsense_shows_the_newest(admin: App) -> None:
    admin.audit.record(ADA, "publish", "birds", "revision 7")
    page = audit_page(audit_action="<b>", audit_span="forever")
    assert [row["Target"] for row in rows(page)] == ["revision 7"]


def test_without_an_entry_it_says_so_and_offers_no_file(admin: App) -> None:
    page = audit_page()
    assert page.info[0].value == "Nothing was done in this time."
    assert not page.get("download_button")
    assert labels(page)[-2:] != ["Newer", "Older"]


def test_older_entries_are_a_click_away_and_the_way_back_too(admin: App) -> None:
    for number in range(2 * PAGE_SIZE + 1):
        admin.audit.record(ADA, "publish", "birds", f"revision {number}")
    page = audit_page()
    assert (len(rows(page)), rows(page)[0]["Target"]) == (PAGE_SIZE, f"revision {2 * PAGE_SIZE}")
    assert "Newer" not in labels(page)
    for _ in range(2):
        next(button for button in page.button if button.label == "Older").click().run()
    assert [row["Target"] for row in rows(page)] == ["revision 0"]
    assert f"Entry {2 * PAGE_SIZE + 1}" in [caption.value for caption in page.caption]
    assert "Older" not in labels(page)
    next(button for button in page.button if button.label == "Newer").click().run()
    assert rows(page)[-1]["Target"] == "revision 1"
    assert f"Entries {PAGE_SIZE + 1} to {2 * PAGE_SIZE}, the newest first" in [c.value for c in page.caption]
    page.text_input(key="audit_text").set_value("ada").run()
    assert rows(page)[0]["Target"] == f"revision {2 * PAGE_SIZE}"
    assert "Newer" not in labels(page)


def test_a_log_that_cannot_be_read_says_so_in_its_place(admin: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("contactsheet.db could not be used: restore it from a backup")

    monkeypatch.setattr(AuditLog, "search", fail)
    page = audit_page()
    assert "restore it from a backup" in page.error[0].value.replace("\\", "")
    assert "Audit log" in sections(page)


def test_a_file_holds_what_the_controls_ask_for_if_one_may_still_read_it(admin: App) -> None:
    admin.audit.record(ADA, "publish", "birds", "revision 7")
    admin.audit.record(ADA, "=1+1", "cats")
    wanted = AuditFilter(action="publish")
    assert json.loads(exported(admin, ADA, wanted, "jsonl"))["target"] == "revision 7"
    assert exported(admin, ADA, AuditFilter(), "csv").decode("utf-8-sig").splitlines()[1].split(",")[5] == "'=1+1"
    with pytest.raises(NotAllowed, match="only admins may read the audit log"):
        exported(admin, Person("Eve"), wanted, "csv")
    page = audit_page()
    assert [button.proto.label for button in page.get("download_button")] == ["Download CSV", "Download JSON lines"]


def test_a_file_is_bounded(admin: App, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_DOWNLOADED == 100_000
    monkeypatch.setattr("pages.metrics.audit_section.MAX_DOWNLOADED", 2)
    for number in range(3):
        admin.audit.record(ADA, "publish", "birds", f"revision {number}")
    targets = [json.loads(line)["target"] for line in exported(admin, ADA, AuditFilter(), "jsonl").splitlines()]
    assert targets == ["revision 2", "revision 1"]


def test_the_controls_become_a_filter() -> None:
    assert audit_filter("x", "All actions", "All", NOW) == AuditFilter("x")
    assert audit_filter("", "save", "7 days", NOW) == AuditFilter("", "save", NOW - timedelta(days=7))


def test_an_empty_page_says_why() -> None:
    assert nothing_line(AuditFilter(), True) == "There are no older entries."
    assert nothing_line(AuditFilter(), False) == "Nothing has been done yet."
