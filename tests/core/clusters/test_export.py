from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clusters.curation import clustering_from_view
from core.clusters.edits.model import ClusterRef, Edit, Move, Rename
from core.clusters.edits.plan import Plan, apply
from core.clusters.edits.validation import check_edit
from core.clusters.views.cluster_view import ClusterBase, ClusterView, build_view
from core.clusters.views.export import FORMATS, MAX_CLUSTERS, Format, export_centroids, export_clustering, import_edits
from core.clusters.views.partition import build_partition
from core.errors import ClusterError
from core.records.clusterings import Clustering, Revision
from tests.core.clusters.test_cluster_view import complete_base
from tests.fakes.dendrograms import IDS, PLANS, applied, asset_id

REVISION = Revision(
    7,
    "birds",
    "0123456789abcdef",
    6,
    0.82,
    {"version": 1},
    "Ada",
    datetime(2026, 3, 1, 12, tzinfo=UTC),
    "first",
    "",
    False,
    6,
    2,
    1,
)
TITLES = {IDS[0]: "=HYPERLINK(1)", IDS[1]: "-1+1|cmd", IDS[2]: "'quoted", IDS[3]: "plain, with a comma"}


def view_of(*edits: Edit, count: int = 6) -> ClusterView:
    return build_view(complete_base(count, 1), applied(Plan(1.0), edits))


def clustering(view: ClusterView) -> Clustering:
    return clustering_from_view(view, [None] * len(view.clusters))


def group(name: str, *numbers: int) -> tuple[Edit, Edit]:
    """Edits that make a cluster of some pictures."""
    ids = tuple(sorted(IDS[number] for number in numbers))
    return Move(ids, None), Rename(ClusterRef(ids), name)


def two_groups() -> Clustering:
    return clustering(view_of(*group("+Birds", 0, 1, 2), *group("’80s; “Cars”", 3, 4)))


def cells(data: bytes) -> list[dict[str, str]]:
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def test_a_csv_file_has_a_line_per_picture() -> None:
    found = two_groups()
    rows = cells(export_clustering(REVISION, found, TITLES, "csv"))
    assert list(rows[0]) == ["asset_id", "title", "cluster_id", "cluster"]
    assert [row["asset_id"] for row in rows] == list(found.asset_ids)
    by_id = {row["asset_id"]: row for row in rows}
    assert by_id[IDS[3]] == {
        "asset_id": IDS[3],
        "title": "plain, with a comma",
        "cluster_id": found.clusters[1].id,
        "cluster": "’80s; “Cars”",
    }
    assert (by_id[IDS[5]]["cluster_id"], by_id[IDS[5]]["cluster"], by_id[IDS[5]]["title"]) == ("", "", "")


FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@settings(deadline=None)
@given(st.text("=+-@'＝\t\r\nab", max_size=6))
def test_no_cell_of_a_csv_file_is_run_by_a_spreadsheet(title: str) -> None:
    rows = cells(export_clustering(REVISION, two_groups(), {IDS[0]: title}, "csv"))
    assert not any(value.startswith(FORMULAS) for row in rows for value in row.values())
    assert {row["cluster"] for row in rows} == {"'+Birds", "’80s; “Cars”", ""}


def test_json_has_the_revision_its_clusters_and_every_assignment() -> None:
    found = two_groups()
    document = json.loads(export_clustering(REVISION, found, TITLES, "json"))
    assert set(document) == {
        "collection",
        "collection_version",
        "revision",
        "threshold",
        "author",
        "note",
        "created_at",
        "plan",
        "clusters",
        "assignments",
    }
    assert (document["revision"], document["created_at"]) == (7, "2026-03-01T12:00:00+00:00")
    first = document["clusters"][0]
    assert (first["name"], first["size"], first["confirmed"], first["threshold"]) == ("+Birds", 3, True, 1.0)
    assert np.array(first["centroid"], np.float32) == pytest.approx(found.clusters[0].centroid)
    assert document["assignments"][0]["asset_id"] == found.asset_ids[0]
    assert {row["title"] for row in document["assignments"]} == {*TITLES.values(), ""}


