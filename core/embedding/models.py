"""Which open_clip model a name means, whether it can be had here, and loading it."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from core.embedding import torchvision_schemas
from core.embedding.hashes import file_checkpoint
from core.errors import ModelUnavailable
from core.settings import PROJECT

BUNDLED = "bundled"
BUNDLED_FOLDER = PROJECT / "data" / "models" / "demo"
PROBE_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class ModelSource:
    """The two arguments by which open_clip finds a model: `architecture` (may carry a schema) and `pretrained`."""

    architecture: str
    pretrained: str | None

    @classmethod
    def parse(cls, name: str) -> ModelSource:
        """Read what a person writes: `bundled`, `MODEL/PRETRAINED`, `MODEL/FILE`, `local-dir:…`, `hf-hub:…`."""
        if name == BUNDLED:
            return cls(f"local-dir:{BUNDLED_FOLDER}", None)
        if name.startswith(("local-dir:", "hf-hub:")):
            return cls(name, None)
        architecture, _, pretrained = name.partition("/")
        return cls(architecture, pretrained)

    @property
    def local_file(self) -> Path | None:
        """The weights file, where the model is on disk by a person's own choice."""
        if self.architecture.startswith("local-dir:"):
            return _weights_in(Path(self.architecture.removeprefix("local-dir:")))
        if self.pretrained and Path(self.pretrained).expanduser().is_file():
            return Path(self.pretrained).expanduser()
        return None


def open_clip() -> Any:
    """The open_clip module, importable also beside a torchvision wheel that was built for another torch."""
    torchvision_schemas.declare_if_missing()
    import open_clip as module

    from core.embedding import demo_tower  # noqa: F401 - importing it registers the tower with timm

    logging.getLogger("timm").setLevel(logging.WARNING)
    return module


def checkpoint_of(name: str) -> str:
    """What identifies the weights `name` means: `sha256:…` of a local file, else the registry's tag or name.

    Raises ModelUnavailable where a local file is missing.
    """
    source = ModelSource.parse(name)
    if source.local_file is not None:
        return file_checkpoint(source.local_file)
    if source.architecture.startswith("local-dir:"):
        raise ModelUnavailable(f"{name}: {source.architecture.removeprefix('local-dir:')} holds no weights file")
    return source.pretrained or source.architecture.removeprefix("hf-hub:")


def can_be_had(name: str) -> bool:
    """Whether the weights are on disk, or the host they come from answers within three seconds."""
    source = ModelSource.parse(name)
    if source.local_file is not None:
        return True
    if source.architecture.startswith("local-dir:"):
        return False
    repository, filename, host = _origin(source)
    return _is_cached(repository, filename) or _answers(host)


def load_model(name: str, device: str) -> tuple[Any, Any, Any]:
    """Load a model for inference in float32: (model, preprocess of a picture, tokenizer).

    Raises ModelUnavailable with the reason and what to do.
    """
    module, source = open_clip(), ModelSource.parse(name)
    _check_names(module, name, source)
    pretrained = source.pretrained
    if source.local_file is not None and pretrained is not None:
        pretrained = str(source.local_file)
    try:
        model, preprocess = module.create_model_from_pretrained(source.architecture, pretrained, device=device)
        tokenizer = module.get_tokenizer(source.architecture)
    except (RuntimeError, ValueError, OSError, KeyError) as error:
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


def _weights_in(folder: Path) -> Path | None:
    # The order in which open_clip itself looks for a checkpoint in a folder.
    preferred = ["open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"]
    found = [folder / name for name in preferred if (folder / name).is_file()]
    found += sorted(p for suffix in (".safetensors", ".bin", ".pth") for p in folder.glob(f"*{suffix}"))
    return found[0] if found else None


def _origin(source: ModelSource) -> tuple[str, str, str]:
    from huggingface_hub import constants

    host = urlsplit(constants.ENDPOINT).netloc
    if source.pretrained is None:
        return source.architecture.removeprefix("hf-hub:"), "open_clip_config.json", host
    config = open_clip().get_pretrained_cfg(source.architecture, source.pretrained)
    repository, _, filename = str(config.get("hf_hub", "")).rpartition("/")
    if not repository:
        return "", "", urlsplit(str(config.get("url", ""))).netloc
    return repository, filename or "open_clip_pytorch_model.bin", host


def _is_cached(repository: str, filename: str) -> bool:
    if not repository:
        return False
    from huggingface_hub import try_to_load_from_cache

    names = {filename, filename.replace("pytorch_model.bin", "model.safetensors")}
    return any(isinstance(try_to_load_from_cache(repository, name), str) for name in names)


def _answers(netloc: str) -> bool:
    host, _, port = netloc.partition(":")
    try:
        socket.create_connection((host, int(port or 443)), timeout=PROBE_TIMEOUT_S).close()
    except (OSError, UnicodeError, ValueError):
        return False
    return True


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
