"""One root and few kinds of error; every message holds actual values and the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class ContactSheetError(Exception):
    """Something a person can act on. `str(error)` is one line that says what happened and what to do."""


class SettingError(ContactSheetError):
    """A setting has a value that is not allowed."""


class BadImage(ContactSheetError):
    """A file is not an image that can be read.

    `reason` is a short phrase that is the same for the same kind of fault, so that faults can be counted.
    """

    def __init__(self, path: str, reason: str, detail: str = "") -> None:
        self.path, self.reason, self.detail = path, reason, detail
        super().__init__(f"{path}: {reason}" + (f" ({detail})" if detail else ""))


class ModelUnavailable(ContactSheetError):
    """A model's weights cannot be had, or do not fit what a collection was embedded with."""


class CollectionError(ContactSheetError):
    """A collection is missing, has a name that is not allowed, or does not fit what is written to it."""


class CollectionBusy(ContactSheetError):
    """Another process is writing to the collection."""


class SidecarError(ContactSheetError):
    """A file of captions cannot be read."""


class QueryError(ContactSheetError):
    """A search asks for something that cannot be answered."""


class StoreError(ContactSheetError):
    """What a run writes cannot be read or written: a full disk, a folder without access, a damaged file."""


class JobError(ContactSheetError):
    """A background job cannot be started, found or stopped."""


class NotAllowed(ContactSheetError):
    """The person may look, but not change this."""


class ClusterError(ContactSheetError):
    """A clustering, an edit of one or a revision asks for something that cannot be had."""


class QualityError(ContactSheetError):
    """A label set, an evaluation or a floor cannot be read, compared or held."""
