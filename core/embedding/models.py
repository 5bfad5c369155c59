"""Checks whether an open_clip model is available, and loads it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from core.embedding import torchvision_schemas
from core.embedding.checkpoint_faults import fault_after_loading, fault_before_loading
from core.embedding.download import fetch
from core.embedding.hub import RequiredFile, cached_path, is_offered
from core.embedding.model_source import ModelSource
from core.errors import ContactSheetError, ModelUnavailable
from core.records.jobs import Progress, ProgressListener, ignore

PROBE_TIMEOUT_S = 3.0
HUB_CONFIG = "open_clip_config.json"
HUB_WEIGHTS = "open_clip_pytorch_model.bin"
# What transformers may need of a repository for its tokenizer or text tower.
TEXT_FILES = (
    "config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "spiece.model",
    "tokenizer.model",
    "sentencepiece.bpe.model",
)


def open_clip() -> Any:
    """The open_clip module, importable even with a torchvision wheel built for another torch."""
    torchvision_schemas.declare_if_missing()
    import open_clip as module

    from core.embedding import demo_tower  # noqa: F401 - importing it registers the tower with timm

    logging.getLogger("timm").setLevel(logging.WARNING)
    return module


def is_available(name: str) -> bool:
    """Whether the weights are on disk, or the hub offers them within three seconds."""
    if is_on_disk(name):
        return True
    files = _hub_files(ModelSource.parse(name))
    return bool(files) and is_offered(files[0], PROBE_TIMEOUT_S)


def is_on_disk(name: str) -> bool:
    """Whether the weights are on disk; uses no network."""
    source = ModelSource.parse(name)
    files = _hub_files(source)
    return source.local_file is not None or (bool(files) and all(cached_path(file) for file in files))


def load_model(name: str, device: str, listener: ProgressListener = ignore) -> tuple[Any, Any, Any]:
    """Load a model for inference in float32: (model, transform of a picture, tokenizer).

    Missing files are downloaded first, with progress sent to the listener. No code in a file of weights is ever run.
    Raises ModelUnavailable with the reason and what to do.
    """
    module, source = open_clip(), ModelSource.parse(name)
    _check_names(module, name, source)
    weights = None
    try:
        local = _with_local_files(module, name, source, listener)
        weights = _weights_file(source, local)
        _check_weights(name, source, weights)
        model, transform = module.create_model_from_pretrained(
            local.architecture, local.pretrained, device=device, force_quick_gelu=_uses_quick_gelu(module, source)
        )
        tokenizer = _tokenizer(module, source, local)
    except ContactSheetError:
        raise
    except Exception as error:
        reason = _first_line(error)
        if weights is not None and not isinstance(error, ImportError):
            reason = _about_file(source, weights, fault_after_loading(error))
        raise ModelUnavailable(f"{name} cannot be loaded: {reason}") from error
    return model.eval(), transform, tokenizer


def resolve_device(device: str) -> str:
    """Resolve `auto` to CUDA, else MPS, else the CPU; any other device must be present.

    Raises ModelUnavailable if it is not.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, present in available.items() if present)
    if not available[device]:
        raise ModelUnavailable(f"CONTACTSHEET_DEVICE is {device}, but torch sees none here: choose auto or cpu")
    return device


def _check_names(module: Any, name: str, source: ModelSource) -> None:
    if source.pretrained is None or source.local_file is not None:
        return
    if source.architecture not in module.list_models():
        raise ModelUnavailable(f"{name}: open_clip has no model {source.architecture!r}; try ViT-B-32")
    tags = module.list_pretrained_tags_by_model(source.architecture)
    if source.pretrained.replace("-", "_").lower() not in [tag.replace("-", "_").lower() for tag in tags]:
        known = ", ".join(tags) or "none"
        raise ModelUnavailable(f"{name}: {source.pretrained!r} is neither a file nor one of its checkpoints ({known})")


