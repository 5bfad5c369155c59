"""What a browser is remembered by: a sign-in, or a typed name and the curator key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Account:
    """Someone who signed in, as their identity provider describes them.

    `id` is the issuer and its name for them, which never changes hands; `email` is empty unless the provider says that
    it is theirs (`email_verified`); `groups` are the values of the claim that CONTACTSHEET_ROLES_CLAIM names.
    """

    id: str
    name: str
    email: str = ""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class BrowserSession:
    """A session that a browser has a cookie for. Times are UTC.

    `account` is who signed in; without sign-in `name` is what they typed, and `with_key` says that they had entered the
    curator key. `visitor` is the address that it began from, `browser` what it calls itself, in a few words.
    """

    id: str
    name: str
    account: Account | None
    with_key: bool
    visitor: str
    browser: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class NewSession:
    """A session to begin; fields as in `BrowserSession`. `key_proof` is empty without the curator key."""

    lifetime: timedelta
    visitor: str
    browser: str
    account: Account | None = None
    name: str = ""
    key_proof: str = ""


@dataclass(frozen=True)
class RecognisedSession:
    """What a cookie proves: its session, and whether the curator key that is set now was entered in it."""

    id: str
    has_key: bool
