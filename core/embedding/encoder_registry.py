"""The encoders of one App: each model is loaded once, on first use."""

from __future__ import annotations

import threading
from collections.abc import Callable

from core.embedding.encoder import Encoder
from core.embedding.model_source import BUNDLED
from core.logs import log
from core.records.jobs import ProgressListener, ignore
from core.settings import Settings

LoadEncoder = Callable[[str, ProgressListener], Encoder]


def encoder_loader(settings: Settings) -> LoadEncoder:
    """Loads open_clip models with the options of the settings."""

    def load(name: str, listener: ProgressListener) -> Encoder:
        # Importing torch takes seconds, and browsing needs none of it.
        from core.embedding.open_clip_encoder import EncoderOptions, OpenClipEncoder

        options = EncoderOptions(
            settings.device, settings.batch_size, settings.threads, settings.max_megapixels, settings.precision
        )
        return OpenClipEncoder(name, options, listener)

    return load


class EncoderRegistry:
    """Encoders by model name. May be shared between threads."""

    def __init__(self, settings: Settings, load: LoadEncoder) -> None:
        self._settings, self._load = settings, load
        self._loaded: dict[str, Encoder] = {}
        self._choosing, self._loading = threading.Lock(), threading.Lock()
        self._for_new: str | None = None

    @property
    def model_for_new_collections(self) -> str:
        """The model setting; if it is not set and the default is not available, the bundled model."""
        with self._choosing:
            if self._for_new is None:
                from core.embedding.models import is_available

                model = self._settings.model
                fallback = not self._settings.model_is_explicit and not is_available(model)
                self._for_new = BUNDLED if fallback else model
                if fallback:
                    log("models", "model substituted", wanted=model, used=BUNDLED)
            return self._for_new

    @property
    def known_notice(self) -> str | None:
        """`notice`, if it is already known; never waits for the network."""
        return self.notice if self._for_new is not None else None

    @property
    def notice(self) -> str | None:
        """One sentence on why new collections use another model than the setting's, or None."""
        if self.model_for_new_collections == self._settings.model:
            return None
        return (
            f"{self._settings.model} cannot be downloaded here, so new collections use the small bundled model; "
            "connect to the network and restart to use it."
        )

    def get(self, name: str, listener: ProgressListener = ignore) -> Encoder:
        """The encoder of a model, loaded once; a download reports to the listener. Raises ModelUnavailable."""
        if name not in self._loaded:  # a loaded one does not wait for another that is being downloaded
            with self._loading:
                if name not in self._loaded:
                    self._loaded[name] = self._load(name, listener)
        return self._loaded[name]