def _hub_files(source: ModelSource) -> list[RequiredFile]:
    """The files that open_clip needs from a hub, the weights last; none for a model in a local file."""
    if source.hub_repository is not None:
        return [
            RequiredFile(source.hub_repository, (HUB_CONFIG,)),
            RequiredFile(source.hub_repository, _weights_names(HUB_WEIGHTS)),
        ]
    if source.local_file is not None or source.pretrained is None:
        return []
    tag = open_clip().get_pretrained_cfg(source.architecture, source.pretrained)
    repository, _, filename = str(tag.get("hf_hub", "")).rpartition("/")
    return [RequiredFile(repository, _weights_names(filename or HUB_WEIGHTS))] if repository else []


def _weights_names(filename: str) -> tuple[str, ...]:
    # open_clip's own order.
    if filename == HUB_WEIGHTS:
        return ("open_clip_model.safetensors", HUB_WEIGHTS)
    stem, _, suffix = filename.rpartition(".")
    return (f"{stem}.safetensors", filename) if suffix in ("bin", "pth") else (filename,)


def _with_local_files(module: Any, name: str, source: ModelSource, listener: ProgressListener) -> ModelSource:
    """The same model in a form that open_clip loads without a network; downloads missing files."""
    if source.local_file is not None:
        return ModelSource(source.architecture, source.pretrained and str(source.local_file))
    files, architecture = _hub_files(source), source.architecture
    if not files:
        return source
    if source.hub_repository is not None:
        architecture = f"local-dir:{fetch(name, files[:1])[0].parent}"
    files += _text_files(name, module.get_model_config(architecture))
    first = fetch(name, files, listener)[0]
    listener(Progress("load model", 0, 0))
    if source.hub_repository is not None:
        return ModelSource(f"local-dir:{first.parent}", None)
    # open_clip's own way to set the file of a tag: preprocessing and everything else stay the tag's.
    module.get_pretrained_cfg(source.architecture, source.pretrained)["file"] = str(first)
    return source


def _weights_file(source: ModelSource, local: ModelSource) -> Path | None:
    """The file on this disk that holds the weights, if it is known."""
    if local.local_file is not None:
        return local.local_file
    files = _hub_files(source)
    return cached_path(files[-1]) if files else None


def _check_weights(name: str, source: ModelSource, weights: Path | None) -> None:
    if weights is not None and (fault := fault_before_loading(weights)):
        raise ModelUnavailable(f"{name} cannot be loaded: {_about_file(source, weights, fault)}")


def _about_file(source: ModelSource, weights: Path, fault: str) -> str:
    if source.local_file is not None:
        return f"{weights} {fault}; replace it with the original file, or choose another model"
    # The cache links to the file that has to go.
    return f"{weights.resolve()} {fault}; delete it to download it again, or choose another model"


def _text_files(name: str, config: Mapping[str, Any]) -> list[RequiredFile]:
    """The files that transformers needs from the hub for a tokenizer or text tower of its own."""
    text = config.get("text_cfg", {})
    repositories = sorted({text[key] for key in ("hf_tokenizer_name", "hf_model_name") if text.get(key)})
    if repositories and find_spec("transformers") is None:
        raise ModelUnavailable(
            f"{name} needs the package transformers to read words: pip install transformers, or choose another model"
        )
    return [RequiredFile(repository, (file,), optional=True) for repository in repositories for file in TEXT_FILES]


def _tokenizer(module: Any, source: ModelSource, local: ModelSource) -> Any:
    # A transformers tokenizer may come from another repository than its model; open_clip follows that only for a
    # model named by its hub repository.
    text = module.get_model_config(local.architecture).get("text_cfg", {})
    return module.get_tokenizer((source if text.get("hf_tokenizer_name") else local).architecture)


def _uses_quick_gelu(module: Any, source: ModelSource) -> bool:
    # open_clip 3 only warns if a tag was trained with another activation than its architecture's.
    return bool(module.get_pretrained_cfg(source.architecture, source.pretrained or "").get("quick_gelu"))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
