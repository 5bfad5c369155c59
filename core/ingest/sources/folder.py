"""Finds image files below a folder, whatever else is there, and counts what it passes over.

`walk(root, exclude)` gives all of it at once; a `FolderWalk` gives the same file by file. Paths are real ones: `a/../a`
and a link to `a` give the files of `a`. Each folder is visited once; a link to a folder or file that the tree itself
holds adds nothing; one that leads out of the tree is followed, and what is behind it keeps the path through the link.
Two hard links to one file are two files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.ingest.sources.folder_walk import FolderWalk, FoundFile
from core.ingest.sources.passed_over import PassedOver
from core.records.jobs import Failure, Progress, ProgressListener, ignore
from core.store.objects.names import path_to_uri, uri_to_path

REPORT_EVERY = 1000  # files


@dataclass(frozen=True)
class Walk:
    """What is below `root`, a real path: images in a stable order, what cannot be reached, what was passed over.

    Nothing can be said of files in `unreadable_folders` (paths as those of files, through links): they are not there to
    see, which is not deleted.
    """

    root: Path
    files: tuple[FoundFile, ...]
    failures: tuple[Failure, ...]
    passed_over: PassedOver
    unreadable_folders: tuple[Path, ...]


def walk(root: Path, exclude: Sequence[str] = (), listener: ProgressListener = ignore) -> Walk:
    """Everything below `root`; see FolderWalk, which raises the same errors."""
    folder_walk = FolderWalk(root, exclude)
    files, failures = list[FoundFile](), list[Failure]()
    for item in folder_walk:
        if isinstance(item, Failure):
            failures.append(item)
        else:
            files.append(item)
            if len(files) % REPORT_EVERY == 0:
                listener(Progress("scan", len(files), 0))
    unreadable = tuple(folder_walk.unreadable_folders)
    return Walk(folder_walk.root, tuple(files), tuple(failures), folder_walk.passed_over, unreadable)


def image_files(root: Path, exclude: Sequence[str] = ()) -> Iterator[Path | Failure]:
    """The files of a FolderWalk, as paths below `root` as it was given."""
    folder_walk = FolderWalk(root, exclude)
    for item in folder_walk:
        yield item if isinstance(item, Failure) else root / item.path.relative_to(folder_walk.root)


def walk_files(uris: Sequence[str]) -> Walk:
    """The files with these uris, wherever they are; those that no longer exist as failures."""
    files, failures = list[FoundFile](), list[Failure]()
    for path in map(uri_to_path, uris):
        if path.is_file():
            (found,) = (item for item in FolderWalk(path) if isinstance(item, FoundFile))
            files.append(replace(found, path=path))
        else:
            failures.append(Failure(path_to_uri(path), "no such file"))
    return Walk(Path("/"), tuple(files), tuple(failures), PassedOver(), ())
