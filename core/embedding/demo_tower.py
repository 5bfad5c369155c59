"""The image tower of the bundled demo model, registered with timm under ``demo_conse_lite2``.

The method is ConSE (Norouzi et al. 2014, "Zero-Shot Learning by Convex Combination of
Semantic Embeddings"): an image is described by the mean of the text vectors of the ImageNet classes
it might show, weighted by how likely a classifier finds them.  Which colour it has is added from the
shares of the eleven basic colour terms (Berlin & Kay 1969, "Basic Color Terms") among its pixels.
Importing this module registers the tower; open_clip then builds it through ``timm_model_name``.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
from timm.models import register_model
from torch import nn
from torch.nn import functional

CLASSES = 1000
TEMPERATURE = 2.0
# What the preprocessing of open_clip_config.json subtracts and divides by.
MEAN, STD = 127 / 255, 128 / 255
# 8-bit sRGB prototypes of each term: chosen by hand, several per term as the terms cover wide regions.
PROTOTYPES = {
    "black": ((5, 5, 5), (50, 50, 52)),
    "white": ((250, 250, 250), (215, 215, 212)),
    "grey": ((105, 105, 105), (155, 155, 155)),
    "red": ((200, 20, 30), (140, 15, 25), (235, 50, 50)),
    "orange": ((245, 140, 20), (225, 95, 30), (205, 105, 45)),
    "yellow": ((250, 220, 30), (245, 235, 120), (205, 190, 30)),
    "green": ((30, 140, 60), (120, 170, 60), (20, 80, 40), (60, 200, 80), (85, 105, 50)),
    "blue": ((30, 80, 180), (20, 30, 230), (20, 220, 235), (100, 160, 220), (20, 30, 100), (50, 150, 190)),
    "purple": ((110, 40, 140), (160, 110, 200), (75, 20, 90)),
    "pink": ((245, 160, 190), (230, 80, 150), (235, 30, 200)),
    "brown": ((100, 60, 30), (145, 95, 60), (60, 40, 25), (180, 145, 105)),
}
TERMS = tuple(PROTOTYPES)
GRID = 65
# Distances in CIELAB: reach of a prototype, spread of a uniform edge, reach of the background.
NAME_WIDTH, EDGE_WIDTH, BACKGROUND_WIDTH = 14.0, 10.0, 8.0
# In units of half the picture's side; and the minimum weight of a pixel, for pictures that are all background.
CENTRE_WIDTH, MIN_WEIGHT = 0.7, 0.01


def cielab(srgb: torch.Tensor) -> torch.Tensor:
    """sRGB in 0..1 to CIELAB under D65 (IEC 61966-2-1; CIE 15): [..., 3] -> [..., 3]."""
    light = torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    red, green, blue = light.unbind(-1)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    xyz = torch.stack([x, y, z], -1)
    x, y, z = torch.where(xyz > 216 / 24389, xyz.clamp(min=1e-6) ** (1 / 3), xyz * (841 / 108) + 4 / 29).unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


class ColourShares(nn.Module):
    """The share of a picture that each basic colour term covers; no weights to learn.

    Every pixel is softly assigned to the nearest prototypes in CIELAB.  Pixels near the centre count more, and
    those that look like a uniform edge, say the white around a cut-out, count little.
    """

    prototypes: torch.Tensor
    terms: torch.Tensor
    centre: torch.Tensor

    def __init__(self) -> None:
        """Prototypes [K, 3] in CIELAB, K = 36, and the term of each [K, 11]."""
        super().__init__()
        flat = [(colour, term) for term, colours in enumerate(PROTOTYPES.values()) for colour in colours]
        prototypes = cielab(torch.tensor([colour for colour, _ in flat]) / 255)
        axis = torch.linspace(-1, 1, GRID)
        centre = torch.exp(-(axis[:, None] ** 2 + axis**2) / (2 * CENTRE_WIDTH**2))
        self.register_buffer("prototypes", prototypes, persistent=False)
        self.register_buffer("terms", torch.eye(len(TERMS))[[term for _, term in flat]], persistent=False)
        self.register_buffer("centre", centre, persistent=False)

    def weights(self, lab: torch.Tensor) -> torch.Tensor:
        """The weight of each pixel: CIELAB [B, G, G, 3] -> [B, G, G], sum 1."""
        edge = torch.cat([lab[:, 0], lab[:, -1], lab[:, :, 0], lab[:, :, -1]], 1)
        background = edge.median(1).values
        uniform = ((edge - background[:, None]).norm(dim=-1) < EDGE_WIDTH).to(lab.dtype).mean(1)
        distance = (lab - background[:, None, None]).norm(dim=-1)
        similar = torch.exp(-(distance**2) / (2 * BACKGROUND_WIDTH**2))
        weights = self.centre * (1 - uniform[:, None, None] * similar) + MIN_WEIGHT
        normalised: torch.Tensor = weights / weights.sum((1, 2), keepdim=True)
        return normalised

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Shares of the terms: normalised images [B, 3, H, W] -> [B, 11], sum 1."""
        with torch.autocast(images.device.type, enabled=False):
            srgb = functional.adaptive_avg_pool2d(images.float(), GRID).mul(STD).add(MEAN).clamp(0, 1)
            lab = cielab(srgb.permute(0, 2, 3, 1))
            distance = torch.cdist(
                lab.flatten(1, 2), self.prototypes.float(), compute_mode="donot_use_mm_for_euclid_dist"
            )
            names = torch.softmax(-(distance**2) / (2 * NAME_WIDTH**2), dim=-1) @ self.terms.float()
            shares: torch.Tensor = (names * self.weights(lab).flatten(1)[..., None]).sum(1)
        return shares


