"""Words, glosses and example sentences of WordNet 3.0 (Debian package ``wordnet-base``)."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

LEXNAMES = {
    5: "animal",
    6: "artifact",
    13: "food",
    15: "location",
    17: "object",
    18: "person",
    20: "plant",
    29: "v_body",
    34: "v_consumption",
    35: "v_contact",
    36: "v_creation",
    38: "v_motion",
}
SUBTREES = {
    "wn_vehicle": "vehicle",
    "wn_wear": "clothing",
    "wn_furniture": "furniture",
    "wn_place": "structure",
}
SLOTS = {"wn_animal": "animal", "wn_person": "person", "wn_food": "food", "wn_plant": "plant"}
PICTURED = ("animal", "artifact", "food", "plant", "object", "person")
VERB_KINDS = ("v_body", "v_consumption", "v_contact", "v_creation", "v_motion")


@dataclass(frozen=True)
class Synset:
    """One WordNet concept: its words, its definition, its example sentences and its parents."""

    kind: str
    words: tuple[str, ...]
    gloss: str
    examples: tuple[str, ...]
    parents: tuple[int, ...]


def _parse(line: str) -> tuple[int, Synset]:
    """One line of a data file -> (offset, synset)."""
    head, _, gloss = line.partition("|")
    fields = head.split()
    count = int(fields[3], 16)
    words = tuple(re.sub(r"\(.*\)", "", fields[4 + 2 * i]).replace("_", " ") for i in range(count))
    parents = tuple(int(fields[i + 1]) for i, f in enumerate(fields) if f in ("@", "@i") and i + 1 < len(fields))
    examples = tuple(re.findall(r'"([^"]{8,})"', gloss))
    definition = re.split(r';\s*"', gloss.strip())[0].strip(' ;"')
    return int(fields[0]), Synset(LEXNAMES.get(int(fields[1]), "other"), words, definition, examples, parents)


def read(folder: Path) -> dict[str, dict[int, Synset]]:
    """All synsets by part of speech (noun, verb, adj, adv) and offset."""
    out: dict[str, dict[int, Synset]] = {}
    for part in ("noun", "verb", "adj", "adv"):
        lines = (folder / f"data.{part}").read_text(encoding="latin-1").splitlines()
        out[part] = dict(_parse(line) for line in lines if not line.startswith(" "))
    return out


def _descendants(nouns: dict[int, Synset], root_word: str) -> set[int]:
    """Offsets of the first synset named ``root_word`` (among artifacts) and of all below it."""
    children: dict[int, list[int]] = defaultdict(list)
    for offset, synset in nouns.items():
        for parent in synset.parents:
            children[parent].append(offset)
    roots = [o for o, s in nouns.items() if s.kind == "artifact" and s.words[0] == root_word]
    found, todo = set(), roots[:1]
    while todo:
        offset = todo.pop()
        if offset not in found:
            found.add(offset)
            todo += children[offset]
    return found


def slots(data: dict[str, dict[int, Synset]]) -> dict[str, list[str]]:
    """Words for the grammar's ``{wn_*}`` slots; nouns come with an article."""
    nouns = data["noun"]
    out: dict[str, list[str]] = defaultdict(list)
    for synset in nouns.values():
        common = [w for w in synset.words if w.islower()][:2]
        for slot, kind in SLOTS.items():
            if synset.kind == kind:
                out[slot] += [("" if kind == "food" else "a ") + w for w in common]
        if synset.kind == "artifact":
            out["wn_obj"] += ["a " + w for w in common]
    for slot, root in SUBTREES.items():
        out[slot] = ["a " + w for o in sorted(_descendants(nouns, root)) for w in nouns[o].words[:2] if w.islower()]
    verbs = [s for s in data["verb"].values() if s.kind in VERB_KINDS]
    out["wn_verb"] = sorted({w for s in verbs for w in s.words if " " not in w and w.isalpha()})
    return dict(out)


def sentences(data: dict[str, dict[int, Synset]]) -> dict[str, list[str]]:
    """WordNet's texts in lower case by kind: ``example``, ``gloss``, ``word`` and ``photo`` prompts."""
    found: dict[str, dict[str, None]] = {"example": {}, "gloss": {}, "word": {}, "photo": {}}
    for synset in (s for synsets in data.values() for s in synsets.values()):
        found["example"].update(dict.fromkeys(e.lower() for e in synset.examples))
        found["word"].update(dict.fromkeys(w.lower() for w in synset.words))
        if len(synset.gloss) < 90:
            found["gloss"][synset.gloss.lower()] = None
        if synset.kind in PICTURED:
            found["photo"]["a photo of a " + synset.words[0].lower()] = None
    return {kind: list(texts) for kind, texts in found.items()}
