"""One valid file of every format that is read by our own means or by an extra, by format and number."""

from __future__ import annotations

import numpy as np

from core.embedding.formats import JXL_INSTALLED
from tests.fakes.camera_raw import EVERY_RAW, dng, jpeg, raf
from tests.fakes.odd_pictures import XMP, picture, saved
from tests.fakes.tiffs import pages, tiff


def built_kinds() -> dict[str, bytes]:
    """Small ones, so that most mutations hit what parsers read."""
    preview, random = jpeg((64, 48), "red"), np.random.default_rng(0)
    kinds = {name: build(preview) for name, build in EVERY_RAW.items()}
    kinds |= {
        "RAF": raf(preview),
        "DNG with XMP": dng(preview, xmp=XMP),
        "TIFF pages": pages((8, 8), (32, 16), (16, 16)),
    }
    for mode in ("L", "LA", "RGB", "RGBA"):
        kinds[f"JP2 {mode}"] = saved(picture(mode), "JPEG2000")
        kinds[f"J2K {mode}"] = saved(picture(mode), "JPEG2000", no_jp2=True)
    for kind in ("<f2", ">f4", "<f8", "<u2", ">i2", "<u4", ">i4"):
        values = random.random((20, 24, 3)) * 100
        kinds[f"TIFF {kind} grey"] = tiff(values[..., 0].astype(kind), compression=8, rows_per_strip=5)
        kinds[f"TIFF {kind} colours"] = tiff(values.astype(kind), photometric=2, rows_per_strip=7)
    kinds["JPEG end"] = saved(picture("RGB"), "JPEG")[:-2]
    kinds["JPEG end of progressive"] = saved(picture("RGB"), "JPEG", progressive=True, restart_marker_blocks=1)[:-2]
    if JXL_INSTALLED:
        import imagecodecs

        kinds["JXL"] = imagecodecs.jpegxl_encode(np.asarray(picture("RGBA")))
        kinds["JXL box"] = imagecodecs.jpegxl_encode(np.asarray(picture("RGB")), usecontainer=True, lossless=True)
    return kinds
