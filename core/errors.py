"""One root and a few kinds of errors; every message contains the actual values and the next step."""

from __future__ import annotations


class ContactSheetError(Exception):
    """An error that a person can act on. `str(error)` is one line that says what happened and what to do."""


class SettingError(ContactSheetError):
    """A setting has a value that is not allowed."""


class BadImage(ContactSheetError):
    """A file is not an image that can be read.

    `reason` is the same short phrase for the same kind of error, so that errors can be counted.
    """

    def __init__(self, path: str, reason: str, detail: str = "") -> None:
        self.path, self.reason, self.detail = path, reason, detail
        super().__init__(f"{path}: {reason}" + (f" ({detail})" if detail else ""))


class ModelUnavailable(ContactSheetError):
    """A model's weights are not available, or differ from those a collection was embedded with."""


class CollectionError(ContactSheetError):
    """A collection is missing, has a name that is not allowed, or does not match what is written to it."""


class CollectionDamaged(CollectionError):
    """What is on disk is not the collection that was written there; `cause` says why, in a few words.

    A sibling of `home` is embedded again; anything else is restored.
    """

    def __init__(self, name: str, cause: str, home: str = "") -> None:
        self.name, self.cause = name, cause
        advice = f"restore it with `python -m core restore PLACE --collection {name}`, or delete it"
        if home not in ("", name):
            advice = f"delete it, and embed {home} again"
        super().__init__(f"collection {name} is damaged ({cause}), the others are not: {advice}")


class CollectionBusy(ContactSheetError):
    """Another process is writing to the collection."""


class SidecarError(ContactSheetError):
    """A file of captions cannot be read."""


class QueryError(ContactSheetError):
    """A search asks for something that cannot be answered."""


class StoreError(ContactSheetError):
    """Data cannot be read or written: a full disk, a folder without access, a damaged file."""


class DataDamaged(StoreError):
    """What was read is not what was written: not a full disk, not a lack of rights, not a database that is in use."""


class JobError(ContactSheetError):
    """A background job cannot be started, found or stopped."""


class NotAllowed(ContactSheetError):
    """The person may view this, but not change it."""


class TooManyTries(ContactSheetError):
    """Something was done too often; in `wait_s` seconds it may be tried again."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class UploadTooLarge(ContactSheetError):
    """A file is larger than what may be uploaded, or those uploaded before are still there."""


class NameMissing(ContactSheetError):
    """Something needs the person's name, and they have not given one."""


class ClusterError(ContactSheetError):
    """A clustering, one of its edits or a revision asks for something impossible."""


class QualityError(ContactSheetError):
    """A label set or an evaluation cannot be read or compared, or quality fell below its floor."""
