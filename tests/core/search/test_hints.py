"""What people are told about how far a result can be trusted."""

from __future__ import annotations

import pytest

from core.records.assets import ModelCard
from core.records.text_fit import TextFit
from core.search.hints import WEAK, search_hints

ENGLISH = ModelCard("ViT-B-32/openai", "sha256:1", 512)
FIT = TextFit(100, 0.0, 0.2)


def hints(
    query: str, similarity: float = 0.3, fit: TextFit = FIT, model: ModelCard = ENGLISH, by_words: bool = False
) -> tuple[str, ...]:
    return search_hints(query, model, fit, similarity, by_words)


def test_a_best_match_below_what_the_collections_texts_reach_is_weak() -> None:
    assert hints("a dog", 0.19) == (WEAK,)
    assert hints("a dog", 0.2) == ()
    assert hints("a dog", 0.0, TextFit(100, 0.8, None)) == ()


def test_nothing_is_said_where_words_were_found_or_none_were_asked() -> None:
    assert hints("a dog", 0.0, by_words=True) == ()
    assert hints("собака", 0.0, by_words=True) == ()
    assert hints("", 0.0) == ()


@pytest.mark.parametrize(
    ("query", "script"),
    [
        ("собака", "Cyrillic letters"),
        ("a dog собака", "Cyrillic letters"),
        ("猫", "Chinese characters"),
        ("ねこ", "Hiragana letters"),
        ("σκύλος", "Greek letters"),
        ("كلب", "Arabic letters"),
    ],
)
def test_an_english_model_is_said_not_to_know_other_scripts(query: str, script: str) -> None:
    told = f"The model {ENGLISH.name} was trained on English texts and may not know {script}."
    assert hints(query, 0.0) == (told,)


@pytest.mark.parametrize("query", ["a café", "Łódź", "1998 🐶", "ª º ʰ", "dog\u0301", "Ａ ｄｏｇ", "𝐝𝐨𝐠", "5 Å"])
def test_latin_letters_marks_and_pictographs_are_no_other_script(query: str) -> None:
    assert hints(query) == ()


@pytest.mark.parametrize("name", ["xlm-roberta-base-ViT-B-32/laion5b", "ViT-B-16-SigLIP2/webli", "nllb-clip-base/v1"])
def test_multilingual_models_are_not_warned_of(name: str) -> None:
    assert hints("собака", model=ModelCard(name, "sha256:1", 512)) == ()


def test_words_that_nothing_knows_are_named_even_where_others_were_found() -> None:
    one = search_hints("red xyzzyq", ENGLISH, FIT, 0.9, found_by_words=True, unknown=["xyzzyq"])
    assert one == ("‘xyzzyq’ is not in any text here, and the model may not know it.",)
    both = search_hints("xyzzyq plugh", ENGLISH, FIT, 0.9, found_by_words=True, unknown=["xyzzyq", "plugh"])
    assert both == ("‘xyzzyq’ and ‘plugh’ are not in any text here, and the model may not know them.",)
