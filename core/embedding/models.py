"""Whether an open_clip model can be had here, and loading it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch

from core.embedding import torchvision_schemas
from core.embedding.download import fetch
from core.embedding.hub import RequiredFile, cached, offered
from core.embedding.model_source import ModelSource
from core.errors import ModelUnavailable
from core.records.jobs import Progress, ProgressListener, ignore

PROBE_TIMEOUT_S = 3.0
# What open_clip raises for a config or weights that make no sense, and for a package that is missing.
UNLOADABLE = (ImportError, RuntimeError, ValueError, OSError, KeyError, TypeError, AttributeError)
HUB_CONFIG = "open_clip_config.json"
HUB_WEIGHTS = "open_clip_pytorch_model.bin"
# What transformers may want of a repository whose tokenizer or text tower it is to make.
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
    """The open_clip module, importable also beside a torchvision wheel that was built for another torch."""
    torchvision_schemas.declare_if_missing()
    import open_clip as module

    from core.embedding import demo_tower  # noqa: F401 - importing it registers the tower with timm

    logging.getLogger("timm").setLevel(logging.WARNING)
    return module


def is_available(name: str) -> bool:
    """Whether the weights are on disk, or the hub offers them within three seconds."""
    if is_on_disk(name):
        return True
    needs = _hub_needs(ModelSource.parse(name))
    return bool(needs) and offered(needs[0], PROBE_TIMEOUT_S)


def is_on_disk(name: str) -> bool:
    """Whether the weights are on disk; asks no network."""
    source = ModelSource.parse(name)
    needs = _hub_needs(source)
    return source.local_file is not None or (bool(needs) and all(cached(need) for need in needs))


def load_model(name: str, device: str, listener: ProgressListener = ignore) -> tuple[Any, Any, Any]:
    """Load a model for inference in float32: (model, preprocess of a picture, tokenizer).

    What is not on disk yet is downloaded before, and the listener told. Raises ModelUnavailable with the reason and
    what to do.
    """
    module, source = open_clip(), ModelSource.parse(name)
    _check_names(module, name, source)
    try:
        on_disk = _on_disk(module, name, source, listener)
        model, preprocess = module.create_model_from_pretrained(
            on_disk.architecture, on_disk.pretrained, device=device, force_quick_gelu=_wants_quick_gelu(module, source)
        )
        tokenizer = _tokenizer(module, source, on_disk)
    except UNLOADABLE as error:
        raise ModelUnavailable(f"{name} cannot be loaded: {_first_line(error)}") from error
    return model.eval(), preprocess, tokenizer


def best_device(wanted: str) -> str:
    """`auto` becomes CUDA, then MPS, then the processor; anything else must be there.

    Raises ModelUnavailable if the wanted device is missing.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(device for device, present in there.items() if present)
    if not there[wanted]:
        raise ModelUnavailable(f"CONTACTSHEET_DEVICE is {wanted}, but torch sees none here: choose auto or cpu")
    return wanted


def _check_names(module: Any, name: str, source: ModelSource) -> None:
    if source.pretrained is None or source.local_file is not None:
        return
    if source.architecture not in module.list_models():
        raise ModelUnavailable(f"{name}: open_clip has no model {source.architecture!r}; try ViT-B-32")
    tags = module.list_pretrained_tags_by_model(source.architecture)
    if source.pretrained.replace("-", "_").lower() not in [tag.replace("-", "_").lower() for tag in tags]:
        known = ", ".join(tags) or "none"
        raise ModelUnavailable(f"{name}: {source.pretrained!r} is neither a file nor one of its checkpoints ({known})")


def _hub_needs(source: ModelSource) -> list[RequiredFile]:
    """The files that open_clip asks a hub for, the weights last; none where the model is a person's own file."""
    if source.hub_name is not None:
        return [
            RequiredFile(source.hub_name, (HUB_CONFIG,)),
            RequiredFile(source.hub_name, _weights_names(HUB_WEIGHTS)),
        ]
    if source.local_file is not None or source.pretrained is None:
        return []
    tag = open_clip().get_pretrained_cfg(source.architecture, source.pretrained)
    repository, _, filename = str(tag.get("hf_hub", "")).rpartition("/")
    return [RequiredFile(repository, _weights_names(filename or HUB_WEIGHTS))] if repository else []


def _weights_names(filename: str) -> tuple[str, ...]:
    # The order in which open_clip itself asks for a checkpoint.
    if filename == HUB_WEIGHTS:
        return ("open_clip_model.safetensors", HUB_WEIGHTS)
    stem, _, suffix = filename.rpartition(".")
    return (f"{stem}.safetensors", filename) if suffix in ("bin", "pth") else (filename,)


def _on_disk(module: Any, name: str, source: ModelSource, listener: ProgressListener) -> ModelSource:
    """The same model as open_clip finds it without a network; downloads what is missing."""
    if source.local_file is not None:
        return ModelSource(source.architecture, source.pretrained and str(source.local_file))
    needs, architecture = _hub_needs(source), source.architecture
    if not needs:
        return source
    if source.hub_name is not None:
        architecture = f"local-dir:{fetch(name, needs[:1])[0].parent}"
    needs += _text_needs(name, module.get_model_config(architecture))
    first = fetch(name, needs, listener)[0]
    listener(Progress("load model", 0, 0))
    if source.hub_name is not None:
        return ModelSource(f"local-dir:{first.parent}", None)
    # open_clip's own way to say where a tag's file lies: preprocessing and all else stay as the tag has them.
    module.get_pretrained_cfg(source.architecture, source.pretrained)["file"] = str(first)
    return source


def _text_needs(name: str, config: Mapping[str, Any]) -> list[RequiredFile]:
    """What transformers wants of the hub for a tokenizer or text tower of its own."""
    text = config.get("text_cfg", {})
    repositories = sorted({text[key] for key in ("hf_tokenizer_name", "hf_model_name") if text.get(key)})
    if repositories and find_spec("transformers") is None:
        raise ModelUnavailable(
            f"{name} needs the package transformers to read words: pip install transformers, or choose another model"
        )
    return [RequiredFile(repository, (file,), optional=True) for repository in repositories for file in TEXT_FILES]


def _tokenizer(module: Any, source: ModelSource, on_disk: ModelSource) -> Any:
    # A tokenizer of transformers may come from another repository than its model; open_clip follows that only for a
    # model that has its name on the hub.
    text = module.get_model_config(on_disk.architecture).get("text_cfg", {})
    return module.get_tokenizer((source if text.get("hf_tokenizer_name") else on_disk).architecture)


def _wants_quick_gelu(module: Any, source: ModelSource) -> bool:
    # open_clip 3 only warns where a tag was trained with another activation than its architecture names.
    return bool(module.get_pretrained_cfg(source.architecture, source.pretrained or "").get("quick_gelu"))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
