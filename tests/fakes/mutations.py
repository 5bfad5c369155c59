"""Decodes thousands of mutated pictures, in a separate process, since a decoder in C may crash it.

`python -m tests.fakes.mutations SEED COUNT LAST_FILE [built]` prints JSON: outcomes by format, unexpected exceptions,
slow files, peak memory; with `built` of RAWs, scientific TIFFs, JPEG 2000 and JPEG XL instead. LAST_FILE always holds
the current file, so that a crash leaves its cause.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

from core.embedding import images
from core.errors import BadImage
from core.ingest.metadata.embedded import embedded_description
from tests.fakes.built_kinds import built_kinds
from tests.fakes.memory import peak_mb
from tests.fakes.odd_pictures import every_kind, mutated

MAX_MEGAPIXELS = 50
SLOW_S = 5.0


def outcome(data: bytes) -> str:
    """`ok`, the reason of BadImage, or `escaped: …` for any other exception."""
    try:
        opened = images.open_image(data, "mutant", MAX_MEGAPIXELS)
        picture = images.upright_rgb(opened, "mutant")
        embedded_description(opened)
        images.thumbnail(picture)
    except BadImage as error:
        return error.reason
    except BaseException as error:  # noqa: BLE001 - finding these is the purpose
        return f"escaped: {type(error).__name__}: {error}"
    return "ok" if picture.mode == "RGB" else f"escaped: mode {picture.mode}"


def main(seed: int, count: int, last_file: Path, kinds: dict[str, bytes]) -> None:
    rng = random.Random(seed)
    outcomes, slow = Counter[tuple[str, str]](), list[str]()
    for name, data in kinds.items():
        if (result := outcome(data)) != "ok":
            raise SystemExit(f"{name}, which is valid: {result}")
    names, others = list(kinds), list(kinds.values())
    for number in range(count):
        name = names[number % len(names)]
        data = mutated(kinds[name], others, rng)
        last_file.write_bytes(data)
        began = time.monotonic()
        outcomes[name.split()[0], outcome(data)] += 1
        if time.monotonic() - began > SLOW_S:
            slow.append(f"{name} #{number}")
    rows = [[image_format, result, times] for (image_format, result), times in sorted(outcomes.items())]
    print(json.dumps({"kinds": len(kinds), "outcomes": rows, "slow": slow, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    kinds = built_kinds() if "built" in sys.argv[4:] else every_kind()
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), kinds)
