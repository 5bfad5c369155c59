"""Training texts of the demo model: the caption grammar, short queries and WordNet."""

from __future__ import annotations

import random
import re
from pathlib import Path

import wordnet

GRAMMAR = Path(__file__).with_name("grammar.txt")
DOUBLED = re.compile(
    "run|sit|swim|jog|hit|get|put|set|cut|chop|skip|hop|drag|grab|hug|pet|pat|rub|shop|slip|spin|stop|step|trim"
    "|wrap|strum|skim|nap|clap|dip|flip|grin|mop|rip|scrub|slam|snap|tap|tip|tug|wag|win|dig|beg|bat|chat|plan"
    "|tag|trot|skid|zip|nod|knit"
)
TO_Y = {"lie": "lying", "tie": "tying", "die": "dying", "are": "being", "is": "being"}
SLOT = re.compile(r"\{([a-z_0-9]+)(?::(ing|s))?\}(\?)?")


def present_participle(verb: str) -> str:
    """Present participle of a base form: run -> running."""
    if verb in TO_Y:
        return TO_Y[verb]
    if DOUBLED.fullmatch(verb):
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    return verb + "ing"


def third_person(verb: str) -> str:
    """Third person singular of a base form: carry -> carries."""
    if verb in ("have", "be"):
        return {"have": "has", "be": "is"}[verb]
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")


class Grammar:
    """Random sentences from the rules of ``grammar.txt``."""

    def __init__(self, extra: dict[str, list[str]], rng: random.Random) -> None:
        self.rng = rng
        self.rules: dict[str, list[str]] = dict(extra)
        name = ""
        for line in GRAMMAR.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                name = line[1:-1]
                self.rules[name] = []
            elif line and not line.startswith("#"):
                self.rules[name] += [part.strip() for part in line.split(" ; ")]

    def expand(self, name: str, form: str | None = None, depth: int = 0) -> str:
        """One random expansion of a rule, with its verb inflected as `form`."""
        text = self.rng.choice(self.rules[name])
        while depth > 6 and "{" in text:
            text = self.rng.choice(self.rules["noun"])

        def fill(match: re.Match[str]) -> str:
            if match[3] and self.rng.random() < 0.5:
                return ""
            lead = form if match.start() == 0 and not match[2] else match[2]
            return self.expand(match[1], lead, depth + 1)

        starts_with_slot = text.startswith("{")
        text = SLOT.sub(fill, text)
        if form and not starts_with_slot:
            verb, space, rest = text.partition(" ")
            text = (present_participle(verb) if form == "ing" else third_person(verb)) + space + rest
        return text

    def sentence(self, rule: str) -> str:
        """One finished text in lower case: articles corrected, spaces normalised, sometimes a full stop."""
        text = re.sub(r"\s+", " ", self.expand(rule)).strip()
        text = re.sub(r"\ba (?=[aeiou])(?!uni|use|one|eu|ute)", "an ", text)
        text = re.sub(r"\ban? (an?|the|his|her|two|three|several|no) ", r"\1 ", text).replace(" 's", "'s")
        if rule == "query":
            return re.sub(r"^an? ", "", text) if self.rng.random() < 0.4 else text
        return text + self.rng.choice(["", "", " .", "."])


def training_texts(wordnet_folder: Path, counts: dict[str, int], seed: int) -> list[str]:
    """Distinct shuffled training texts: grammar captions and queries, and samples of WordNet."""
    rng = random.Random(seed)
    data = wordnet.read(wordnet_folder)
    grammar = Grammar(wordnet.slots(data), rng)
    texts = dict.fromkeys(grammar.sentence("caption") for _ in range(counts["caption"]))
    texts.update(dict.fromkeys(grammar.sentence("query") for _ in range(counts["query"])))
    for kind, found in wordnet.sentences(data).items():
        texts.update(dict.fromkeys(rng.sample(found, min(len(found), counts[kind]))))
    shuffled = list(texts)
    rng.shuffle(shuffled)
    return shuffled