def test_parquet_has_every_assignment_with_its_centroid() -> None:
    found = two_groups()
    table = pq.read_table(io.BytesIO(export_clustering(REVISION, found, TITLES, "parquet")))
    assert json.loads(table.schema.metadata[b"contactsheet"]) == {
        "revision": 7,
        "collection": "birds",
        "threshold": 0.82,
    }
    assert table.schema.field("centroid").type == pa.list_(pa.float32())
    for row, label in zip(table.to_pylist(), found.labels.tolist(), strict=True):
        cluster = found.clusters[label] if label >= 0 else None
        assert (row["cluster_id"], row["cluster"]) == ((cluster.id, cluster.name) if cluster else ("", ""))
        assert row["centroid"] == (pytest.approx(cluster.centroid) if cluster else None)


def test_centroids_are_an_array_file() -> None:
    found = two_groups()
    assert np.load(io.BytesIO(export_centroids(found))).tolist() == [c.centroid.tolist() for c in found.clusters]


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_empty_clustering_can_be_exported_and_names_no_cluster(file_format: Format) -> None:
    nothing = Clustering((), np.empty(0, np.int32), ())
    with pytest.raises(ClusterError, match=f"empty.{file_format} names no cluster of two pictures"):
        import_edits(export_clustering(REVISION, nothing, {}, file_format), f"empty.{file_format}", IDS)


NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12) | st.sampled_from(
    ["'", "''=x", "'=x", "=x", "'80s", "+1", '"', ",", ";", "@a b", "名前", "x" * 80]
)
GROUPS = st.lists(st.tuples(NAMES, st.integers(2, 4)), max_size=5, unique_by=lambda group: group[0])


@settings(deadline=None)
@given(GROUPS, PLANS, st.sampled_from(FORMATS))
def test_an_exported_and_imported_clustering_has_the_same_named_groups(
    groups: list[tuple[str, int]], onto: Plan, file_format: Format
) -> None:
    edits, start = list[Edit](), 0
    for name, size in groups:
        edits += group(name, *range(start, start + size))
        start += size
    view = view_of(*edits, count=24)
    named = {(c.name, frozenset(view.partition.members(n))) for n, c in enumerate(view.clusters)}
    data = export_clustering(REVISION, clustering(view), {}, file_format)
    if not groups:
        with pytest.raises(ClusterError, match="names no cluster"):
            import_edits(data, f"x.{file_format}", IDS)
        return
    found, missing = import_edits(data, f"x.{file_format.upper()}", IDS)
    assert missing == 0
    again = build_partition(
        applied(Plan(onto.threshold, onto.min_cluster_size, onto.branches), found), *_world(view.base)
    )
    assert named <= {(c.name, frozenset(again.members(n))) for n, c in enumerate(again.clusters)}


def _world(base: ClusterBase) -> tuple:
    return base.index, base.linkage


def rows_as(file_format: Format, rows: list[tuple[str, str]]) -> bytes:
    """A file as another program would write it."""
    if file_format == "json":
        return json.dumps({"assignments": [{"asset_id": i, "cluster": c} for i, c in rows]}).encode()
    if file_format == "parquet":
        buffer = io.BytesIO()
        pq.write_table(pa.table({"asset_id": [i for i, _ in rows], "cluster": [c for _, c in rows]}), buffer)
        return buffer.getvalue()
    text = io.StringIO()
    csv.writer(text).writerows([("asset_id", "cluster"), *rows])
    return text.getvalue().encode()


@pytest.mark.parametrize("file_format", FORMATS)
def test_pictures_of_another_collection_are_counted_and_skipped(file_format: Format) -> None:
    foreign = [(asset_id(f"foreign {number}"), "Birds") for number in range(3)]
    data = rows_as(file_format, [(IDS[0], "Birds"), *foreign, foreign[0], (IDS[1], "Birds"), (IDS[2], "")])
    edits, missing = import_edits(data, f"x.{file_format}", IDS)
    assert (edits, missing) == (list(group("Birds", 0, 1)), 3)


def test_a_single_picture_is_no_cluster_and_neither_are_pictures_without_a_name() -> None:
    rows = [(IDS[0], "Alone"), (IDS[1], "Two"), (IDS[2], "Two"), (IDS[3], " "), (IDS[4], "")]
    assert import_edits(rows_as("csv", rows), "x.csv", IDS) == (list(group("Two", 1, 2)), 0)


