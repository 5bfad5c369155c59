from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.access import OPERATOR, Access, Action, Person
from core.errors import NotAllowed
from core.metrics.audit import PAGE_SIZE, AuditService
from core.metrics.audit_export import csv_lines, json_lines
from core.records.audit import AuditEntry, AuditFilter
from core.settings import Secret
from core.store.sql.audit_log import AuditLog
from core.store.sql.database import Database

KEY = Secret("sesame")
ADMIN, CURATOR = Person("Ada", over_loopback=True, key=KEY), Person("Bob", key=KEY)
VIEWERS = [Person("Eve"), Person("Eve", over_loopback=True), Person("Eve", key=Secret("x"), has_key=True)]
EVIL = '=HYPERLINK("http://evil.example", "a, \'b\'")'


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    times = iter(datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=n) for n in range(100_000))
    return AuditLog(Database(tmp_path / "contactsheet.db"), times.__next__)


@pytest.fixture
def audit(log: AuditLog) -> AuditService:
    return AuditService(log, Access(KEY, audit=log))


@pytest.mark.parametrize("person", [CURATOR, *VIEWERS], ids=["curator", "viewer", "here", "wrong key"])
def test_only_admins_read_it(audit: AuditService, person: Person) -> None:
    for read in (audit.page, audit.actions, audit.entries):
        with pytest.raises(NotAllowed, match="only admins may read the audit log"):
            read(person)
    assert audit.page(ADMIN).entries == audit.page(OPERATOR).entries == ()


def test_its_pages_and_its_batches_hold_every_entry_once(audit: AuditService, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 2 * PAGE_SIZE + 1
    for number in range(count):
        audit.record(CURATOR, Action.PUBLISH.label, "c", f"revision {number}")
    expected = [f"revision {number}" for number in reversed(range(count))]
    seen, page = list[AuditEntry](), audit.page(ADMIN)
    while page.has_older:
        assert len(page.entries) == PAGE_SIZE
        seen += page.entries
        page = audit.page(ADMIN, before_id=page.entries[-1].id)
    assert [entry.target for entry in (*seen, *page.entries)] == expected
    monkeypatch.setattr("core.metrics.audit.BATCH_SIZE", 7)
    assert [entry.target for entry in audit.entries(ADMIN)] == expected
    assert [entry.target for entry in audit.entries(ADMIN, AuditFilter("revision 50"))] == ["revision 50"]
    assert audit.actions(ADMIN) == ["publish"]


def test_a_page_that_is_full_has_nothing_older(audit: AuditService) -> None:
    for _ in range(PAGE_SIZE):
        audit.record(CURATOR, "sign in")
    assert not audit.page(ADMIN).has_older


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evil", [EVIL, "+1", "-1+2", "@SUM(A1)", "＝1"])
def test_a_spreadsheet_runs_nothing_of_the_file(audit: AuditService, evil: str) -> None:
    audit.record(Person(evil, visitor=evil), evil, evil, evil, evil)
    text = "".join(csv_lines(audit.entries(ADMIN)))
    assert text.startswith("\ufeffid,at,")
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    for column in ("actor", "visitor", "action", "collection", "target", "outcome"):
        assert row[column] == f"'{evil}"
    assert row["identity"] == f"name:{evil}"
    assert row["at"] == "2026-11-20T00:00:00.000+00:00"


def test_json_lines_hold_the_texts_as_they_are(audit: AuditService) -> None:
    audit.record(Person("Zoë"), "publish", "c", EVIL)
    audit.record(ADMIN, "sign in")
    newest, oldest = map(json.loads, "".join(json_lines(audit.entries(ADMIN))).splitlines())
    assert (newest["id"], newest["actor"], newest["action"]) == (2, "Ada", "sign in")
    assert oldest == {
        "id": 1,
        "at": "2026-11-20T00:00:00.000+00:00",
        "actor": "Zoë",
        "identity": "name:Zoë",
        "visitor": "",
        "action": "publish",
        "collection": "c",
        "target": EVIL,
        "outcome": "done",
    }
