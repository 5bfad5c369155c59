"""docs/reference/json.md against what the commands print: every key is documented, and every documented key occurs."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.access import OPERATOR, Person, RoleRules
from core.app import App
from core.cli import main as cli
from core.clusters.service import LINKAGE_JOB
from core.ingest.sources.unsplash import UnsplashOptions
from core.quality.judging import Vote
from core.quality.label_sets import LabelledQuery, to_jsonl
from core.records.jobs import Failure
from core.settings import PROJECT
from core.store.sql.database import Database
from core.store.sql.job_store import JobStore
from tests.fakes.encoder import COLOURS
from tests.fakes.gemini import MockGeminiServer
from tests.fakes.gemini_app import ranking_app
from tests.fakes.gemini_client import KEY
from tests.fakes.killed_unsplash import unsplash
from tests.fakes.sidecars import LIGHTROOM
from tests.fakes.unsplash import FakeUnsplash

REFERENCE = PROJECT / "docs" / "reference"
# Every command, in all the ways that print different keys; `c` is the painted collection.
CALLS = {
    "demo": ["demo", "demo"],
    "ingest": ["ingest {pictures} --collection d"],
    "ingest-unsplash": ["ingest-unsplash {tables} --collection d"],
    "search": ["search red --collection c", "search red --collection c --rank"],
    "cluster": ["cluster --collection c --members"],
    "revisions": [
        "revisions save --collection c",
        "revisions save --collection c --threshold 0.5",
        "revisions publish 1 --collection c",
        "revisions diff 1 2 --collection c",
        "revisions prune --collection c",
    ],
    "revisions export": ["revisions export 1 --collection c"],
    "write-sidecars": ["write-sidecars c --keywords --dry-run", "write-sidecars c --keywords"],
    "write-sidecars --list": ["write-sidecars c --list"],
    "write-sidecars --undo": ["write-sidecars c --undo 1"],
    "export-pictures": ["export-pictures c --to {exported}"],
    "assign": ["assign --collection c", "assign --collection c --threshold 0.9999"],
    "map": ["map --collection c"],
    "evaluate": ["evaluate {labels} --collection c --record-floor", "evaluate {labels} --collection c --ranker gemini"],
    "compare": ["compare", "compare 1 2"],
    "validate": ["validate --collection c --labels {labels.parent}"],
    "judgements": ["judgements --collection c"],
    "weak-labels": ["weak-labels {tables} --collection lite --downloads 1 --photos 1"],
    "zero-shot": ["zero-shot {classes} --collection c"],
    "metrics": ["metrics"],
    "audit": ["audit", "audit --output {output}"],
    "sessions": ["sessions", "sessions --end {session}"],
    "collections": ["collections"],
    "duplicates": ["duplicates --collection c"],
    "sources": ["sources c"],
    "rescan --dry-run": ["rescan c --dry-run"],
    "rescan": ["rescan c"],
    "missing": ["missing c"],
    "remove-source": ["remove-source c {pictures}"],
    "remove": ["remove {asset} --collection c"],
    "put-back": ["put-back --collection c"],
    "reembed": ["reembed c --model local-dir:other"],
    "switch": ["switch c c-new"],
    "backup": ["backup {place}", "backup --list {place}"],
    "restore": ["restore {place} --collection c --as restored", "restore --begin-anew judgements.db"],
    "verify": ["verify"],
    "download-model": ["download-model"],
    "run-job": ["run-job {job}"],
    "doctor": ["doctor"],
}


@pytest.fixture(scope="module")
def documented() -> dict[str, set[str]]:
    """The keys in the tables of the reference, by the commands in the heading above."""
    text = (REFERENCE / "json.md").read_text(encoding="utf-8")
    _, *sections = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    found = {}
    for heading, body in zip(sections[::2], sections[1::2], strict=True):
        keys = set(re.findall(r"^\| `([^`]+)` \|", body, re.MULTILINE))
        found |= dict.fromkeys(re.findall("`([^`]+)`", heading), keys)
    return found


@pytest.fixture(scope="module")
def printed(painted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[str]]]:
    """The path of every value that a command prints."""
    folder = tmp_path_factory.mktemp("json")
    shutil.copytree(painted.parent, folder, dirs_exist_ok=True)
    with MockGeminiServer(KEY) as server, pytest.MonkeyPatch.context() as patch:
        app = ranking_app(folder / "data", folder / "data", server.address, rank_deadline_s=30.0)
        patch.setattr("core.app.open_app", lambda *_: app)
        given = prepare(app, folder, patch)
        yield {
            command: {path for call in calls for path in paths(printed_by(call.format(**given)))}
            for command, calls in CALLS.items()
        }


def prepare(app: App, folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the calls name: files and folders, a picture, a session and a job."""
    pictures, asset = folder / "pictures", next(iter(app.titles("c")))
    (pictures / "empty.jpg").touch()
    shutil.copy(pictures / "red_0.png", pictures / "again.png")
    for compress_level in (1, 9):
        gradient = Image.linear_gradient("L").convert("RGB")
        gradient.save(pictures / f"gradient_{compress_level}.png", compress_level=compress_level)
    (pictures / "red_1.xmp").write_bytes(LIGHTROOM)
    report = app.ingest(pictures, "c")
    (pictures / "red_1.xmp").unlink()
    demo_reports = iter([report, None])
    (folder / "data" / "collections" / "broken").mkdir()
    (folder / "data" / "collections" / "broken" / "collection.json").write_text("{")
    patch.setattr(app.backups, "begin_anew", lambda *_: "judgements.damaged.db")
    patch.setattr(app, "ensure_demo", lambda *_: next(demo_reports))
    patch.setattr(app, "ingest_unsplash", lambda *_: replace(report, failures=(Failure("u", "not found"),)))
    app.access.sign_in = RoleRules(frozenset({"desk"}))
    (pictures / "gradient_1.png").rename(pictures / "moved.png")
    (pictures / "gradient_9.png").unlink()
    (pictures / "gone.png").symlink_to(pictures / "nowhere.png")
    app.quality.judging.judge(Person("Ada"), "c", "red", Vote(asset, True, "vector", 1))
    claims = {"iss": "https://id.example", "sub": "17", "name": "Ada", "groups": ["desk"]}
    session = app.sessions.recognise(app.sessions.sign_in(claims, "192.0.2.7", "Firefox"))
    assert session is not None
    return {
        "pictures": pictures,
        "asset": asset,
        "session": session.id,
        "job": JobStore(Database(folder / "data" / "contactsheet.db")).add(LINKAGE_JOB, "c", {}, OPERATOR.author).id,
        "labels": write_labels(folder / "eval" / "c.jsonl", asset),
        "classes": paint_classes(folder / "classes"),
        "tables": add_unsplash_photos(folder),
        "output": folder / "audit.csv",
        "place": folder / "backups",
        "exported": folder / "exported",
    }


