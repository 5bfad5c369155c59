"""Every action of every service that asks who is there, from everywhere that someone may come from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.access import OPERATOR, Person, Role, RoleRules
from core.api.local_connections import is_local
from core.app import App
from core.atlas.service import AtlasService
from core.clusters.curation import CurationService
from core.errors import NotAllowed
from core.jobs.background import BackgroundJobs
from core.library.picture_export import PictureExportService
from core.library.reembedding import ReembeddingService
from core.library.removal import RemovalService
from core.library.service import LibraryService
from core.library.sidecar_writer import SidecarService
from core.metrics.alert_service import AlertService
from core.metrics.audit import AuditService
from core.records.sessions import Account
from core.search.service import SearchService
from core.sessions import SessionService
from core.settings import Secret, Settings
from core.store.lance.collections import Collections
from pages.quality.evaluation_job import EvaluationRunner
from tests.fakes.encoder import ColourEncoder

KEY = Secret("sesame")
HEADERS = ("host", "user-agent", "upgrade")
# Where someone connects from: the other end's address, the Host they name, and the headers that come with it.
WAYS_IN = {
    "loopback": ("127.0.0.1", "localhost", HEADERS),
    "network": ("192.168.1.7", "192.168.1.7", HEADERS),
    "network under a name of this computer": ("192.168.1.7", "localhost", HEADERS),
    "proxy": ("127.0.0.1", "localhost", (*HEADERS, "x-forwarded-for")),
    "proxy under a name": ("127.0.0.1", "photos.example", HEADERS),
    "hung up": (None, "", ()),
}
RULES = RoleRules(frozenset({"desk"}), frozenset({"archive"}))
ACCOUNTS = {
    Role.VIEWER: Account("id 1", "Eve"),
    Role.CURATOR: Account("id 2", "Ann", "", frozenset({"desk"})),
    Role.ADMIN: Account("id 3", "Cleo", "", frozenset({"archive"})),
}


@dataclass(frozen=True)
class Evidence:
    """What is set on the server, and what someone brings: a key, typed or remembered, an account, an ended session."""

    key_set: bool = False
    sign_in: bool = False
    entered: Secret = Secret()
    remembered: bool = False
    account: Account | None = None
    revoked: bool = False

    def role(self, way: str) -> Role:
        """What they may do: signed in, else by the key, else at this very computer; unknown is a viewer."""
        if self.sign_in:
            roles = {account: role for role, account in ACCOUNTS.items()}
            return Role.VIEWER if self.revoked or self.account is None else roles[self.account]
        here = way == "loopback"
        if not self.key_set:
            return Role.ADMIN if here else Role.VIEWER
        has_key = self.entered == KEY or (self.remembered and not self.revoked)
        return (Role.ADMIN if here else Role.CURATOR) if has_key else Role.VIEWER


EVIDENCE = {
    "nothing set": Evidence(),
    "nothing set, a key entered": Evidence(entered=KEY),
    "the key": Evidence(True, entered=KEY),
    "a wrong key": Evidence(True, entered=Secret("x")),
    "no key": Evidence(True),
    "the key from the cache": Evidence(True, remembered=True),
    "the key remembered, revoked": Evidence(True, remembered=True, revoked=True),
    "not signed in": Evidence(sign_in=True),
    "not signed in, with the key": Evidence(True, True, KEY, remembered=True),
    **{f"signed in as {role.label}": Evidence(sign_in=True, account=ACCOUNTS[role]) for role in Role},
    **{
        f"signed in as {role.label}, revoked": Evidence(True, True, KEY, account=ACCOUNTS[role], revoked=True)
        for role in Role
    },
}
SERVICES: dict[type, Callable[[App], object]] = {
    CurationService: lambda app: app.curation,
    LibraryService: lambda app: app.library,
    RemovalService: lambda app: app.removal,
    ReembeddingService: lambda app: app.reembedding,
    SidecarService: lambda app: app.sidecars,
    PictureExportService: lambda app: app.exports,
    AlertService: lambda app: app.monitor.alerts,
    SessionService: lambda app: app.sessions,
    AuditService: lambda app: app.audit,
    EvaluationRunner: EvaluationRunner,
    AtlasService: lambda app: app.atlas,
    SearchService: lambda app: app.searches,
}
FOR_ADMINS = {"take_over", "live", "revoke", "page", "actions", "entries"}
# What someone does with their own draft or session, and what is done for them; and searching, which is for everyone.
OWN = {"unsaved_draft", "offer", "rename", "end", "record", "by_text", "by_query", "by_asset", "by_picture"}


def actions() -> list[tuple[type, str]]:
    """Every public method of a service that takes a person, but those about their own things."""
    found = []
    for service in SERVICES:
        for name, method in inspect.getmembers(service, inspect.isfunction):
            asks = any("Person" in str(p.annotation) for p in inspect.signature(method).parameters.values())
            if asks and not name.startswith("_") and name not in OWN:
                found.append((service, name))
    return found


class Anything:
    """An argument that is nothing in particular: whoever may act gets further than the check with it, and fails."""

    def __len__(self) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()


def attempt(app: App, service: type, name: str, person: Person) -> bool:
    """Whether the action is allowed: what it then makes of its arguments does not matter."""
    method = getattr(SERVICES[service](app), name)
    parameters = inspect.signature(method).parameters
    arguments = {name: argument(parameter, person) for name, parameter in parameters.items()}
    try:
        method(**arguments)
    except NotAllowed as refused:
        return not re.match("only (curators|admins) may", str(refused))
    except Exception:  # noqa: BLE001
        return True
    return True


def argument(parameter: inspect.Parameter, person: Person) -> Any:
    kinds = {"Person": person, "str": "nothing", "int": 0, "int | None": 0, "bool": False, "Path": Path("/nowhere")}
    return kinds.get(str(parameter.annotation), Anything())


def app_with(evidence: Evidence, data: Path) -> App:
    settings = Settings(
        data=data,
        model="local-dir:colour",
        model_is_explicit=True,
        curator_key=KEY if evidence.key_set else Secret(),
        sign_in=evidence.sign_in,
        curators=RULES.curators,
        admins=RULES.admins,
    )
    return App(settings, Collections(data / "collections"), lambda *_: ColourEncoder())


def person_with(app: App, evidence: Evidence, way: str) -> Person:
    """Someone who brings this, with a real session where they bring one."""
    here, session = is_local(*WAYS_IN[way]), ""
    if evidence.remembered:
        session, code = app.sessions.offer(Person("Eve", key=KEY), "")
        app.sessions.claim(code)
    if evidence.account is not None:
        claims = {"sub": evidence.account.id, "name": evidence.account.name, "groups": sorted(evidence.account.groups)}
        recognised = app.sessions.recognise(app.sessions.sign_in(claims, "", ""))
        assert recognised is not None
        session = recognised.id
    if evidence.revoked:
        app.sessions.revoke(OPERATOR, session)
    return Person("Eve", here, evidence.entered, evidence.account, session, evidence.remembered)


@pytest.mark.parametrize("evidence", EVIDENCE.values(), ids=EVIDENCE)
@pytest.mark.parametrize("way", WAYS_IN)
def test_every_action_is_for_those_whose_role_it_is_and_for_nobody_else(
    evidence: Evidence, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    app, role = app_with(evidence, tmp_path), evidence.role(way)
    person = person_with(app, evidence, way)
    assert app.access.role(person) is role
    outcomes = {(service.__name__, name): attempt(app, service, name, person) for service, name in actions()}
    needed = {name: Role.ADMIN if name[1] in FOR_ADMINS else Role.CURATOR for name in outcomes}
    assert outcomes == {name: role >= least for name, least in needed.items()}


def test_the_actions_are_those_that_write_and_those_for_admins() -> None:
    names = {service: [name for owner, name in actions() if owner is service] for service in SERVICES}
    assert all(names.values())
    assert len(actions()) >= 33
    assert {name for _, name in actions()} >= FOR_ADMINS


def test_every_role_is_met_by_every_way_in_that_can_give_it() -> None:
    roles = {way: {evidence.role(way) for evidence in EVIDENCE.values()} for way in WAYS_IN}
    assert all(found == set(Role) for found in roles.values())
