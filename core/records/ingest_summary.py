"""What an ingest did, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from core.records.jobs import Failure, IngestReport

MAX_KINDS_SHOWN = 5


def ingest_summary(report: IngestReport) -> str:
    """One line: `3 added, 0 known already, 1 skipped (1 damaged) in 4 s (1.2 images/s)`; the rate if any was added."""
    parts = [f"{report.added:,} added", f"{report.known:,} known already"]
    changes = {
        "with new metadata or places": report.refreshed,
        "replaced": report.replaced,
        "moved": report.moved,
        "missing": report.missing,
    }
    parts += [f"{count:,} {what}" for what, count in changes.items() if count]
    skipped = f" ({_reasons(report.failures)})" if report.failures else ""
    parts.append(f"{len(report.failures):,} skipped{skipped}")
    if report.notes:
        parts.append(
            f"{len(report.notes):,} with a note ({named_counts(Counter(note.reason for note in report.notes))})"
        )
    if report.removed:
        are, them = ("is", "it") if report.removed == 1 else ("are", "them")
        parts.append(f"{report.removed:,} removed before {are} left out (the collection's bin has {them})")
    rate = f" ({report.images_per_s:.1f} images/s)" if report.added else ""
    line = f"{', '.join(parts)} in {report.seconds:.0f} s{rate}"
    return "; ".join([line, *report.remarks])


def _reasons(failures: Iterable[Failure]) -> str:
    return named_counts(Counter(failure.reason for failure in failures))


def named_counts(found: Mapping[str, int]) -> str:
    """The most frequent kinds: `8 CR2, 2 JXL`, with the others as a number."""
    counts = Counter(found)
    named = [f"{count:,} {kind}" for kind, count in counts.most_common(MAX_KINDS_SHOWN)]
    others = counts.total() - sum(count for _, count in counts.most_common(MAX_KINDS_SHOWN))
    return ", ".join([*named, *([f"{others:,} others"] if others else [])])