class ConSETower(nn.Module):
    """EfficientNet-Lite2 class probabilities and colour shares, mixed into one vector of the text space.

    Shapes: images [B, 3, 260, 260] -> logits [B, 1000] -> probabilities p [B, 1000]
    -> p @ W.T + b with W [D, 1000] (column c: text vector of class c) and b [D]
    (minus the mean text vector) -> [B, D]; and images -> colour shares s [B, 11]
    -> sqrt(s) @ C.T + a with C [D, 11] (column k: what the word of colour k adds to a text) and a [D]
    (minus the same for typical shares) -> [B, D], added to it.
    """

    def __init__(self, width: int, temperature: float = TEMPERATURE) -> None:
        """Build the untrained tower with output width D; its weights come from the checkpoint."""
        super().__init__()
        self.classifier = timm.create_model("tf_efficientnet_lite2", pretrained=False, num_classes=CLASSES)
        self.mix = nn.Linear(CLASSES, width)
        self.shares = ColourShares()
        self.colour = nn.Linear(len(TERMS), width)
        self.temperature = temperature
        self.num_features = width
        self.default_cfg: dict[str, Any] = dict(self.classifier.default_cfg)

    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Softened class probabilities softmax(logits / T): [B, 3, 260, 260] -> [B, 1000]."""
        logits: torch.Tensor = self.classifier(images)
        return torch.softmax(logits / self.temperature, dim=-1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Image vectors before normalisation (ConSE, eq. 3, and the colour): [B, 3, 260, 260] -> [B, D]."""
        objects: torch.Tensor = self.mix(self.probabilities(images))
        colours: torch.Tensor = self.colour(self.shares(images).sqrt().to(images.dtype))
        return objects + colours


@register_model  # type: ignore[untyped-decorator]
def demo_conse_lite2(pretrained: bool = False, **options: Any) -> ConSETower:
    """timm entry point; ``num_classes`` is the width D of the shared space, other options are ignored."""
    if pretrained:
        raise ValueError("demo_conse_lite2 has no weights of its own; load the demo checkpoint")
    return ConSETower(int(options.get("num_classes", 384)))
