from __future__ import annotations

import numpy as np

from core.embedding import images
from core.embedding.jpeg_photoshop import without_photoshop
from tests.fakes.metadata_blocks import jpeg, segment

DAMAGED = segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04")


def test_a_damaged_block_of_photoshop_s_costs_no_picture() -> None:
    assert np.array_equal(images.decode(jpeg(segments=[DAMAGED])), images.decode(jpeg()))


def test_only_photoshop_s_segments_go() -> None:
    assert without_photoshop(jpeg(comment=b"kept", segments=[DAMAGED, DAMAGED])) == jpeg(comment=b"kept")
    for data in (jpeg(), jpeg()[:30], b"", b"\x89PNG", jpeg(segments=[DAMAGED])[:20]):
        assert without_photoshop(data) is data