def test_for_a_picture_listed_twice_the_last_line_counts() -> None:
    rows = [(IDS[0], "Cats"), (IDS[1], "Cats"), (IDS[2], "Cats"), (IDS[0], "Dogs"), (IDS[3], "Dogs"), (IDS[1], "Cats")]
    edits, _ = import_edits(rows_as("csv", rows), "x.csv", IDS)
    assert edits == [*group("Cats", 1, 2), *group("Dogs", 0, 3)]


@settings(deadline=None)
@given(st.text(st.characters(), max_size=100), st.sampled_from(["csv", "json"]))
def test_any_name_in_a_file_is_made_valid(name: str, file_format: Format) -> None:
    if file_format == "csv":
        name = name.encode("utf-8", "replace").decode()
    data = rows_as(file_format, [(IDS[0], name), (IDS[1], name), (IDS[2], "Other"), (IDS[3], "Other")])
    edits, _ = import_edits(data, f"x.{file_format}", IDS)
    plan = Plan()
    for edit in edits:
        check_edit(edit)
        plan = apply(plan, edit)
    assert edits[-2:] == list(group("Other", 2, 3)) or len(edits) == 4


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("x" * 79 + " yz", "x" * 79),
        ("a\x00b \u202ec", "a b c"),
        ("two\nlines\u2028and more", "two lines and more"),
        ("  many   spaces ", "many spaces"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
    ],
)
def test_an_invalid_name_is_cleaned(name: str, becomes: str) -> None:
    edits, _ = import_edits(rows_as("json", [(IDS[0], name), (IDS[1], name)]), "x.json", IDS)
    plan = applied(Plan(), edits)
    assert plan.edits == group(becomes, 0, 1)


WHOLE = {file_format: export_clustering(REVISION, two_groups(), TITLES, file_format) for file_format in FORMATS}
DAMAGED = [
    ("x.csv", b""),
    ("x.csv", b"\xff\xfe\x00name"),
    ("x.csv", b"asset;cluster\r\n1;2\r\n"),
    ("x.csv", b"asset_id,cluster\r\n" + b"a" * 200_000 + b",b\r\n"),
    ("x.csv", WHOLE["parquet"]),
    ("x.json", b""),
    ("x.json", b"[]"),
    ("x.json", b'"assignments"'),
    ("x.json", b'{"assignments": 3}'),
    ("x.json", b'{"assignments": [[]]}'),
    ("x.json", b'{"assignments": ["asset_id"]}'),
    ("x.json", b'{"assignments": [{"asset_id": 1}]}'),
    ("x.json", b'{"assignments": {"asset_id": {}}}'),
    ("x.json", b"[" * 100_000),
    ("x.json", WHOLE["csv"]),
    ("x.json", WHOLE["json"][:-20]),
    ("x.parquet", b""),
    ("x.parquet", WHOLE["json"]),
    ("x.parquet", WHOLE["parquet"][:-20]),
    ("x.parquet", WHOLE["parquet"][:400] + b"\x00" * 40 + WHOLE["parquet"][440:]),
    ("x.parquet", b"PAR1" + b"\xff" * 60 + (40).to_bytes(4, "little") + b"PAR1"),
]


@pytest.mark.parametrize(("name", "data"), DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_refused_by_name(name: str, data: bytes) -> None:
    with pytest.raises(ClusterError, match=f"^{name} (is not an exported clustering|names no cluster)"):
        import_edits(data, name, IDS)


@settings(deadline=None)
@given(st.sampled_from(FORMATS), st.data())
def test_a_file_with_any_damage_raises_nothing_but_a_cluster_error(file_format: Format, data: st.DataObject) -> None:
    whole = WHOLE[file_format]
    at = data.draw(st.integers(0, len(whole)))
    damaged = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + data.draw(st.integers(0, 8)) :]
    try:
        edits, _ = import_edits(damaged, f"x.{file_format}", IDS)
    except ClusterError:
        return
    for edit in edits:
        check_edit(edit)


def test_a_file_of_too_many_clusters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_CLUSTERS == 10_000
    monkeypatch.setattr("core.clusters.views.export.MAX_CLUSTERS", 1)
    with pytest.raises(ClusterError, match=r"x.csv names 2 clusters, at most 1 can be imported"):
        import_edits(WHOLE["csv"], "x.csv", IDS)
