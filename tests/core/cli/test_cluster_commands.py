from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.app import App
from core.cli import command_context
from core.cli import main as cli
from core.clusters import service as cluster_service
from core.settings import Secret, Settings
from core.store.lance.collections import Collections
from tests.fakes.colour_app import colour_app
from tests.fakes.encoder import ColourEncoder
from tests.fakes.painted import add, paint

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(painted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(painted, tmp_path / "data"))


@pytest.fixture
def app(data: Path) -> App:
    return colour_app(data)


@pytest.fixture
def run(app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the collection `c`: (exit code, standard output, standard error)."""
    monkeypatch.setattr(command_context, "_open_app", lambda: app)

    def command(*arguments: object, collection: str = "c") -> tuple[int, str, str]:
        code = cli.main([*map(str, arguments), "--collection", collection])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def document(run: Run, *arguments: object) -> dict[str, Any]:
    """What a command prints with --json; it has to be one document, and the command a success."""
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    assert len(out.splitlines()) == 1
    found: dict[str, Any] = json.loads(out)
    return found


# -- cluster ---------------------------------------------------------------------------------------------------


def test_cluster_lists_the_clusters_the_largest_first(run: Run) -> None:
    code, out, err = run("cluster")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["4", "3"]
    assert err.splitlines()[-1] == "2 clusters at 0.82, 1 picture unclustered"


def test_cluster_lists_members_where_asked(run: Run) -> None:
    _, out, _ = run("cluster", "--members")
    assert [line.split()[1] for line in out.splitlines() if line.startswith("   " * 2 + "  ")].count("red_0.png") == 1
    assert sum(".png" in line for line in out.splitlines()) == 7


def test_cluster_json_is_one_document_with_stable_names(run: Run, app: App) -> None:
    found = document(run, "cluster", "--threshold", 0.9, "--members")
    assert set(found) == {
        "collection",
        "collection_version",
        "threshold",
        "smallest",
        "unclustered",
        "clusters",
        "losses",
    }
    assert (found["collection"], found["threshold"], found["smallest"], found["unclustered"]) == ("c", 0.9, 2, 1)
    assert found["collection_version"] == app.version("c")
    first = found["clusters"][0]
    assert set(first) == {
        "id",
        "name",
        "confirmed",
        "confidence",
        "size",
        "threshold",
        "no_group",
        "cohesion",
        "borderline",
        "representative",
        "members",
    }
    assert (first["size"], first["confirmed"], first["name"], first["threshold"]) == (4, False, "Red", 0.9)
    assert 0 < first["confidence"] <= 1
    assert [set(member) for member in first["members"]] == [{"id", "title", "similarity"}] * 4
    assert first["representative"] in {member["id"] for member in first["members"]}
    assert {member["title"] for member in first["members"]} == {f"red_{number}.png" for number in range(4)}
    assert "members" not in document(run, "cluster")["clusters"][0]


def test_the_smallest_cluster_and_the_threshold_can_be_set(run: Run) -> None:
    assert [c["size"] for c in document(run, "cluster", "--smallest", 4)["clusters"]] == [4]
    assert [c["size"] for c in document(run, "cluster", "--threshold", -1)["clusters"]] == [8]
    assert document(run, "cluster", "--threshold", 1)["clusters"] == []


def ids(app: App) -> dict[str, str]:
    return {title.removesuffix(".png"): asset_id for asset_id, title in app.titles("c").items()}


def test_a_branch_is_given_by_two_pictures_in_any_order(run: Run, app: App) -> None:
    of = ids(app)
    for ends in (("red_0", "red_3"), ("red_3", "red_0")):
        branch = f"{of[ends[0]][:12]}, {of[ends[1]]}=1.0"
        assert [c["size"] for c in document(run, "cluster", "--branch", branch)["clusters"]] == [3]
    both = [f"--branch={of['red_0']},{of['red_3']}=1", f"--branch={of['red_3']},{of['red_0']}=0.5"]
    again = document(run, "cluster", *both)
    assert ([c["size"] for c in again["clusters"]], again["losses"]) == ([4, 3], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cluster", "--threshold", "7"], "a threshold of 7.0 is not possible"),
        (["cluster", "--threshold", "nan"], "a threshold of nan is not possible"),
        (["cluster", "--smallest", "0"], "the smallest cluster cannot have 0 pictures"),
        (["cluster", "--branch", "zzz=0.9"], "0 pictures with an id that begins with 'zzz'"),
        (["cluster", "--branch", "=0.9"], "0 pictures with an id that begins with ''"),
        (["cluster", "--branch", "nothing"], "'nothing' is not a branch"),
        (["revisions", "publish", "99"], "there is no revision 99"),
        (["revisions", "publish"], "publish needs 1 revision: revisions publish 3"),
        (["revisions", "diff", "1"], "diff needs 2 revisions: revisions diff 3 4"),
        (["revisions", "diff", "98", "99"], "there is no revision 98"),
        (["revisions", "export", "99"], "there is no revision 99"),
        (["revisions", "restore", "99"], "there is no revision 99"),
        (["revisions", "name", "99", "--note", "x"], "there is no revision 99"),
        (["revisions", "prune", "--keep", "0"], "keep 1 or more, not 0"),
        (["assign", "--threshold", "0.9"], "c has no published clusters"),
        (["assign", "--threshold", "9"], "a threshold of 9.0 is not possible"),
    ],
)
def test_what_is_not_possible_is_one_line_on_standard_error_and_exit_code_1(
    run: Run, arguments: list[str], message: str
) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert message in line
    assert err.splitlines()[-1] == line


def test_an_ambiguous_id_prefix_is_refused(run: Run, app: App, tmp_path: Path) -> None:
    paint(tmp_path / "many", "red", 17)  # more than there are digits
    app.ingest(tmp_path / "many", "c")
    starts = [asset_id[0] for asset_id in app.titles("c")]
    twice = next(start for start in starts if starts.count(start) > 1)
    code, _, err = run("cluster", "--branch", f"{twice}=0.9")
    assert code == 1
    assert f"{starts.count(twice)} pictures with an id that begins with '{twice}': write more digits" in err


@pytest.mark.parametrize("command", [["cluster"], ["revisions"], ["revisions", "save"], ["assign"]])
def test_a_collection_that_does_not_exist_is_said(run: Run, command: list[str]) -> None:
    code, out, err = run(*command, collection="none")
    assert (code, out) == (1, "")
    assert err.startswith("error: there is no collection 'none'")


def test_a_big_collection_is_linked_by_the_command_and_only_where_that_is_needed(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_service, "INLINE_LINKAGE_LIMIT", 2)
    assert run("revisions", "list")[0] == 0
    assert run("assign")[0] == 0
    assert not (data / "linkages").exists()
    code, out, err = run("cluster")
    assert (code, len(out.splitlines())) == (0, 2)
    assert "link" in err


# -- revisions -------------------------------------------------------------------------------------------------


def save(run: Run, *arguments: object) -> int:
    (revision,) = document(run, "revisions", "save", *arguments)["revisions"]
    return int(revision["id"])


def test_revisions_are_saved_and_listed(run: Run) -> None:
    assert run("revisions")[1:] == ("", "no revisions yet: python -m core revisions save\n")
    code, out, _ = run("revisions", "save", "--threshold", 0.9, "--note", "first")
    assert code == 0
    assert out.split()[3:] == ["0.9", "2", "clusters", "command", "line", "first"]
    second = save(run, "--smallest", 3)
    listed = document(run, "revisions", "list")["revisions"]
    assert [(r["id"], r["threshold"], r["cluster_count"], r["author"]) for r in listed] == [
        (second, 0.9, 2, "command line"),
        (second - 1, 0.9, 2, "command line"),
    ]
    assert set(listed[0]) == {
        "id",
        "collection",
        "collection_version",
        "parent",
        "threshold",
        "plan",
        "author",
        "created_at",
        "note",
        "name",
        "published",
        "size",
        "cluster_count",
        "named_count",
    }
    assert len(run("revisions", "list")[1].splitlines()) == 2


def test_what_was_saved_last_is_where_the_next_cut_begins(run: Run) -> None:
    save(run, "--threshold", 0.9, "--smallest", 4)
    found = document(run, "cluster")
    assert (found["threshold"], found["smallest"], len(found["clusters"])) == (0.9, 4, 1)


def test_a_revision_is_published_in_place_of_the_one_before(run: Run) -> None:
    first, second = save(run), save(run, "--threshold", 0.9)
    for revision in (first, second):
        assert run("revisions", "publish", revision)[0] == 0
    published = [r["id"] for r in document(run, "revisions")["revisions"] if r["published"]]
    assert published == [second]
    assert "published" in run("revisions")[1].splitlines()[0]


def test_a_revision_of_another_collection_is_refused(run: Run, app: App, tmp_path: Path) -> None:
    revision = save(run)
    paint(tmp_path / "other", "red", 2)
    app.ingest(tmp_path / "other", "other")
    for arguments in (["publish", revision], ["diff", revision, revision], ["export", revision], ["restore", revision]):
        code, out, err = run("revisions", *arguments, collection="other")
        assert (code, out) == (1, "")
        assert f"revision {revision} is of c, not of other: add --collection c" in err


def test_two_revisions_are_compared_in_sentences(run: Run) -> None:
    first, second = save(run), save(run, "--threshold", -1)
    code, out, _ = run("revisions", "diff", first, second)
    assert code == 0
    assert out.splitlines()[0].endswith("change place; 2 clusters before, 1 after.")
    assert document(run, "revisions", "diff", first, second)["changes"] == out.splitlines()
    assert document(run, "revisions", "diff", first, first) == {"changes": ["Nothing changes."]}


def test_a_revision_is_exported_to_standard_output_or_a_file(run: Run, app: App, tmp_path: Path) -> None:
    revision = save(run)
    code, out, _ = run("revisions", "export", revision)
    rows = list(csv.DictReader(io.StringIO(out.removeprefix("\ufeff"))))
    assert (code, {row["asset_id"] for row in rows}) == (0, set(app.titles("c")))
    exported = document(run, "revisions", "export", revision)
    assert (exported["revision"], len(exported["assignments"])) == (revision, 8)
    file = tmp_path / "out.parquet"
    assert run("revisions", "export", revision, "--format", "parquet", "--output", file)[:2] == (0, "")
    assert pq.read_table(file).num_rows == 8
    code, _, err = run("revisions", "export", revision, "--output", tmp_path / "no" / "such" / "folder")
    assert (code, err.count("\n")) == (1, 1)
    assert "No such file or directory" in err


def test_an_old_revision_is_restored_and_named(run: Run) -> None:
    first, second = save(run, "--threshold", 0.9), save(run, "--threshold", 0.5)
    (restored,) = document(run, "revisions", "restore", first)["revisions"]
    assert (restored["parent"], restored["threshold"], restored["note"]) == (second, 0.9, f"revision {first} again")
    (named,) = document(run, "revisions", "name", first, "--note", "for the book")["revisions"]
    assert (named["id"], named["name"]) == (first, "for the book")


def test_pruning_says_how_many_went(run: Run) -> None:
    revisions = [save(run, "--threshold", 0.5 + 0.1 * step) for step in range(4)]
    run("revisions", "name", revisions[0], "--note", "keep")
    assert run("revisions", "prune", "--keep", 1)[1] == "2 revisions removed; published and named ones stay\n"
    assert document(run, "revisions", "prune", "--keep", 1) == {"removed": 0}
    assert [r["id"] for r in document(run, "revisions")["revisions"]] == [revisions[3], revisions[0]]


def test_the_command_line_holds_the_curators_key_that_its_settings_hold(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data=data, model="local-dir:colour", model_is_explicit=True, curator_key=Secret("key"))
    app = App(settings, Collections(data / "collections"), lambda *_: ColourEncoder())
    monkeypatch.setattr(command_context, "_open_app", lambda: app)
    assert cli.main(["revisions", "save", "--collection", "c"]) == 0
    assert cli.main(["revisions", "prune", "--collection", "c"]) == 0
    captured = capsys.readouterr()
    assert "key" not in captured.out + captured.err


# -- assign ----------------------------------------------------------------------------------------------------


def test_assign_places_who_has_no_place_and_rehearses_another_threshold(run: Run, app: App, tmp_path: Path) -> None:
    revision = save(run)
    add(app, tmp_path, "red", 2)
    run("revisions", "publish", revision)
    assert run("assign")[1] == "2 pictures assigned\n"
    assert document(run, "assign") == {"assigned": 0}
    code, out, err = run("assign", "--threshold", 0.97)
    assert code == 0
    assert all(line.endswith("Red → new") for line in out.splitlines())
    assert err.splitlines()[-1] == f"{len(out.splitlines())} of the last 10 pictures would be assigned differently"
    found = document(run, "assign", "--threshold", 0.97, "--last", 3)
    assert found["tried"] == 3
    assert {name for change in found["changes"] for name in change} <= {
        "asset_id",
        "title",
        "before",
        "after",
        "similarity",
    }
    assert document(run, "assign", "--threshold", 0.82)["changes"] == []


@pytest.mark.parametrize("how", ["csv", "json", "parquet"])
def test_an_exported_clustering_is_imported_as_a_new_revision_with_its_names(
    run: Run, app: App, tmp_path: Path, how: str
) -> None:
    document(run, "revisions", "save")
    file = tmp_path / f"clusters.{how}"
    assert run("revisions", "export", 1, "--format", how, "--output", file)[0] == 0
    (imported,) = document(run, "revisions", "import", "--input", file)["revisions"]
    assert (imported["id"], imported["note"]) == (2, f"imported from clusters.{how}")
    before, after = app.clusters.clustering(1), app.clusters.clustering(2)
    assert {c.name for c in after.clusters if c.confirmed} == {c.name for c in before.clusters}
    assert [c.size for c in after.clusters] == [c.size for c in before.clusters]


def test_a_file_that_is_no_export_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    code, _, err = run("revisions", "import", "--input", tmp_path / "odd.csv")
    assert (code, len(err.strip().splitlines())) == (1, 1)
    assert "is not an exported clustering" in err
    assert "import needs a file" in run("revisions", "import")[2]
