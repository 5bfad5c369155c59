"""Which model a name stands for and what identifies its weights; cheap to import, since every page needs it."""

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
        """Parse a model setting: `bundled`, `MODEL/PRETRAINED`, `MODEL/FILE`, `local-dir:…`, `hf-hub:…`."""
        if name == BUNDLED:
            return cls(f"local-dir:{BUNDLED_FOLDER}", None)
        if name.startswith(("local-dir:", "hf-hub:")):
            return cls(name, None)
        architecture, _, pretrained = name.partition("/")
        return cls(architecture, pretrained)

    @property
    def local_file(self) -> Path | None:
        """The weights file, if the user names a local one."""
        if self.architecture.startswith("local-dir:"):
            return _find_weights(Path(self.architecture.removeprefix("local-dir:")))
        if self.pretrained and Path(self.pretrained).expanduser().is_file():
            return Path(self.pretrained).expanduser().absolute()
        return None

    @property
    def hub_repository(self) -> str | None:
        """The repository of a model given as `hf-hub:…`."""
        return self.architecture.removeprefix("hf-hub:") if self.architecture.startswith("hf-hub:") else None


def model_checkpoint(name: str) -> str:
    """Identifies the weights that `name` stands for: `sha256:…` of a local file, else the registry's tag or name.

    Raises ModelUnavailable if a local file is missing.
    """
    source = ModelSource.parse(name)
    if source.local_file is not None:
        return file_checkpoint(source.local_file)
    if source.architecture.startswith("local-dir:"):
        raise ModelUnavailable(f"{name}: {source.architecture.removeprefix('local-dir:')} holds no weights file")
    return source.pretrained or source.architecture.removeprefix("hf-hub:")


def _find_weights(folder: Path) -> Path | None:
    # open_clip's own order of checkpoints in a folder.
    preferred = ["open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"]
    candidates = [folder / name for name in preferred if (folder / name).is_file()]
    candidates += sorted(p for suffix in (".safetensors", ".bin", ".pth") for p in folder.glob(f"*{suffix}"))
    return candidates[0] if candidates else None
