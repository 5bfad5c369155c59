from __future__ import annotations

from typing import Any

import pytest
import torch

from core.embedding.models import open_clip
from core.embedding.text_tower import TextTower
from tests.core.embedding.test_open_clip_models import TINY

TEXTS = ["", "a cat", "two dogs playing on a beach", "word " * 60]


def model(**text: Any) -> Any:
    torch.manual_seed(0)
    config = {**TINY, "text_cfg": {**TINY["text_cfg"], **text}}
    return open_clip().model.CLIP(**config).eval()


def custom_text_model(**text: Any) -> Any:
    torch.manual_seed(0)
    config = {**TINY, "text_cfg": {**TINY["text_cfg"], **text}}
    return open_clip().model.CustomTextCLIP(**config).eval()


def tokens(context: int = 16) -> torch.Tensor:
    return open_clip().SimpleTokenizer(context_length=context)(TEXTS)


@pytest.mark.parametrize(
    "built", [model(), custom_text_model(), custom_text_model(pool_type="eos", eos_id=49407), model(proj_bias=True)]
)
def test_stopping_at_the_end_of_the_text_gives_the_same_vectors(built: Any) -> None:
    tower = TextTower(built)
    assert tower.stops_early
    with torch.inference_mode():
        for batch in (tokens(), *tokens().split(1)):
            assert torch.allclose(tower.encode(batch), built.encode_text(batch), atol=1e-5)


def test_the_rest_of_the_context_is_not_computed() -> None:
    built = model()
    lengths: list[int] = []
    built.transformer.register_forward_pre_hook(lambda module, args: lengths.append(args[0].shape[1]))
    with torch.inference_mode():
        TextTower(built).encode(tokens()[1:2])
    assert lengths == [4]


@pytest.mark.parametrize(
    "built", [model(no_causal_mask=True), model(pool_type="last"), custom_text_model(embed_cls=True, pool_type="last")]
)
def test_other_towers_take_the_full_path(built: Any) -> None:
    tower = TextTower(built)
    assert not tower.stops_early
    with torch.inference_mode():
        assert torch.equal(tower.encode(tokens()), built.encode_text(tokens()))
