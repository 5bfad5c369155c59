"""Who may do what. Checked in core, next to the writes; pages only say who is asking."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Protocol

from core.errors import NameMissing, NotAllowed
from core.settings import Secret

MAX_NAME_LENGTH = 60
SOMEONE_HERE, SOMEONE_WITH_KEY, SOMEONE = "someone at this computer", "someone with the curator key", "a visitor"


class Role(IntEnum):
    """What someone may do: look around, change collections and clusters, or also see who did and end sessions."""

    VIEWER = 0
    CURATOR = 1
    ADMIN = 2

    @property
    def label(self) -> str:
        return self.name.lower()


class Action(Enum):
    """What is done to what others rely on: its name in the audit log, who may, and what completes "Only … may"."""

    # clusters
    EDIT_CLUSTERS = ("edit clusters", Role.CURATOR, "change clusters")
    DISCARD_DRAFT = ("discard draft", Role.CURATOR, "change clusters")
    TAKE_OVER_DRAFT = ("take over draft", Role.ADMIN, "take over a draft of someone else")
    SAVE = ("save", Role.CURATOR, "save clusters")
    PUBLISH = ("publish", Role.CURATOR, "publish clusters")
    RESTORE = ("restore", Role.CURATOR, "restore a revision")
    NAME_REVISION = ("name revision", Role.CURATOR, "name revisions")
    PRUNE = ("prune revisions", Role.CURATOR, "remove revisions")
    # collections
    ADD_PICTURES = ("add pictures", Role.CURATOR, "add pictures")
    STOP_JOB = ("stop job", Role.CURATOR, "stop a job")
    REMOVE = ("remove", Role.CURATOR, "remove pictures")
    PUT_BACK = ("put back", Role.CURATOR, "put pictures back")
    EMPTY_BIN = ("empty bin", Role.CURATOR, "empty the bin")
    DELETE_COLLECTION = ("delete collection", Role.CURATOR, "delete collections")
    EMBED_AGAIN = ("embed again", Role.CURATOR, "embed collections again")
    SWITCH = ("switch", Role.CURATOR, "switch collections over")
    RECOMPUTE_MAP = ("recompute map", Role.CURATOR, "recompute the map")
    FIND_DUPLICATES = ("find duplicates", Role.CURATOR, "look for duplicates")
    # the rest
    EVALUATE = ("evaluate", Role.CURATOR, "start evaluations")
    STOP_EVALUATION = ("stop evaluation", Role.CURATOR, "stop evaluations")
    SILENCE = ("silence alert", Role.CURATOR, "silence alerts")
    END_SILENCE = ("end silence", Role.CURATOR, "silence alerts")
    SEE_SESSIONS = ("see sessions", Role.ADMIN, "see who is signed in")
    REVOKE = ("revoke session", Role.ADMIN, "end the sessions of others")
    READ_AUDIT_LOG = ("read audit log", Role.ADMIN, "read the audit log")

    def __init__(self, label: str, role: Role, what: str) -> None:
        self.label, self.role, self.what = label, role, what

    @property
    def needs_name(self) -> bool:
        """Whether others read afterwards who did it, so that a name has to be given first."""
        return self in (Action.SAVE, Action.PUBLISH, Action.RESTORE, Action.NAME_REVISION)


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
class Person:
    """Someone using a page or the command line, and what tells who they are.

    Without sign-in: the `name` they typed, the `key` they entered, or that their browser remembers it (`has_key`), and
    whether they are at this computer. Signed in: their `account`. `session` is the id of what their browser remembers,
    which may have ended meanwhile; `visitor` is what limits count by.
    """

    name: str = ""
    over_loopback: bool = False
    key: Secret = Secret()
    account: Account | None = None
    session: str = ""
    has_key: bool = False
    visitor: str = ""
    is_operator: bool = False

    @property
    def given_name(self) -> str:
        """The name of their account, or the one they typed; empty if they gave none."""
        account = self.account
        text = (account.name or account.email or account.id) if account else self.name
        return " ".join(text.split())[:MAX_NAME_LENGTH]

    @property
    def author(self) -> str:
        """The name for changes they make, as others read it."""
        if self.given_name:
            return self.given_name
        return SOMEONE_HERE if self.over_loopback else SOMEONE_WITH_KEY if self.key or self.has_key else SOMEONE

    @property
    def identity(self) -> str:
        """What owns their drafts and votes: the account; without sign-in the name, which anyone may type."""
        return f"account:{self.account.id}" if self.account else f"name:{self.author}"

    @property
    def quota_key(self) -> str:
        """What limits count by: the account, else the address; all whose address is not known share one."""
        return f"account:{self.account.id}" if self.account else f"visitor:{self.visitor}"


# The person at the command line, who can read and write the data folder anyway.
OPERATOR = Person("command line", is_operator=True)


@dataclass(frozen=True)
class RoleRules:
    """Which accounts are curators and admins: e-mail addresses and values of the roles claim, in lower case."""

    curators: frozenset[str] = frozenset()
    admins: frozenset[str] = frozenset()

    def role(self, account: Account) -> Role:
        known = {name.casefold() for name in (account.email, *account.groups)} - {""}
        return Role.ADMIN if known & self.admins else Role.CURATOR if known & self.curators else Role.VIEWER


class AuditTrail(Protocol):
    """Where actions are recorded: before they are done, so that none is ever without its line."""

    def begin(self, person: Person, action: str, collection: str, target: str) -> int: ...

    def finish(self, entry: int, outcome: str) -> None: ...


class NoAuditTrail:
    """Records nothing."""

    def begin(self, person: Person, action: str, collection: str, target: str) -> int:  # noqa: ARG002
        return 0

    def finish(self, entry: int, outcome: str) -> None:
        pass


@dataclass(frozen=True)
class Access:
    """The rules of one server.

    Where people sign in (`sign_in`), their account decides as long as their session lives. Else whoever has the curator
    key; is none set, whoever is at this computer. Who is not known is a viewer.
    """

    curator_key: Secret = Secret()
    sign_in: RoleRules | None = None
    is_live: Callable[[str], bool] = lambda _: False
    audit: AuditTrail = field(default_factory=NoAuditTrail)

    @property
    def asks_for_key(self) -> bool:
        """Whether a key is how one becomes a curator."""
        return bool(self.curator_key) and self.sign_in is None

    def is_key(self, key: Secret) -> bool:
        """Whether this is the curator key."""
        return bool(self.curator_key) and hmac.compare_digest(key.reveal().encode(), self.curator_key.reveal().encode())

    def role(self, person: Person) -> Role:
        """What this person may do now."""
        if person.is_operator:
            return Role.ADMIN
        if self.sign_in is not None:
            signed_in = person.account is not None and self.is_live(person.session)
            return self.sign_in.role(person.account) if signed_in and person.account else Role.VIEWER
        if not self.curator_key:
            return Role.ADMIN if person.over_loopback else Role.VIEWER
        if self.is_key(person.key) or (person.has_key and self.is_live(person.session)):
            return Role.ADMIN if person.over_loopback else Role.CURATOR
        return Role.VIEWER

    def is_curator(self, person: Person) -> bool:
        """Whether this person may change collections, clusters and shared settings."""
        return self.role(person) >= Role.CURATOR

    def is_admin(self, person: Person) -> bool:
        """Whether this person may also read the audit log and end sessions."""
        return self.role(person) >= Role.ADMIN

    def require(self, person: Person, action: Action) -> None:
        """Raise NotAllowed unless this person may do this, and NameMissing if it needs a name and they gave none."""
        if self.role(person) < action.role:
            raise NotAllowed(f"only {action.role.label}s may {action.what}: {self._how()}")
        if action.needs_name and not person.given_name:
            raise NameMissing("give your name first: others see beside it what you save and publish")

    @contextmanager
    def acting(self, person: Person, action: Action, collection: str = "", target: str = "") -> Iterator[None]:
        """`require`, and a line in the audit log around what is done: before it, and how it ended."""
        self.require(person, action)
        entry = self.audit.begin(person, action.label, collection, target)
        try:
            yield
        except BaseException as error:
            self.audit.finish(entry, f"not done: {error}" if isinstance(error, Exception) else "broken off")
            raise
        self.audit.finish(entry, "done")

    def _how(self) -> str:
        if self.sign_in is not None:
            return "sign in with an account that may"
        return "enter the curator key" if self.curator_key else "open the page on the computer that serves it"
