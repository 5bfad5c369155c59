"""Who may change things. Checked in core, next to the writes; pages only say who is asking."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from core.errors import NotAllowed
from core.settings import Secret

MAX_NAME_LENGTH = 60


@dataclass(frozen=True)
class Person:
    """Someone using a page: the name they typed, where they connect from, and the key they entered."""

    name: str = ""
    over_loopback: bool = False
    key: Secret = Secret()

    @property
    def author(self) -> str:
        """The name for changes they make."""
        return " ".join(self.name.split())[:MAX_NAME_LENGTH] or "unnamed"


# The person at the command line, on the computer that holds the data.
OPERATOR = Person("command line", over_loopback=True)


class Access:
    """Curators are those who entered the key; if no key is set, those who connect over loopback."""

    def __init__(self, curator_key: Secret) -> None:
        self._key = curator_key

    @property
    def asks_for_key(self) -> bool:
        """Whether a key is set."""
        return bool(self._key)

    def is_curator(self, person: Person) -> bool:
        """Whether this person may change collections, clusters and shared settings."""
        if not self._key:
            return person.over_loopback
        return hmac.compare_digest(person.key.reveal().encode(), self._key.reveal().encode())

    def require_curator(self, person: Person, action: str) -> None:
        """Raise NotAllowed unless this person is a curator; `action` completes "Only curators may …"."""
        if not self.is_curator(person):
            how = "enter the curator key" if self._key else "open the page on the computer that serves it"
            raise NotAllowed(f"only curators may {action}: {how}")
