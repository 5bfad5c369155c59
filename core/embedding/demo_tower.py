"""The image tower of the bundled demo model, registered with timm under ``demo_conse_lite2``.

It follows ConSE (Norouzi et al. 2014, "Zero-Shot Learning by Convex Combination of Semantic
Embeddings"): an image is described by the mean of the text vectors of the ImageNet classes it
might show, weighted by how likely a classifier finds them.  Importing this module registers the
tower; open_clip then builds it through ``timm_model_name``.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
from timm.models import register_model
from torch import nn

CLASSES = 1000
TEMPERATURE = 2.0


class ConSETower(nn.Module):
    """EfficientNet-Lite2 class probabilities, mixed into one vector of the text space.

    Shapes: images [B, 3, 260, 260] -> logits [B, 1000] -> probabilities p [B, 1000]
    -> p @ W.T + b with W [D, 1000] (column c: text vector of class c) and b [D]
    (minus the mean text vector) -> [B, D].
    """

    def __init__(self, width: int, temperature: float = TEMPERATURE) -> None:
        """Build the untrained tower with output width D; its weights come from the checkpoint."""
        super().__init__()
        self.classifier = timm.create_model("tf_efficientnet_lite2", pretrained=False, num_classes=CLASSES)
        self.mix = nn.Linear(CLASSES, width)
        self.temperature = temperature
        self.num_features = width
        self.default_cfg: dict[str, Any] = dict(self.classifier.default_cfg)

    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Softened class probabilities softmax(logits / T): [B, 3, 260, 260] -> [B, 1000]."""
        logits: torch.Tensor = self.classifier(images)
        return torch.softmax(logits / self.temperature, dim=-1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Image vectors before normalisation (ConSE, eq. 3): [B, 3, 260, 260] -> [B, D]."""
        mixed: torch.Tensor = self.mix(self.probabilities(images))
        return mixed


@register_model  # type: ignore[untyped-decorator]
def demo_conse_lite2(pretrained: bool = False, **options: Any) -> ConSETower:
    """timm entry point; ``num_classes`` is the width D of the shared space, other options are ignored."""
    if pretrained:
        raise ValueError("demo_conse_lite2 has no weights of its own; load the demo checkpoint")
    return ConSETower(int(options.get("num_classes", 384)))
