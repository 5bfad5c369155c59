from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.records.clusterings import Clustering, ClusterRecord
from core.records.successors import Successors, resolved

A, B, C, D = (letter * 64 for letter in "abcd")
IDS = st.sampled_from([A, B, C, D])


@given(st.lists(st.tuples(IDS, IDS)))
def test_every_replaced_picture_leads_to_one_that_is_there_now(replaced: list[tuple[str, str]]) -> None:
    successors = resolved(replaced)
    assert all(successors.id(new) == new for _, new in successors.pairs)
    if replaced and replaced[-1][0] != replaced[-1][1]:
        old, new = replaced[-1]
        assert successors.id(old) == successors.id(new) == new


def test_a_chain_leads_to_its_end_and_an_edit_that_is_taken_back_to_nothing() -> None:
    assert resolved([(A, B), (B, C)]).by_id == {A: C, B: C}
    assert resolved([(A, B), (B, A)]).by_id == {B: A}


def test_documents_are_followed_however_deep_an_id_stands() -> None:
    document = {"edits": [{"kind": "pin", "asset_ids": [A, C]}, {"to": {A: 1}}], "threshold": 0.8}
    assert Successors(((A, B),)).document(document) == {
        "edits": [{"kind": "pin", "asset_ids": [B, C]}, {"to": {B: 1}}],
        "threshold": 0.8,
    }


def clustering(*ids: str) -> Clustering:
    cluster = ClusterRecord("1", "Name", True, "", 2, 0.8, False, ids[0], 0.9, np.ones(1, np.float32), ids[:2])
    return Clustering(ids, np.array([0] * 2 + [-1] * (len(ids) - 2), np.int32), (cluster,))


def test_a_clustering_is_followed_with_its_labels_in_order() -> None:
    followed = Successors(((A, D),)).clustering(clustering(A, B, C))
    assert (followed.asset_ids, followed.labels.tolist()) == ((B, C, D), [0, -1, 0])
    assert followed.clusters[0].representative == D
    assert followed.clusters[0].sample_ids == (B, D)
    followed.validate()


def test_a_picture_whose_successor_is_there_already_is_in_it_once() -> None:
    followed = Successors(((A, C),)).clustering(clustering(A, B, C))
    assert followed.asset_ids == (B, C)
    followed.validate()
