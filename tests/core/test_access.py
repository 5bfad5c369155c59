from __future__ import annotations

import pytest

from core.access import OPERATOR, Access, Person
from core.errors import NotAllowed
from core.settings import Secret


def test_without_a_key_those_on_this_computer_are_curators_and_nobody_else() -> None:
    access = Access(Secret())
    assert access.is_curator(Person(over_loopback=True))
    assert not access.is_curator(Person(over_loopback=False, key=Secret("")))
    with pytest.raises(NotAllowed, match="only curators may add pictures: open the page on the computer"):
        access.require_curator(Person(), "add pictures")


def test_with_a_key_only_those_who_entered_it_are_curators() -> None:
    access = Access(Secret("grün"))
    assert access.is_curator(Person(key=Secret("grün")))
    assert not access.is_curator(OPERATOR)
    with pytest.raises(NotAllowed, match="enter the curator key"):
        access.require_curator(Person(key=Secret("blau")), "publish")


def test_an_author_has_a_name_of_bounded_length() -> None:
    assert Person("  Ada \n Archive ").author == "Ada Archive"
    assert Person().author == "unnamed"
    assert len(Person("x" * 500).author) == 60
