"""Who may do what. Checked in core, next to the writes; pages only say who is asking."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Protocol

from core.errors import NameMissing, NotAllowed
from core.records.sessions import Account
from core.settings import Secret
from core.text import one_line

MAX_NAME_LENGTH = 60
HERE, UNNAMED = "here", "unnamed:"
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
    RESCAN = ("rescan", Role.CURATOR, "read sources again")
    SET_CAPTIONS = ("set captions", Role.CURATOR, "set captions")
    REMOVE_SOURCE = ("remove source", Role.CURATOR, "remove sources")
    WRITE_SIDECARS = ("write sidecars", Role.CURATOR, "write sidecars")
    UNDO_SIDECARS = ("undo sidecars", Role.CURATOR, "undo what was written to sidecars")
    EXPORT_PICTURES = ("export pictures", Role.CURATOR, "export pictures")
    STOP_JOB = ("stop job", Role.CURATOR, "stop a job")
    REMOVE = ("remove", Role.CURATOR, "remove pictures")
    PUT_BACK = ("put back", Role.CURATOR, "put pictures back")
    EMPTY_BIN = ("empty bin", Role.CURATOR, "empty the bin")
    DELETE_COLLECTION = ("delete collection", Role.CURATOR, "delete collections")
    EMBED_AGAIN = ("embed again", Role.CURATOR, "embed collections again")
    SWITCH = ("switch", Role.CURATOR, "switch collections over")
    RECOMPUTE_MAP = ("recompute map", Role.CURATOR, "recompute the map")
    BACK_UP = ("back up", Role.CURATOR, "make backups")
    RESTORE_BACKUP = ("restore backup", Role.CURATOR, "restore from backups")
    VERIFY = ("verify", Role.CURATOR, "verify collections")
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
        return one_line(text, MAX_NAME_LENGTH)

    @property
    def author(self) -> str:
        """The name for changes they make, as others read it."""
        if self.given_name:
            return self.given_name
        return SOMEONE_HERE if self.over_loopback else SOMEONE_WITH_KEY if self.key or self.has_key else SOMEONE

    @property
    def identity(self) -> str:
        """What owns their drafts and votes: their account, the name they typed, or where they are without one."""
        if self.account:
            return f"account:{self.account.id}"
        if self.given_name:
            return f"name:{self.given_name}"
        return f"{UNNAMED}{HERE if self.over_loopback else self.visitor}"

    @property
    def quota_key(self) -> str:
        """What limits count by: the account, else the address; all whose address is not known share one."""
        return f"account:{self.account.id}" if self.account else f"visitor:{self.visitor}"


def is_unnamed(identity: str) -> bool:
    """Whether an identity is that of people who gave no name."""
    return identity.startswith(UNNAMED)


# The person at the command line, who can read and write the data folder anyway.
OPERATOR = Person("command line", is_operator=True)
# Who starts what nobody asks for: backups and rescans at their times.
SCHEDULE = Person("schedule", is_operator=True)


@dataclass(frozen=True)
class RoleRules:
    """Which accounts are curators and admins: e-mail addresses and values of the roles claim.

    The letters A to Z are the same in either case. No other ones are: names that only look alike, or that some rule of
    Unicode makes the same, belong to different people.
    """

    curators: frozenset[str] = frozenset()
    admins: frozenset[str] = frozenset()

    def role(self, account: Account) -> Role:
        known = {_plain_lower(name) for name in (account.email, *account.groups)} - {""}
        admins, curators = (set(map(_plain_lower, names)) for names in (self.admins, self.curators))
        return Role.ADMIN if known & admins else Role.CURATOR if known & curators else Role.VIEWER


def _plain_lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


class AuditTrail(Protocol):
    """Where actions are recorded: before they are done, so that none is ever without its line.

    `record` is for what is not a write of ours, such as signing in.
    """

    def begin(self, person: Person, action: str, collection: str, target: str) -> int: ...

    def finish(self, entry: int, outcome: str) -> None: ...

    def record(
        self, person: Person, action: str, collection: str = "", target: str = "", outcome: str = "done"
    ) -> None: ...


class NoAuditTrail:
    """Records nothing."""

    def begin(self, person: Person, action: str, collection: str, target: str) -> int:  # noqa: ARG002
        return 0

    def finish(self, entry: int, outcome: str) -> None:
        pass

    def record(
        self, person: Person, action: str, collection: str = "", target: str = "", outcome: str = "done"
    ) -> None:
        pass


@dataclass(eq=False)
class Access:
    """The rules of one server.

    Where people sign in (`sign_in`), their account decides as long as their session lives. Else whoever has the curator
    key; is none set, whoever is at this computer. Who is not known is a viewer. `is_live` and `has_ended` tell of a
    session by its id; one that a browser has yet to claim is neither.
    """

    curator_key: Secret = Secret()
    sign_in: RoleRules | None = None
    is_live: Callable[[str], bool] = lambda _: False
    has_ended: Callable[[str], bool] = lambda _: False
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
        entered = self.is_key(person.key) and not (person.session and self.has_ended(person.session))
        if entered or (person.has_key and self.is_live(person.session)):
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
            raise NotAllowed(f"only {action.role.label}s may {action.what}: {self.how_to_become(action.role)}")
        if action.needs_name and not person.given_name:
            raise NameMissing("give your name first, at the upper right: others see it beside what you save")

    @contextmanager
    def acting(self, person: Person, action: Action, collection: str = "", target: str = "") -> Iterator[None]:
        """`require`, and a line in the audit log around what is done: before it, and how it ended.

        Of an error the line has its kind alone: messages quote paths and what was typed, and the log outlives both.
        """
        self.require(person, action)
        entry = self.audit.begin(person, action.label, collection, target)
        try:
            yield
        except BaseException as error:
            self.audit.finish(entry, f"not done: {_kind(error)}" if isinstance(error, Exception) else "broken off")
            raise
        self.audit.finish(entry, "done")

    def how_to_become(self, role: Role) -> str:
        """What someone does who wants to have this role, as an imperative."""
        if self.sign_in is not None:
            return f"sign in with an account that is {'an admin' if role is Role.ADMIN else 'a curator'}"
        if not self.curator_key:
            return "open the page on the computer that serves it"
        return "enter the curator key" + (" on the computer that serves the page" if role is Role.ADMIN else "")


def _kind(error: Exception) -> str:
    """`revision conflict` of a RevisionConflict."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()


def action_table() -> str:
    """The actions and who may, as the Markdown table in docs/sharing.md."""
    rows = ["| action in the audit log | only these may |", "|---|---|"]
    for role in (Role.CURATOR, Role.ADMIN):
        who = "curators and admins" if role is Role.CURATOR else "admins"
        rows += [f"| {action.label} | {who} |" for action in Action if action.role is role]
    return "\n".join(rows)
