"""What browsers are remembered by: beginning, recognising, listing and ending their sessions.

A cookie holds a random token of 256 bits; stored is its hash, so that whoever reads the database can make none. Every
server process asks the same store, and asks it at every write: a session that has ended counts nowhere any more.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from core.access import MAX_NAME_LENGTH, Access, Action, Person, RoleRules
from core.errors import NotAllowed, TooManyTries
from core.records.sessions import Account, BrowserSession, NewSession, RecognisedSession
from core.settings import Secret
from core.store.sql.rate_limits import RateLimits
from core.store.sql.session_store import SessionStore
from core.text import one_line

CLAIM_WITHIN = timedelta(minutes=1)
MAX_CLAIM_LENGTH = 200
MAX_GROUPS, MAX_REASON_LENGTH = 500, 200
HOUR_S = 3600.0
SIGN_INS_PER_MINUTE, FAILURES_PER_HOUR, OFFERS_PER_HOUR = 60, 20, 60
# What browsers call themselves, the more special names first: Edge and Opera say Chrome too, and Chrome says Safari.
_BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


class SessionService:
    """The sessions of one data folder. Thread-safe, and safe across processes."""

    def __init__(
        self, store: SessionStore, access: Access, rates: RateLimits, lifetime: timedelta, roles_claim: str
    ) -> None:
        """`roles_claim` is the claim with a person's groups or roles, with dots where it lies in others."""
        self._store, self._access, self._rates = store, access, rates
        self.lifetime, self._roles_claim = lifetime, roles_claim

    # -- beginning ------------------------------------------------------------------------------------------

    def begin_sign_in(self, visitor: str) -> None:
        """Count a way to the identity provider and back, each of which asks it something. Raises TooManyTries."""
        self._take("sign-in", visitor, SIGN_INS_PER_MINUTE, 60.0)

    def sign_in(self, claims: Mapping[str, Any], visitor: str, agent: str) -> str:
        """A session for someone whom an identity provider describes by these claims; returns the cookie's token.

        Raises NotAllowed if they do not say who it is, and StoreError.
        """
        account, token = account_from_claims(claims, self._roles_claim), secrets.token_urlsafe(32)
        rules = self._access.sign_in or RoleRules()
        self._access.audit.record(
            Person(account=account, visitor=visitor), "sign in", target=f"as {rules.role(account).label}"
        )
        new = NewSession(self.lifetime, visitor, browser_name(agent), account)
        self._store.create(new, token_hash=_hash(token))
        return token

    def record_failed_sign_in(self, visitor: str, reason: str) -> None:
        """Leave a line in the audit log, unless this visitor has left many in the last hour."""
        if self._rates.take("sign-in failed", visitor, FAILURES_PER_HOUR, HOUR_S) is not None:
            return
        target = one_line(reason, MAX_REASON_LENGTH)
        self._access.audit.record(Person(visitor=visitor), "sign-in failed", target=target, outcome="refused")

    def offer(self, person: Person, agent: str) -> tuple[str, str]:
        """A session that remembers a typed name and the curator key: its id, and the code for the browser.

        The browser claims it by the code, which is good once and for a minute. This person's session so far ends.
        Raises TooManyTries.
        """
        self._take("from the cache", person.quota_key, OFFERS_PER_HOUR, HOUR_S)
        code = secrets.token_urlsafe(32)
        key = self._access.curator_key if self._access.asks_for_key and self._has_key(person) else Secret()
        proof = _proof(_token_of(code), key)
        new = NewSession(self.lifetime, person.visitor, browser_name(agent), None, person.given_name, proof)
        if proof:
            self._access.audit.record(person, "sign in", target="with the curator key")
        session = self._store.create(new, claim_hash=_hash(code))
        if person.session:
            self._store.end(person.session)
        return session, code

    def claim(self, code: str) -> str | None:
        """The cookie's token for a code that `offer` gave; None if it is not one, was used or is too old."""
        token = _token_of(code)
        return token if self._store.claim(_hash(code), _hash(token), CLAIM_WITHIN) else None

    # -- recognising ----------------------------------------------------------------------------------------

    def recognise(self, token: str) -> RecognisedSession | None:
        """The live session of a cookie's token; None if there is none."""
        found = self._store.recognise(_hash(token)) if token else None
        if found is None:
            return None
        session, proof = found
        has_key = bool(proof) and hmac.compare_digest(proof, _proof(token, self._access.curator_key))
        return RecognisedSession(session.id, has_key)

    def get(self, session: str) -> BrowserSession | None:
        """A live session by its id; None if it has ended."""
        return self._store.get(session)

    def has_ended(self, session: str) -> bool:
        """Whether a session has ended; one that a browser has not claimed yet has not."""
        return self._store.has_ended(session)

    def rename(self, person: Person) -> None:
        """Remember the name that this person has typed now."""
        self._store.rename(person.session, person.given_name)

    # -- ending ---------------------------------------------------------------------------------------------

    def end(self, person: Person) -> None:
        """End this person's session, in all tabs and server processes at once."""
        if self._store.end(person.session) and person.account is not None:
            self._access.audit.record(person, "sign out")

    def end_token(self, token: str) -> None:
        """End the session of a cookie's token, if it lives."""
        found = self._store.recognise(_hash(token))
        if found is not None:
            session = found[0]
            self.end(Person(session.name, account=session.account, session=session.id, visitor=session.visitor))

    def live(self, person: Person) -> list[BrowserSession]:
        """All live sessions, those seen last first. Raises NotAllowed for all but admins."""
        self._access.require(person, Action.SEE_SESSIONS)
        return self._store.live()

    def revoke(self, person: Person, session: str) -> bool:
        """End a session of someone else; False if it had ended already. Raises NotAllowed for all but admins."""
        self._access.require(person, Action.REVOKE)
        found = self._store.get(session)
        whose = session_owner(found) if found else "one that has ended"
        with self._access.acting(person, Action.REVOKE, target=f"{whose} ({session})"):
            return self._store.end(session)

    def standing(self, session: BrowserSession) -> str:
        """What a session gives whoever has it: the role of its account, or the curator key."""
        if self._access.sign_in is not None and session.account is not None:
            return self._access.sign_in.role(session.account).label
        return "has entered the curator key" if session.with_key else "a name alone"

    def _take(self, kind: str, key: str, limit: int, window_s: float) -> None:
        wait_s = self._rates.take(kind, key, limit, window_s)
        if wait_s is not None:
            raise TooManyTries(f"this was tried too often: try again in {math.ceil(wait_s)} s", wait_s)

    def _has_key(self, person: Person) -> bool:
        return self._access.is_key(person.key) or (person.has_key and self._access.is_live(person.session))


