"""The real open_clip loading code, on small models made here."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from core.app import App, open_app
from core.embedding import models, torchvision_schemas
from core.embedding.open_clip_encoder import EncoderOptions, OpenClipEncoder
from core.errors import BadImage, ModelUnavailable
from core.settings import DEFAULT_MODEL, Settings

TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of one layer with random weights, in a folder as open_clip reads it."""
    folder = tmp_path_factory.mktemp("tiny")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY, "preprocess_cfg": preprocess}))
    torch.manual_seed(0)
    weights = models.open_clip().model.CLIP(**TINY).state_dict()
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_model: Path) -> OpenClipEncoder:
    return OpenClipEncoder(f"local-dir:{tiny_model}", EncoderOptions(batch_size=2))


def test_a_local_model_is_identified_by_its_weights(tiny: OpenClipEncoder, tiny_model: Path) -> None:
    assert tiny.card.name == f"local-dir:{tiny_model}"
    assert tiny.card.checkpoint.startswith("sha256:")
    assert tiny.card.dimension == 32


def test_vectors_are_float32_of_unit_length_in_the_order_given(tiny: OpenClipEncoder, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
    together = tiny.encode_images(paths)
    assert (together.shape, together.dtype) == ((5, 32), np.float32)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([tiny.encode_images([path]) for path in paths])
    assert np.allclose(together, alone, atol=1e-5)
    texts = tiny.encode_texts(["a cat", "a dog", "a cat"])
    assert np.allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    assert np.allclose(texts[0], texts[2], atol=1e-6)
    assert not np.allclose(texts[0], texts[1], atol=1e-3)


def test_nothing_to_encode_gives_no_rows(tiny: OpenClipEncoder) -> None:
    assert tiny.encode_images([]).shape == (0, 32)
    assert tiny.encode_texts([]).shape == (0, 32)


def test_an_image_that_cannot_be_read_is_named(tiny: OpenClipEncoder, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no")
    with pytest.raises(BadImage, match=r"bad\.jpg"):
        tiny.encode_images([tmp_path / "bad.jpg"])


def test_a_registered_architecture_loads_a_checkpoint_file(tmp_path: Path) -> None:
    oc = models.open_clip()
    torch.manual_seed(0)
    checkpoint = tmp_path / "rn.pt"
    torch.save(oc.create_model("RN50").state_dict(), checkpoint)
    encoder = OpenClipEncoder(f"RN50/{checkpoint}")
    assert encoder.card.dimension == 1024
    assert encoder.card.checkpoint.startswith("sha256:")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B-33/openai", "has no model 'ViT-B-33'"),
        ("ViT-B-32/nobody", "'nobody' is neither a file nor one of its checkpoints"),
        ("local-dir:/nowhere", "holds no weights file"),
    ],
)
def test_a_model_that_does_not_exist_is_a_clear_error(name: str, message: str) -> None:
    with pytest.raises(ModelUnavailable, match=message):
        OpenClipEncoder(name)


def test_weights_that_do_not_fit_their_config_are_a_clear_error(tiny_model: Path, tmp_path: Path) -> None:
    config = json.loads((tiny_model / "open_clip_config.json").read_text())
    config["model_cfg"]["embed_dim"] = 48
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    (tmp_path / "open_clip_model.safetensors").write_bytes((tiny_model / "open_clip_model.safetensors").read_bytes())
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        OpenClipEncoder(f"local-dir:{tmp_path}")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_missing_is_a_clear_error() -> None:
    with pytest.raises(ModelUnavailable, match="CONTACTSHEET_DEVICE is cuda"):
        models.resolve_device("cuda")
    assert models.resolve_device("auto") in ("cpu", "mps")


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def unreachable_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.usefixtures("unreachable_hub")
def test_without_a_network_new_collections_use_the_bundled_model_and_it_is_said(tmp_path: Path) -> None:
    app = open_app(Settings(data=tmp_path))
    assert app.encoders.known_notice is None
    assert app.encoders.model_for_new_collections == "bundled"
    assert DEFAULT_MODEL in (app.encoders.known_notice or "")


@pytest.mark.usefixtures("unreachable_hub")
def test_a_model_that_was_chosen_is_never_replaced(tmp_path: Path) -> None:
    app = open_app(Settings(data=tmp_path, model="ViT-B-32/openai", model_is_explicit=True))
    assert app.encoders.model_for_new_collections == "ViT-B-32/openai"
    assert app.encoders.notice is None


def test_weights_in_the_hub_cache_need_no_network(
    unreachable_hub: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import try_to_load_from_cache

    revision = "0" * 40
    repository = tmp_path / "hub" / "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)
    (repository / "snapshots" / revision).mkdir(parents=True)
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache",
        lambda repo, name: try_to_load_from_cache(repo, name, cache_dir=tmp_path / "hub"),
    )
    assert not models.is_available(DEFAULT_MODEL)
    (repository / "snapshots" / revision / "open_clip_model.safetensors").touch()
    assert models.is_available(DEFAULT_MODEL)


def test_declaring_torchvision_operators_again_is_harmless() -> None:
    models.open_clip()
    torchvision_schemas.declare_if_missing()


def test_the_encoder_of_the_app_serves_new_collections(tiny_model: Path, tmp_path: Path, pictures: Path) -> None:
    app: App = open_app(Settings(data=tmp_path / "d", model=f"local-dir:{tiny_model}", model_is_explicit=True))
    assert app.encoder.encode_texts(["x"]).shape == (1, 32)
    app.ingest(pictures, "c")
    assert app.collections()[0].model == app.encoder.card
    assert len(app.search("anything", "c").hits) == 3
