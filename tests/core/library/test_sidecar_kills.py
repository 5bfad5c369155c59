"""Writing sidecars, or undoing that, killed at any moment (SIGKILL): each is whole, and all can be undone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from core.access import OPERATOR
from core.app import App
from tests.fakes.colour_app import colour_app
from tests.fakes.killed_sidecars import write_and_undo
from tests.fakes.named_clusters import publish_named
from tests.fakes.painted import paint
from tests.fakes.sidecars import LIGHTROOM
from tests.fakes.strikes import Kill, Struck, kills, strike
from tests.fakes.trials import trials

PICTURES = 16  # half of them have a sidecar
ENTRIES = {"record": 1, "write": 24, "create": 8, "replace": 16, "delete": 40, "forget": 2}
KILLS = trials(10 * len(ENTRIES), at_least=2 * len(ENTRIES))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def undo_all(app: App) -> None:
    for run in app.sidecars.runs("c"):
        assert {each.outcome for each in app.sidecars.undo(OPERATOR, "c", run.id)} <= {
            "restored",
            "deleted",
            "unchanged",
        }


def test_sidecars_are_whole_and_can_be_undone_whenever_the_process_is_killed(tmp_path: Path) -> None:
    archive, app = tmp_path / "archive", colour_app(tmp_path / "data")
    paint(archive, "red", PICTURES)
    for number in range(0, PICTURES, 2):
        (archive / f"red_{number}.xmp").write_bytes(LIGHTROOM)
    app.ingest(archive, "c")
    publish_named(app, {"Harbour": [f"red_{number}.png" for number in range(PICTURES)]})
    before = files(archive)
    app.sidecars.write(OPERATOR, "c")
    after = files(archive)
    undo_all(app)
    assert files(archive) == before

    hits = Counter[str]()
    for kill in kills(ENTRIES, KILLS, seed=16):
        struck = strike(write_and_undo, (app.settings.data,), kill)
        hits[f"{kill.stage}, {'inside' if struck.inside else 'just after' if struck.killed else 'ended'}"] += 1
        check(files(archive), before, after, kill, struck)
        undo_all(app)
        assert files(archive) == before, kill
    print(dict(sorted(hits.items())))
    assert sum(count for what, count in hits.items() if "ended" not in what) >= KILLS // 2, hits


def check(
    found: dict[str, bytes], before: dict[str, bytes], after: dict[str, bytes], kill: Kill, struck: Struck
) -> None:
    whole = {name: content for name, content in found.items() if not name.endswith(".draft")}
    assert before.keys() <= whole.keys() <= after.keys(), kill
    for name, content in whole.items():
        assert content in (before.get(name), after[name]), (kill, name)
    if not struck.killed:
        assert found == before
