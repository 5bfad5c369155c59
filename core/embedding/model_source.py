"""Which model a name means and what identifies its weights; light to import, since every page asks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.embedding.hashes import file_checkpoint
from core.errors import ModelUnavailable
from core.settings import PROJECT

BUNDLED = "bundled"
BUNDLED_FOLDER = PROJECT / "data" / "models" / "demo"


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
            return Path(self.pretrained).expanduser().absolute()
        return None

    @property
    def hub_name(self) -> str | None:
        """The repository of a model that is on a hub as a whole."""
        return self.architecture.removeprefix("hf-hub:") if self.architecture.startswith("hf-hub:") else None


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


def _weights_in(folder: Path) -> Path | None:
    # The order in which open_clip itself looks for a checkpoint in a folder.
    preferred = ["open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"]
    found = [folder / name for name in preferred if (folder / name).is_file()]
    found += sorted(p for suffix in (".safetensors", ".bin", ".pth") for p in folder.glob(f"*{suffix}"))
    return found[0] if found else None
