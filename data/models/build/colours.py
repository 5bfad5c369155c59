"""Colour side of the demo model: what a colour word adds to a text's vector."""

from __future__ import annotations

from collections.abc import Callable

import torch

from core.embedding.demo_tower import TERMS

NOUNS = (
    "flower car shirt dress house bird dog cat horse fish ball cup chair table box bag bicycle boat bus truck door "
    "wall hat jacket coat umbrella book bottle plate lamp sofa carpet curtain tree leaf fruit vegetable cake butterfly "
    "beetle snake frog cow rabbit building roof fence sign flag balloon toy tool pencil phone clock guitar drum train "
    "plane scarf glove shoe blanket pillow vase bowl bucket rope stone insect parrot duck"
)
# Scale of the colour part, whose norm is then 0.004 to 0.015 beside 0.06 to 0.12 of the object part: chosen on
# descriptions of the demo photographs, captions of stock photographs and 80 queries with a colour, none of them held
# out for measuring, and low enough that "a red flower" finds flowers before other red things.
STRENGTH = 0.03
# Square roots of the shares in a usual picture, in the order of TERMS: the mean over 170 stock photographs.
TYPICAL = (0.41, 0.35, 0.39, 0.10, 0.11, 0.06, 0.13, 0.23, 0.10, 0.13, 0.44)


def with_article(words: str) -> str:
    """``"orange car"`` -> ``"an orange car"``."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def colour_vectors(encode: Callable[[list[str]], torch.Tensor]) -> torch.Tensor:
    """Mean over the nouns of text("a red car") - text("a car"), less the mean over the terms: [11, D].

    ``encode`` gives unit vectors [N, D] of N texts.  What all terms add in common says only that a colour is named.
    """
    nouns = NOUNS.split()
    plain = encode([with_article(noun) for noun in nouns])
    rows = [(encode([with_article(f"{term} {noun}") for noun in nouns]) - plain).mean(0) for term in TERMS]
    vectors = torch.stack(rows)
    return vectors - vectors.mean(0)


def layer(encode: Callable[[list[str]], torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight [D, 11] and bias [D] of the tower's colour layer; zero for a picture of typical shares."""
    weight = STRENGTH * colour_vectors(encode).T
    return weight, -weight @ torch.tensor(TYPICAL)
