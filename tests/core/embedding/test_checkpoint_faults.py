"""A file of weights that holds none is told in one line; nothing in it is run."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save, save_file

from core.app import open_app
from core.cli import command_context
from core.cli.main import main
from core.embedding import models
from core.embedding.hub import RequiredFile, cached_path
from core.embedding.open_clip_encoder import OpenClipEncoder
from core.errors import ModelUnavailable
from core.settings import Settings
from tests.fakes.hub import FakeHub

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
PREPROCESS = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
DESCRIPTION = json.dumps({"model_cfg": CONFIG, "preprocess_cfg": PREPROCESS})
SAFETENSORS, TORCH = "open_clip_model.safetensors", "open_clip_pytorch_model.bin"
HTML = b"\n<!DOCTYPE html><html><title>Sign in</title></html>"


class Touch:
    """Creates a file when it is unpickled with code allowed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch '{self._path}'",)


def saved(value: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def script() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("readme.txt", "no weights")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: t.contiguous() for name, t in models.open_clip().model.CLIP(**CONFIG).state_dict().items()}


def folder_with(folder: Path, name: str, content: bytes) -> Path:
    (folder / "open_clip_config.json").write_text(DESCRIPTION)
    (folder / name).write_bytes(content)
    return folder


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("name", [SAFETENSORS, TORCH])
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"please download the weights\n" * 400, "is no checkpoint: it holds a text"),
        (HTML, "is no checkpoint: it holds a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a pointer of Git LFS"),
        (bytes(100_000), "is no checkpoint: it begins with zeros"),
        (b"\xff" * 50_000, "is no checkpoint"),
    ],
)
def test_what_is_no_checkpoint_under_either_name_is_told(name: str, content: bytes, fault: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, name, content)
    with pytest.raises(ModelUnavailable) as caught:
        OpenClipEncoder(f"local-dir:{folder}")
    message = str(caught.value)
    assert message.startswith(f"local-dir:{folder} cannot be loaded: {folder / name} {fault}")
    assert message.endswith("; replace it with the original file, or choose another model")


@pytest.mark.parametrize(
    ("name", "spoil", "fault"),
    [
        (SAFETENSORS, lambda t: half(save(t)), r"is truncated: it has \d+ of \d+ bytes"),
        (SAFETENSORS, lambda t: save(t)[:100], "is truncated after 100 bytes"),
        (SAFETENSORS, lambda t: save(t)[:9] + b"\xfe" * 5000, "is no checkpoint in the safetensors format"),
        (SAFETENSORS, lambda t: save({"one": t["logit_scale"]}), "holds the weights of another model"),
        (SAFETENSORS, saved, "is in the format of PyTorch"),
        (TORCH, save, "is in the safetensors format"),
        (TORCH, lambda t: half(saved(t)), "is truncated, or otherwise damaged"),
        (TORCH, lambda t: half(saved(t, _use_new_zipfile_serialization=False)), "is damaged, or no checkpoint"),
        (TORCH, lambda t: saved({"one": t["logit_scale"]}), "holds the weights of another model"),
        (TORCH, lambda _: saved([1, 2]), "does not go with its configuration, or is damaged"),
        (TORCH, lambda _: saved({}), "does not go with its configuration, or is damaged"),
        (TORCH, lambda _: archive(), "it is a ZIP of something else"),
    ],
)
def test_damaged_and_foreign_weights_are_told(
    name: str,
    spoil: Callable[[dict[str, torch.Tensor]], bytes],
    fault: str,
    tensors: dict[str, torch.Tensor],
    tmp_path: Path,
) -> None:
    folder = folder_with(tmp_path, name, spoil(tensors))
    with pytest.raises(ModelUnavailable, match=f"{name} .*{fault}") as caught:
        OpenClipEncoder(f"local-dir:{folder}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("dump", "fault"),
    [
        (saved, r"needs code to be run before it can be read \(posix\.system\), which is refused"),
        (lambda value: saved(value, _use_new_zipfile_serialization=False), r"needs code .* \(posix\.system\)"),
        (pickle.dumps, "is no checkpoint: it is in no format that PyTorch writes"),
        (lambda _: script(), "is a TorchScript archive, which holds code to be run"),
    ],
)
def test_code_in_a_checkpoint_is_refused_never_run_and_never_recommended(
    dump: Callable[[Any], bytes], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder = folder_with(tmp_path, TORCH, dump({"weights": Touch(tmp_path / "ran")}))
    settings = Settings(data=tmp_path / "data", model=f"local-dir:{folder}", model_is_explicit=True)
    monkeypatch.setattr(command_context, "_open_app", lambda: open_app(settings))
    with pytest.raises(ModelUnavailable, match=fault):
        OpenClipEncoder(settings.model)
    assert main(["download-model"]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert "weights_only" not in line
    assert not (tmp_path / "ran").exists()


def test_weights_that_are_not_numbers_are_told(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    spoilt = {name: torch.full_like(t, torch.nan) if t.is_floating_point() else t for name, t in tensors.items()}
    save_file(spoilt, folder_with(tmp_path, SAFETENSORS, b"") / SAFETENSORS)
    with pytest.raises(ModelUnavailable, match="its weights are damaged, their vectors are not numbers"):
        OpenClipEncoder(f"local-dir:{tmp_path}")


def test_a_sound_checkpoint_in_every_format_is_loaded(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    older = saved(tensors, _use_new_zipfile_serialization=False)
    for number, (name, content) in enumerate([(SAFETENSORS, save(tensors)), (TORCH, saved(tensors)), (TORCH, older)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert OpenClipEncoder(f"local-dir:{folder_with(folder, name, content)}").card.dimension == 16


def test_a_download_that_is_no_checkpoint_names_the_file_to_delete(
    hub: FakeHub, tensors: dict[str, torch.Tensor]
) -> None:
    hub.add("someone/tiny", "open_clip_config.json", DESCRIPTION.encode(), large=False)
    hub.add("someone/tiny", SAFETENSORS, HTML)
    cached = RequiredFile("someone/tiny", (SAFETENSORS,))
    for _ in range(2):  # as it arrives, then from the cache
        with pytest.raises(ModelUnavailable, match="a web page; delete it to download it again, or choose") as caught:
            models.load_model("hf-hub:someone/tiny", "cpu")
        stored = cached_path(cached)
        assert stored is not None
        assert f"{stored.resolve()} is no checkpoint" in str(caught.value)
    stored.resolve().unlink()
    hub.add("someone/tiny", SAFETENSORS, save(tensors))
    assert models.load_model("hf-hub:someone/tiny", "cpu")