def session_owner(session: BrowserSession) -> str:
    """Whose session it is, as others read it."""
    account = session.account
    if account is None:
        return session.name or "without a name"
    if account.name and account.email and account.name != account.email:
        return f"{account.name} ({account.email})"
    return account.name or account.email or account.id


def account_from_claims(claims: Mapping[str, Any], roles_claim: str) -> Account:
    """The account that an identity provider describes. Raises NotAllowed if it does not say whose it is.

    Anyone may write an address into a form, so one counts only if the provider has verified it.
    """
    subject, issuer = _exact(claims.get("sub")), claims.get("iss", "")
    if not subject or (issuer != "" and not _exact(issuer)):
        raise NotAllowed("the identity provider did not say who signed in (no claim `sub`): see its settings")
    verified = claims.get("email_verified") in (True, "true")
    email = _exact(claims.get("email")) if verified else ""
    name = _text(claims.get("name")) or _text(claims.get("preferred_username")) or email
    return Account(f"{issuer} {subject}".strip(), one_line(name, MAX_NAME_LENGTH), email, _groups(claims, roles_claim))


def _groups(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """The values of a claim: a text, a list of texts, or one inside others (`realm_access.roles`)."""
    value: Any = claims.get(path)
    if value is None:
        value = claims
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(filter(None, map(_exact, values[:MAX_GROUPS])))


def browser_name(agent: str) -> str:
    """A browser and its system in two words, from its User-Agent header; both are only what it says of itself."""
    browser = next((name for mark, name in _BROWSERS.items() if re.search(rf"\b{mark}\w*/", agent)), "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in agent), "")
    return " on ".join(filter(None, [browser, system])) or "unknown"


def _text(value: Any) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _exact(value: Any) -> str:
    """A text that decides something: empty unless it is one line without invisible characters as it stands."""
    return value if isinstance(value, str) and value.isprintable() and value == one_line(value) else ""


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _token_of(code: str) -> str:
    """The token of the session that a code claims; different, so that what a page has seen is not the cookie."""
    return hashlib.sha256(f"session {code}".encode()).hexdigest()


def _proof(token: str, key: Secret) -> str:
    """That a key was entered in the session of a token; without the token it tells nothing about the key."""
    return hmac.new(token.encode(), key.reveal().encode(), hashlib.sha256).hexdigest() if key else ""
