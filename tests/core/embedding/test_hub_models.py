"""Models of a hub, from the first download to a machine without a network, through open_clip itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save

from core.app import open_app
from core.cli import command_context
from core.cli import main as cli
from core.doctor import examine
from core.embedding import models
from core.embedding.model_source import ModelSource
from core.embedding.open_clip_encoder import OpenClipEncoder
from core.errors import ModelUnavailable
from core.records.jobs import Progress
from core.settings import DEFAULT_MODEL, Settings
from tests.fakes.hub import FakeHub

NAME = "tiny-from-a-hub/one"
ARCHITECTURE, TAG = NAME.split("/")
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
PREPROCESS = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "interpolation": "bilinear", "resize_mode": "squash"}


@pytest.fixture(scope="session")
def open_clip(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """open_clip, which knows one more architecture."""
    module = models.open_clip()
    path = tmp_path_factory.mktemp("configs") / f"{ARCHITECTURE}.json"
    path.write_text(json.dumps(CONFIG))
    module.add_model_config(path)
    return module


@pytest.fixture(scope="session")
def weights(open_clip: Any) -> bytes:
    torch.manual_seed(0)
    return save({k: v.contiguous() for k, v in open_clip.create_model(ARCHITECTURE).state_dict().items()})


@pytest.fixture
def tiny(hub: FakeHub, open_clip: Any, weights: bytes, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """A hub with a checkpoint of 6 MB, as a tag trained with QuickGELU and as a model of its own."""
    tag = {"hf_hub": "someone/tiny/", "url": "", "quick_gelu": True, **PREPROCESS}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, ARCHITECTURE, {TAG: tag})
    hub.add("someone/tiny", "open_clip_model.safetensors", weights)
    config = json.dumps({"model_cfg": CONFIG, "preprocess_cfg": PREPROCESS}).encode()
    hub.add("someone/tiny", "open_clip_config.json", config, large=False)
    return hub


def outputs(model: Any, preprocess: Any, tokenizer: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    pixels = preprocess(Image.effect_mandelbrot((50, 40), (-2, -1.5, 1, 1.5), 100).convert("RGB"))
    with torch.inference_mode():
        return pixels, model.encode_image(pixels[None]), model.encode_text(tokenizer(["a red kite"]))


@pytest.mark.parametrize(("name", "quick_gelu"), [(NAME, True), ("hf-hub:someone/tiny", False)])
def test_a_hub_model_equals_open_clips_from_the_same_file_and_config(
    tiny: FakeHub, open_clip: Any, weights: bytes, tmp_path: Path, name: str, quick_gelu: bool
) -> None:
    (tmp_path / "w.safetensors").write_bytes(weights)
    settings = {f"image_{key}": value for key, value in PREPROCESS.items()}
    model, preprocess = open_clip.create_model_from_pretrained(
        ARCHITECTURE, str(tmp_path / "w.safetensors"), force_quick_gelu=quick_gelu, **settings
    )
    expected = outputs(model.eval(), preprocess, open_clip.get_tokenizer(ARCHITECTURE))
    for found, wanted in zip(outputs(*models.load_model(name, "cpu")), expected, strict=True):
        assert torch.equal(found, wanted)


def test_an_ingest_tells_of_the_download(tiny: FakeHub, pictures: Path, tmp_path: Path) -> None:
    app = open_app(Settings(data=tmp_path / "data", model=NAME, model_is_explicit=True))
    reported: list[Progress] = []
    app.ingest(pictures, "c", listener=reported.append)
    phases = list(dict.fromkeys(p.phase for p in reported))
    assert phases[:3] == ["load model", "download model", "embed"]
    assert reported[-1].unit == "images"
    assert max(p.total for p in reported if p.unit == "MB") == 6
    assert app.collections()[0].model.checkpoint == TAG


@pytest.mark.parametrize("name", [NAME, "hf-hub:someone/tiny"])
def test_a_model_in_the_cache_is_loaded_at_once_without_a_network(tiny: FakeHub, name: str) -> None:
    assert not models.is_on_disk(name)
    models.load_model(name, "cpu")
    tiny.close()
    tiny.requests.clear()
    began = time.monotonic()
    assert models.is_on_disk(name)
    assert models.is_available(name)
    assert OpenClipEncoder(name).encode_texts(["x"]).shape == (1, 16)
    assert time.monotonic() - began < 3
    assert tiny.requests == []


@pytest.mark.parametrize("name", [NAME, "hf-hub:someone/tiny"])
def test_a_chosen_model_that_is_not_available_is_an_error_and_never_replaced(
    tiny: FakeHub, pictures: Path, tmp_path: Path, name: str
) -> None:
    tiny.close()
    app = open_app(Settings(data=tmp_path / "data", model=name, model_is_explicit=True))
    with pytest.raises(ModelUnavailable, match=f"^{name} cannot be downloaded .* cannot be reached"):
        app.ingest(pictures, "c")
    assert app.collections() == []
    assert (app.encoders.model_for_new_collections, app.encoders.notice) == (name, None)


def test_a_model_is_downloaded_ahead_of_time_and_the_doctor_knows(
    tiny: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data=tmp_path / "data", model=NAME, model_is_explicit=True)
    monkeypatch.setattr(command_context, "_open_app", lambda: open_app(settings))

    def doctor() -> str:
        return next(check.found for check in examine(lambda: settings) if check.name == "model")

    assert doctor() == f"{NAME} (downloaded on first use, or by download-model)"
    assert cli.main(["download-model", "--json"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out) == {"model": {"name": NAME, "checkpoint": TAG, "dimension": 16}}
    assert "download model" in output.err
    assert doctor() == f"{NAME} (on disk)"
    tiny.close()
    assert cli.main(["download-model", NAME]) == 0
    assert capsys.readouterr().out == f"{NAME} is on this disk and loads (16 dimensions)\n"


def test_a_hub_that_never_answers_leaves_the_bundled_model_within_five_seconds(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 60)
    hub.fail("HEAD", "silent")
    app = open_app(Settings(data=tmp_path))
    began = time.monotonic()
    assert app.encoders.model_for_new_collections == "bundled"
    assert time.monotonic() - began < 5
    assert f"{DEFAULT_MODEL} cannot be downloaded here" in (app.encoders.notice or "")


def test_a_hub_that_offers_the_model_can_deliver_it(hub: FakeHub) -> None:
    assert not models.is_available(DEFAULT_MODEL)
    assert not models.is_available("hf-hub:some/model")
    hub.add("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "open_clip_pytorch_model.bin", b"weights")
    hub.add("some/model", "open_clip_config.json", b"{}", large=False)
    assert models.is_available(DEFAULT_MODEL)
    assert models.is_available("hf-hub:some/model")


def test_every_checkpoint_is_looked_for_under_the_names_that_open_clip_tries(open_clip: Any) -> None:
    for architecture, tag in open_clip.list_pretrained():
        named = open_clip.get_pretrained_cfg(architecture, tag)["hf_hub"].rpartition("/")[2]
        filename = named or open_clip.constants.HF_WEIGHTS_NAME
        (file,) = models._hub_files(ModelSource(architecture, tag))
        assert file.names == (*open_clip.pretrained._get_safe_alternatives(filename), filename)


def test_a_missing_package_is_reported_before_anything_large_is_downloaded(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "find_spec", lambda _: None)
    with pytest.raises(ModelUnavailable, match="needs the package transformers to read words: pip install"):
        models.load_model("ViT-B-16-SigLIP/webli", "cpu")
    assert hub.requests == []


def test_tokenizer_files_are_downloaded_where_transformers_loads_it(
    open_clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "find_spec", lambda _: object())
    files = models._text_files("m", open_clip.get_model_config("roberta-ViT-B-32"))
    assert {file.repository for file in files} == {"roberta-base"}
    assert all(file.optional for file in files)
    assert models._text_files("m", open_clip.get_model_config("ViT-B-32")) == []


@pytest.mark.parametrize("config", [b"{", b"[]", b"{}"])
def test_a_config_that_makes_no_sense_is_a_clear_error(tiny: FakeHub, config: bytes) -> None:
    tiny.add("someone/tiny", "open_clip_config.json", config, large=False)
    with pytest.raises(ModelUnavailable, match="hf-hub:someone/tiny cannot be loaded"):
        models.load_model("hf-hub:someone/tiny", "cpu")
