"""Zero-shot classification of a labelled folder: the names of its sub-folders are the classes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.embedding import images
from core.embedding.encoder import Encoder
from core.embedding.formats import SUFFIXES
from core.embedding.look_ahead import DECODER_THREADS, look_ahead
from core.errors import BadImage, QualityError
from core.quality.intervals import Interval, wilson
from core.records.jobs import Failure, Progress, ProgressListener, ignore

PROMPT = "a photo of a {}"


@dataclass(frozen=True)
class LabelledFolder:
    """The classes of a folder, sorted, and its pictures with the index of their class."""

    classes: tuple[str, ...]
    pictures: tuple[tuple[Path, int], ...]


@dataclass(frozen=True)
class ZeroShotAccuracy:
    """How often the right class came first, and among the first five (Radford et al. 2021), with Wilson's interval."""

    model: str
    classes: int
    pictures: int
    top1: Interval
    top5: Interval
    failures: tuple[Failure, ...]


def labelled_folder(folder: Path) -> LabelledFolder:
    """The pictures directly in the sub-folders of `folder`. Raises QualityError unless two classes have some."""
    try:
        by_class = {entry.name: _pictures(entry) for entry in sorted(folder.iterdir()) if _is_class(entry)}
    except OSError as error:
        raise QualityError(
            f"{folder} cannot be read ({error.strerror}): choose a folder with one subfolder per class"
        ) from error
    found = {name: pictures for name, pictures in by_class.items() if pictures}
    if len(found) < 2:
        raise QualityError(f"{folder} has {len(found)} sub-folders with pictures: make one for each class")
    pairs = [(path, number) for number, pictures in enumerate(found.values()) for path in pictures]
    return LabelledFolder(tuple(found), tuple(pairs))


def _is_class(entry: Path) -> bool:
    return entry.is_dir() and not entry.name.startswith(".")


def _pictures(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return [path for path in files if path.is_file() and not path.name.startswith(".")]


def zero_shot(encoder: Encoder, labelled: LabelledFolder, listener: ProgressListener = ignore) -> ZeroShotAccuracy:
    """Classify every picture; unreadable files are listed and left out. Raises QualityError if none is left."""
    names = [PROMPT.format(name.replace("_", " ").replace("-", " ")) for name in labelled.classes]
    prompts, ranks, failures = encoder.encode_texts(names), list[int](), list[Failure]()
    paths = [path for path, _ in labelled.pictures]
    with ThreadPoolExecutor(DECODER_THREADS) as pool:
        decoded = look_ahead(pool, lambda path: encoder.preprocess(images.load(path)), paths, 2 * encoder.batch_size)
        pairs = zip(labelled.pictures, decoded, strict=True)
        while batch := list(islice(pairs, encoder.batch_size)):
            pixels, truth = _decode_batch(batch, failures)
            if pixels:
                ranks += ranks_of(encoder.encode_pixels(np.stack(pixels)), prompts, truth)
            listener(Progress("classify", len(ranks) + len(failures), len(paths)))
    top1, top5 = (wilson(sum(rank <= k for rank in ranks), len(ranks)) for k in (1, 5))
    if top1 is None or top5 is None:
        raise QualityError(f"none of {len(failures)} files could be read as a picture: check the folder")
    return ZeroShotAccuracy(encoder.card.name, len(names), len(ranks), top1, top5, tuple(failures))


def _decode_batch(
    batch: Sequence[tuple[tuple[Path, int], Future[NDArray[np.float32]]]], failures: list[Failure]
) -> tuple[list[NDArray[np.float32]], list[int]]:
    """The pixels of a batch and their true classes; unreadable files are added to `failures`."""
    pixels, truth = [], []
    for (path, number), future in batch:
        try:
            pixels.append(future.result())
            truth.append(number)
        except BadImage as error:
            failures.append(Failure(str(path), error.reason, error.detail))
    return pixels, truth


def ranks_of(vectors: NDArray[np.float32], prompts: NDArray[np.float32], truth: Sequence[int]) -> list[int]:
    """The rank, from 1, of each picture's true class by cosine; ties count against it.

    `vectors` is (n, d), `prompts` (classes, d), both float32 of unit length; `truth` has n class indices.
    """
    similarity = vectors @ prompts.T
    own = similarity[np.arange(len(truth)), truth][:, np.newaxis]
    return [int(count) for count in (similarity >= own).sum(axis=1)]
