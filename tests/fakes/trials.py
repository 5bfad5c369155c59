"""How often tests that strike at random try: a tenth for each change, all of it before a release and every night."""

from __future__ import annotations

import os

ALL_TRIALS = bool(os.environ.get("ALL_TRIALS"))
SHARE = 10


def trials(count: int, at_least: int = 1) -> int:
    """`count` in `make test-all`, which sets ALL_TRIALS, otherwise a tenth of it but not less than `at_least`."""
    return count if ALL_TRIALS else max(count // SHARE, min(at_least, count))
