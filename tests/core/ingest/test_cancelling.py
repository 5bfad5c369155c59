from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.app import App
from core.embedding.look_ahead import DECODER_THREADS
from core.records.jobs import Cancelled, Progress
from tests.fakes.colour_app import colour_app
from tests.fakes.encoder import ColourEncoder

MEGAPIXELS_50 = (8165, 6124)


@pytest.fixture(scope="module")
def large_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve files of 50 megapixels, PNG and JPEG in turn."""
    folder = tmp_path_factory.mktemp("large")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 533, 3), dtype=np.uint8))
    for suffix, options in ((".png", {"compress_level": 1}), (".jpg", {"quality": 90})):
        noise.resize(MEGAPIXELS_50, Image.Resampling.BILINEAR).save(folder / f"00{suffix}", **options)
        data = (folder / f"00{suffix}").read_bytes()
        for number in range(1, 6):
            (folder / f"{number:02}{suffix}").write_bytes(data + bytes([number]))  # other bytes, another picture
    return folder


@pytest.mark.parametrize("after_s", [0.5, 1.5])
def test_cancelling_answers_within_two_seconds_amid_large_pictures(
    large_pictures: Path, tmp_path: Path, after_s: float
) -> None:
    began: list[float] = []

    def cancel(progress: Progress) -> None:
        if progress.phase == "embed":
            began.append(time.monotonic())
            if began[-1] - began[0] >= after_s:
                raise Cancelled("cancelled")

    with pytest.raises(Cancelled, match="cancelled"):
        colour_app(tmp_path).ingest(large_pictures, "c", listener=cancel)
    answered = time.monotonic() - began[0] - after_s
    longest_silence = max(later - sooner for sooner, later in zip(began, began[1:] + [time.monotonic()], strict=True))
    print(f"answered {answered:.2f} s after it was asked, the listener waited {longest_silence:.2f} s at most")
    assert answered < 2
    assert longest_silence < 2


def test_what_is_being_decoded_delays_nobody_and_what_waits_is_never_begun(
    pictures: Path, app: App, encoder: ColourEncoder
) -> None:
    for number in range(20):
        (pictures / f"{number}.png").write_bytes((pictures / "red.png").read_bytes() + bytes([number]))
    release, prepared, plain = threading.Event(), [], encoder.preprocess

    def slow(image: Image.Image) -> np.ndarray:
        prepared.append(image.size)
        release.wait(60)
        return plain(image)

    def cancel(progress: Progress) -> None:
        if progress.phase == "embed":
            raise Cancelled("cancelled")

    encoder.preprocess = slow  # type: ignore[method-assign]
    try:
        with pytest.raises(Cancelled, match="cancelled"):
            app.ingest(pictures, "c", listener=cancel)
        assert not release.is_set()
    finally:
        release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join(10)
    assert len(prepared) <= DECODER_THREADS
