"""The encoders of one App: each model is loaded once, at its first use."""

from __future__ import annotations

import threading
from collections.abc import Callable

from core.embedding.encoder import Encoder
from core.embedding.model_source import BUNDLED
from core.logs import log
from core.records.jobs import ProgressListener, ignore
from core.settings import Settings

LoadEncoder = Callable[[str, ProgressListener], Encoder]


def loader(settings: Settings) -> LoadEncoder:
    """Loads open_clip models as the settings say."""

    def load(name: str, listener: ProgressListener) -> Encoder:
        from core.embedding.open_clip_encoder import (
            OpenClipEncoder,  # torch takes seconds: looking around needs none of it
        )

        return OpenClipEncoder(
            name,
            settings.device,
            settings.batch_size,
            settings.threads,
            settings.max_megapixels,
            settings.precision,
            listener,
        )

    return load


class Encoders:
    """Models by name. May be shared between threads."""

    def __init__(self, settings: Settings, load: LoadEncoder) -> None:
        self._settings, self._load = settings, load
        self._loaded: dict[str, Encoder] = {}
        self._choosing, self._loading = threading.Lock(), threading.Lock()
        self._for_new: str | None = None

    @property
    def for_new_collections(self) -> str:
        """The model setting; without a choice of one's own and without a network, the bundled model."""
        with self._choosing:
            if self._for_new is None:
                from core.embedding.models import is_available

                wanted = self._settings.model
                fallback = not self._settings.model_is_explicit and not is_available(wanted)
                self._for_new = BUNDLED if fallback else wanted
                if fallback:
                    log("models", "model substituted", wanted=wanted, used=BUNDLED)
            return self._for_new

    @property
    def known_notice(self) -> str | None:
        """`notice`, if it is known already; never waits for a network."""
        return self.notice if self._for_new is not None else None

    @property
    def notice(self) -> str | None:
        """What everyone should know of the model in use, in one sentence, or None."""
        if self.for_new_collections == self._settings.model:
            return None
        return (
            f"{self._settings.model} cannot be downloaded here, so new collections use the small bundled model; "
            "connect to the network and restart to use it."
        )

    def named(self, name: str, listener: ProgressListener = ignore) -> Encoder:
        """The encoder of a model, loaded once; the listener hears of a download. Raises ModelUnavailable."""
        if name not in self._loaded:  # one that is there is not kept waiting by another that is being downloaded
            with self._loading:
                if name not in self._loaded:
                    self._loaded[name] = self._load(name, listener)
        return self._loaded[name]
