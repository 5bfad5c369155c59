"""Every action of every service that asks who is there, from everywhere that someone may come from."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.access import Person
from core.api.local_connections import is_local
from core.app import App
from core.clusters.curation import CurationService
from core.errors import NotAllowed
from core.jobs.background import BackgroundJobs
from core.library.reembedding import ReembeddingService
from core.library.removal import RemovalService
from core.library.service import LibraryService
from core.metrics.alert_service import AlertService
from core.settings import Secret, Settings
from core.store.lance.collections import Collections
from tests.fakes.encoder import ColourEncoder

KEY = Secret("sesame")
HEADERS = ("host", "user-agent", "upgrade")
# Where someone connects from: the other end's address, the Host they name, and the headers that come with it.
CONNECTIONS = {
    "local": ("127.0.0.1", "localhost", HEADERS),
    "remote": ("192.168.1.7", "192.168.1.7", HEADERS),
    "remote under a name of this computer": ("192.168.1.7", "localhost", HEADERS),
    "proxied": ("127.0.0.1", "localhost", (*HEADERS, "x-forwarded-for")),
    "proxied under a name": ("127.0.0.1", "photos.example", HEADERS),
    "hung up": (None, "", ()),
}
# The key that is set, and the one that was entered.
KEYS = {
    "no key": (Secret(), Secret()),
    "keyed": (KEY, KEY),
    "wrong key": (KEY, Secret("x")),
    "without": (KEY, Secret()),
}
SERVICES: dict[type, Callable[[App], object]] = {
    CurationService: lambda app: app.curation,
    LibraryService: lambda app: app.library,
    RemovalService: lambda app: app.removal,
    ReembeddingService: lambda app: app.reembedding,
    AlertService: lambda app: app.monitor.alerts,
}
READS = {"unsaved_draft"}


def actions() -> list[tuple[type, str]]:
    """Every public method of a service that takes a person, but those that only read."""
    found = []
    for service in SERVICES:
        for name, method in inspect.getmembers(service, inspect.isfunction):
            asks = any("Person" in str(p.annotation) for p in inspect.signature(method).parameters.values())
            if asks and not name.startswith("_") and name not in READS:
                found.append((service, name))
    return found


class Anything:
    """An argument that is nothing in particular: whoever may act gets further than the check with it, and fails."""

    def __len__(self) -> int:
        return 0


def attempt(app: App, service: type, name: str, person: Person) -> bool:
    """Whether the action is allowed: what it then makes of its arguments does not matter."""
    method = getattr(SERVICES[service](app), name)
    parameters = inspect.signature(method).parameters
    arguments = {name: argument(parameter, person) for name, parameter in parameters.items()}
    try:
        method(**arguments)
    except NotAllowed as refused:
        return "only curators may" not in str(refused)
    except Exception:  # noqa: BLE001
        return True
    return True


def argument(parameter: inspect.Parameter, person: Person) -> Any:
    kinds = {"Person": person, "str": "nothing", "int": 0, "int | None": 0, "bool": False, "Path": Path("/nowhere")}
    return kinds.get(str(parameter.annotation), Anything())


def app_with(key: Secret, data: Path) -> App:
    settings = Settings(data=data, model="local-dir:colour", model_is_explicit=True, curator_key=key)
    return App(settings, Collections(data / "collections"), lambda *_: ColourEncoder())


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("connection", CONNECTIONS.values(), ids=CONNECTIONS)
def test_an_action_is_for_this_computer_or_for_the_key_and_for_nobody_else(
    connection: tuple[str | None, str, tuple[str, ...]],
    keys: tuple[Secret, Secret],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    is_set, entered = keys
    app, person = app_with(is_set, tmp_path), Person("Eve", is_local(*connection), entered)
    allowed = entered == is_set if is_set else connection == CONNECTIONS["local"]
    outcomes = {(service.__name__, name): attempt(app, service, name, person) for service, name in actions()}
    assert outcomes == dict.fromkeys(outcomes, allowed)


def test_the_actions_are_those_that_write() -> None:
    names = {service: [name for owner, name in actions() if owner is service] for service in SERVICES}
    assert all(names.values())
    assert len(actions()) >= 25