def write_labels(path: Path, asset: str) -> Path:
    path.parent.mkdir()
    path.write_text(to_jsonl([LabelledQuery("1", "red", "colour", {asset: 2})]), encoding="utf-8")
    return path


def paint_classes(folder: Path) -> Path:
    for name in ("red", "green"):
        (folder / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), COLOURS[name]).save(folder / name / "one.png")
    (folder / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def add_unsplash_photos(folder: Path) -> Path:
    """Add a collection `lite`; returns the folder of its dataset's tables."""
    with FakeUnsplash(folder / "server", 12) as server:
        tables = server.write_tables(folder / "tables")
        unsplash(folder / "data").ingest(str(tables), "lite", UnsplashOptions(width=64))
    return tables


def printed_by(call: str) -> Any:
    """What a command prints with --json."""
    with redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)) as output:
        cli.main([*call.split(), "--json"])
        return json.loads(output.buffer.getvalue())


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The path of every value, `results[].id`; what is in a list of plain values is no value of its own."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, f"{path}.{key}" if path else key)
    if isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict):
                yield from paths(inner, f"{path}[]")


def is_documented(path: str, keys: set[str]) -> bool:
    """Whether the path is a documented key, above one, or below one that ends in `.*`."""
    return any(key == path or key.startswith((f"{path}.", f"{path}[]")) or below(path, key) for key in keys)


def below(path: str, key: str) -> bool:
    return key.endswith(".*") and path.startswith(key.removesuffix("*"))


def test_every_key_that_a_command_prints_is_documented(
    printed: dict[str, set[str]], documented: dict[str, set[str]]
) -> None:
    keys = {(command, path) for command, found in printed.items() for path in found}
    assert {(c, path) for c, path in keys if not is_documented(path, documented.get(c, set()))} == set()


def test_every_documented_key_is_printed(printed: dict[str, set[str]], documented: dict[str, set[str]]) -> None:
    keys = {(command, key) for command, found in documented.items() for key in found}
    assert {(c, key) for c, key in keys if key.removesuffix(".*") not in printed.get(c, set())} == set()


def test_every_command_has_its_documents() -> None:
    commands = set(
        re.findall(r"python -m core ([a-z][a-z-]*)", (REFERENCE / "commands.md").read_text(encoding="utf-8"))
    )
    assert commands == {call.split()[0] for calls in CALLS.values() for call in calls}
