"""Walks a source: what lies in another source inside it is found as that one finds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from core.ingest.source_files import SourceRoot
from core.ingest.sources.folder import Walk, walk
from core.ingest.sources.passed_over import PassedOver
from core.records.jobs import ProgressListener, ignore


def walk_source(
    path: Path, source: SourceRoot, roots: Iterable[SourceRoot], listener: ProgressListener = ignore
) -> Walk:
    """What is below `path`, which is the folder of a source or lies in it; `roots` are all sources of the collection.

    Each file is found by the innermost source that holds it, with what that one excludes. A source inside that is not
    there counts as a folder that cannot be read. Raises ContactSheetError if `path` is neither a folder nor a file.
    """
    inner = [root for root in roots if root.path != path and root.path.is_relative_to(path)]
    found = [_without(_walk_part(path, source, listener), inner)]
    for root in inner:
        deeper = [each for each in inner if each != root and each.path.is_relative_to(root.path)]
        if root.path.exists():
            found.append(_without(walk(root.path, root.exclude, listener), deeper))
        else:
            found.append(Walk(root.path, (), (), PassedOver(), (root.path,)))
    return _joined(found)


def _walk_part(path: Path, source: SourceRoot, listener: ProgressListener) -> Walk:
    if path == source.path or not source.exclude:
        return walk(path, source.exclude, listener)
    whole = walk(source.path, source.exclude, listener)  # its patterns are about paths from its own folder
    return replace(whole, root=path, files=tuple(file for file in whole.files if file.path.is_relative_to(path)))


def _without(found: Walk, inner: Sequence[SourceRoot]) -> Walk:
    if not inner:
        return found
    files = (file for file in found.files if not any(file.path.is_relative_to(root.path) for root in inner))
    return replace(found, files=tuple(files))


def _joined(walks: Sequence[Walk]) -> Walk:
    if len(walks) == 1:
        return walks[0]
    passed_over = PassedOver(
        dict(sum((Counter(found.passed_over.kinds) for found in walks), Counter[str]())),
        dict(sum((Counter(found.passed_over.excluded_folders) for found in walks), Counter[str]())),
        sum(found.passed_over.excluded_files for found in walks),
        sum(found.passed_over.hidden for found in walks),
        sum(found.passed_over.other_files for found in walks),
    )
    return Walk(
        walks[0].root,
        tuple(file for found in walks for file in found.files),
        tuple(failure for found in walks for failure in found.failures),
        passed_over,
        tuple(folder for found in walks for folder in found.unreadable_folders),
    )
