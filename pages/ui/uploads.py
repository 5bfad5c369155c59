"""Uploads of this session: which ones its page offers, and letting go of files that were used."""

from __future__ import annotations

from typing import Any

from core.access import Action
from core.app import App
from core.upload_permits import UploadKind
from pages.ui.person import person
from pages.ui.streamlit_internals import remove_upload, session_id


def offer_upload(app: App, kind: UploadKind) -> None:
    """Let this session upload files of this kind, as its page shows an uploader; `collection` is for curators alone."""
    who = person()
    if kind == "collection" and app.access.role(who) < Action.ADD_PICTURES.role:
        withdraw_upload(app, kind)
    else:
        app.upload_permits.offer(session_id(), who, kind)


def withdraw_upload(app: App, kind: UploadKind) -> None:
    """Let this session upload no more files of this kind."""
    app.upload_permits.withdraw(session_id(), kind)


def release_files(*files: Any) -> None:
    """Let go of uploaded files whose content was read; they would stay in memory as long as the session."""
    for file in files:
        remove_upload(file)
