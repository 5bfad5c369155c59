"""Every action that others rely on leaves its line in the audit log when it is done through the services."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.access import OPERATOR, Action, Person
from core.app import App
from core.errors import ContactSheetError, NotAllowed
from core.jobs.background import BackgroundJobs
from core.quality.judging import Vote
from core.records.audit import AuditFilter
from core.records.backups import RestoreOptions
from core.records.clusterings import Revision
from core.records.jobs import ignore
from core.records.sidecars import SidecarOptions
from pages.quality.evaluation_job import EvaluationRequest, EvaluationRunner
from tests.fakes.named_clusters import publish_named

ADA, EVE = Person("Ada", over_loopback=True, visitor="127.0.0.1"), Person("Eve", visitor="192.0.2.9")
# The collection and the target of an entry.
Entry = tuple[str, str]


def upload(app: App, pictures: Path) -> int:
    return app.library.add_files(ADA, [("a.png", (pictures / "red.png").read_bytes())], "c").id


def saved(app: App) -> Revision:
    return app.curation.save(ADA, app.curation.open(ADA, "c"), "a note")


def removed(app: App) -> list[str]:
    ids = sorted(app.titles("c"))[:2]
    app.removal.remove(ADA, "c", ids)
    return ids


def alert(app: App) -> str:
    name = app.monitor.alerts.rules[0].name
    app.monitor.alerts.silence(name, datetime.now(UTC) + timedelta(hours=1), ADA, "known")
    return name


def discard_draft(app: App, _: Path) -> Entry:
    draft = app.curation.open(ADA, "c")
    app.curation.discard(ADA, draft)
    return "c", f"draft {draft.record.id}"


def take_over_draft(app: App, _: Path) -> Entry:
    draft = app.curation.open(Person("Bob", over_loopback=True), "c")
    app.curation.take_over(ADA, draft)
    return "c", f"draft {draft.record.id} of Bob"


def revoke(app: App, _: Path) -> Entry:
    session, code = app.sessions.offer(Person("Bob"), "")
    app.sessions.claim(code)
    app.sessions.revoke(ADA, session)
    return "", f"Bob ({session})"


def recompute_map(app: App, _: Path) -> Entry:
    app.atlas.refit(ADA, "c")
    return "c", ""


def save(app: App, _: Path) -> Entry:
    saved(app)
    return "c", "the first revision"


def publish(app: App, _: Path) -> Entry:
    revision = saved(app)
    app.curation.publish(ADA, revision.id, None)
    return "c", f"revision {revision.id}"


def restore(app: App, _: Path) -> Entry:
    revision = saved(app)
    app.curation.restore(ADA, revision.id)
    return "c", f"revision {revision.id}"


def name_revision(app: App, _: Path) -> Entry:
    revision = saved(app)
    app.curation.name_revision(ADA, revision.id, "the good one")
    return "c", f"revision {revision.id}"


def prune(app: App, _: Path) -> Entry:
    saved(app)
    app.curation.prune(ADA, "c", 1)
    return "c", "all but the newest 1"


def add_pictures(app: App, pictures: Path) -> Entry:
    upload(app, pictures)
    return "c", "1 uploaded file"


def stop_job(app: App, pictures: Path) -> Entry:
    job_id = upload(app, pictures)
    app.library.cancel(ADA, job_id)
    return "", f"job {job_id}"


def remove(app: App, _: Path) -> Entry:
    removed(app)
    return "c", "2 pictures"


def rescan(app: App, _: Path) -> Entry:
    app.sources.start(ADA, "c")
    return "c", "all sources"


def set_captions(app: App, pictures: Path) -> Entry:
    app.captions.set_captions(ADA, "c", str(pictures), "captions.csv", b"file,title\nred.png,Red\n")
    return "c", "captions of a source"


def remove_source(app: App, pictures: Path) -> Entry:
    app.sources.remove(ADA, "c", str(pictures))
    return "c", "a source"


def put_back(app: App, _: Path) -> Entry:
    app.removal.restore(ADA, "c", removed(app)[:1])
    return "c", "1 picture"


def empty_bin(app: App, _: Path) -> Entry:
    removed(app)
    app.removal.empty_bin(ADA, "c")
    return "c", ""


def delete_collection(app: App, _: Path) -> Entry:
    app.removal.delete(ADA, "c", "c")
    return "c", ""


def embed_again(app: App, _: Path) -> Entry:
    app.reembedding.start(ADA, "c", "other", "c-new")
    return "c", "c-new, with other"


def switch(app: App, _: Path) -> Entry:
    app.reembedding.embed("Ada", "c", "other", "c-new", False, ignore)
    app.reembedding.switch(ADA, "c", "c-new")
    return "c", "to c-new"


def evaluate(app: App, _: Path) -> Entry:
    app.quality.judging.judge(ADA, "c", "red", Vote(sorted(app.titles("c"))[0], True, "vector", 1))
    runner = EvaluationRunner(app)
    runner.start(ADA, EvaluationRequest("", "c", "vector", "a name"))
    while runner.latest is None or not runner.latest.done:
        time.sleep(0.01)
    return "c", "what people judged"


def stop_evaluation(app: App, _: Path) -> Entry:
    EvaluationRunner(app).stop(ADA)
    return "", ""


def silence(app: App, _: Path) -> Entry:
    return "", alert(app)


def end_silence(app: App, _: Path) -> Entry:
    name = alert(app)
    app.monitor.alerts.unsilence(name, ADA)
    return "", name


def back_up(app: App, pictures: Path) -> Entry:
    app.backups.back_up(ADA, pictures.parent / "backups")
    return "", "all collections"


def restore_backup(app: App, pictures: Path) -> Entry:
    backup = app.backups.back_up(ADA, pictures.parent / "backups").backup
    app.backups.restore(ADA, pictures.parent / "backups", RestoreOptions(["c"], as_name="d"))
    return "d", f"c of {backup.id}"


def verify(app: App, _: Path) -> Entry:
    app.backups.verify(ADA, ["c"])
    return "", "c"


def write_sidecars(app: App, _: Path) -> Entry:
    revision = saved(app)
    app.sidecars.write(ADA, "c", SidecarOptions(revision.id))
    return "c", f"revision {revision.id}"


def undo_sidecars(app: App, _: Path) -> Entry:
    publish_named(app, {"Harbour": ["red.png", "green.jpg"]})
    run = app.sidecars.write(OPERATOR, "c").run
    assert run is not None
    app.sidecars.undo(ADA, "c", run)
    return "c", f"run {run}"


def export_pictures(app: App, _: Path) -> Entry:
    app.exports.zip(ADA, "c", sorted(app.titles("c"))[:2])
    return "c", "2 pictures"


AUDITED: dict[Action, Callable[[App, Path], Entry]] = {
    Action.DISCARD_DRAFT: discard_draft,
    Action.TAKE_OVER_DRAFT: take_over_draft,
    Action.SAVE: save,
    Action.PUBLISH: publish,
    Action.RESTORE: restore,
    Action.NAME_REVISION: name_revision,
    Action.PRUNE: prune,
    Action.ADD_PICTURES: add_pictures,
    Action.WRITE_SIDECARS: write_sidecars,
    Action.UNDO_SIDECARS: undo_sidecars,
    Action.EXPORT_PICTURES: export_pictures,
    Action.RESCAN: rescan,
    Action.SET_CAPTIONS: set_captions,
    Action.REMOVE_SOURCE: remove_source,
    Action.STOP_JOB: stop_job,
    Action.REMOVE: remove,
    Action.PUT_BACK: put_back,
    Action.EMPTY_BIN: empty_bin,
    Action.DELETE_COLLECTION: delete_collection,
    Action.EMBED_AGAIN: embed_again,
    Action.SWITCH: switch,
    Action.EVALUATE: evaluate,
    Action.STOP_EVALUATION: stop_evaluation,
    Action.SILENCE: silence,
    Action.END_SILENCE: end_silence,
    Action.REVOKE: revoke,
    Action.RECOMPUTE_MAP: recompute_map,
    Action.BACK_UP: back_up,
    Action.RESTORE_BACKUP: restore_backup,
    Action.VERIFY: verify,
}
# Edits of a draft are the draft's own history until it is saved; the others look, or compute what follows anyway.
WITHOUT_A_LINE = {
    Action.EDIT_CLUSTERS,
    Action.SEE_SESSIONS,
    Action.READ_AUDIT_LOG,
    Action.FIND_DUPLICATES,
}


@pytest.fixture
def filled(app: App, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """The App with a collection `c`; its jobs stay queued."""
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    app.ingest(pictures, "c")
    return app


def test_every_action_is_known_here() -> None:
    assert {*AUDITED, *WITHOUT_A_LINE} == set(Action)


@pytest.mark.parametrize("action", AUDITED, ids=lambda action: action.label)
def test_an_action_leaves_its_line(action: Action, filled: App, pictures: Path) -> None:
    collection, target = AUDITED[action](filled, pictures)
    (entry,) = filled.audit.entries(ADA, AuditFilter(action=action.label))
    assert (entry.actor, entry.identity, entry.visitor) == ("Ada", "name:Ada", "127.0.0.1")
    assert (entry.collection, entry.target, entry.outcome) == (collection, target, "done")


def test_what_is_refused_leaves_no_line_and_what_fails_says_so(filled: App) -> None:
    with pytest.raises(NotAllowed):
        filled.removal.delete(EVE, "c", "c")
    assert list(filled.audit.entries(ADA)) == []
    with pytest.raises(ContactSheetError, match="a violet evening"):
        filled.removal.delete(ADA, "c", "a violet evening")
    assert [entry.outcome for entry in filled.audit.entries(ADA)] == ["not done: collection error"]


def test_a_job_is_logged_as_it_is_started_and_not_again_as_it_runs(filled: App, pictures: Path) -> None:
    job_id = upload(filled, pictures)
    assert filled.run_job(job_id).state == "done"
    assert [(entry.action, entry.target) for entry in filled.audit.entries(ADA)] == [
        ("add pictures", "1 uploaded file")
    ]
