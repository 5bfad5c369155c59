"""Every setting, read once from the environment and `.streamlit/secrets.toml` into one frozen object.

The environment wins over the file. A value that is not allowed, or a name that is nearly right, is refused at start.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.errors import SettingError

PROJECT = Path(__file__).resolve().parents[1]
PREFIX = "CONTACTSHEET_"


class Secret:
    """A value that never shows itself in a log, an error or a page; `reveal()` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({'set' if self else 'not set'})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError
        return text

    return parse


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return parse


def _address(text: str) -> str:
    if text and (not text.startswith(("http://", "https://")) or not urlsplit(text).hostname):
        raise ValueError
    return text.rstrip("/")


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.\-]*", text):
        raise ValueError
    return text


def _gemini_model(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.\-]*", text):
        raise ValueError
    return text


def _model(text: str) -> str:
    registered = "/" in text and all(text.split("/", 1))
    if not (text == "bundled" or text.startswith(("local-dir:", "hf-hub:")) or registered):
        raise ValueError
    return text


def _path(text: str) -> Path:
    if not text:
        raise ValueError
    return Path(text).expanduser().resolve()


def _folders(text: str) -> tuple[Path, ...]:
    folders = tuple(_path(part) for part in text.split(os.pathsep) if part)
    if not folders:
        raise ValueError
    return folders


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not hosts or not all(re.fullmatch(r"[a-z0-9]([a-z0-9.\-]*[a-z0-9])?", host) for host in hosts):
        raise ValueError
    return hosts


@dataclass(frozen=True)
class Setting:
    """One row of the table: the name people write, the field it fills, what is allowed, and what it does."""

    name: str
    field: str
    default: str
    allowed: str
    meaning: str
    parse: Callable[[str], Any]


DEFAULT_MODEL = "ViT-B-32/laion2b_s34b_b79k"

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "CONTACTSHEET_DATA",
        "data",
        "data/generated",
        "a folder",
        "Where collections and everything else a run writes are kept.",
        _path,
    ),
    Setting(
        "CONTACTSHEET_MODEL",
        "model",
        DEFAULT_MODEL,
        "`MODEL/PRETRAINED`, `MODEL/FILE`, `hf-hub:NAME`, `local-dir:FOLDER` or `bundled`",
        "The open_clip model for new collections. An existing collection keeps its own.",
        _model,
    ),
    Setting(
        "CONTACTSHEET_DEVICE",
        "device",
        "auto",
        "`auto`, `cpu`, `cuda`, `mps`",
        "Where the model runs; `auto` takes CUDA, then MPS, then the processor.",
        _one_of("auto", "cpu", "cuda", "mps"),
    ),
    Setting(
        "CONTACTSHEET_THREADS",
        "threads",
        "0",
        "0 to 256",
        "Processor threads for the model; 0 leaves the choice to torch.",
        _whole(0, 256),
    ),
    Setting(
        "CONTACTSHEET_BATCH_SIZE",
        "batch_size",
        "16",
        "1 to 1024",
        "Images that the model sees at once.",
        _whole(1, 1024),
    ),
    Setting(
        "CONTACTSHEET_PRECISION",
        "precision",
        "float32",
        "`float32`, `bfloat16`, `int8`",
        "Arithmetic of the model: less precise is faster where the processor supports it.",
        _one_of("float32", "bfloat16", "int8"),
    ),
    Setting(
        "CONTACTSHEET_ROOTS",
        "roots",
        "~",
        "folders, separated by `:` (`;` on Windows)",
        "Folders of the server from which curators may add pictures on the Library page.",
        _folders,
    ),
    Setting(
        "CONTACTSHEET_CURATOR_KEY",
        "curator_key",
        "",
        "a key of your choice",
        "Who enters it may add and change; unset, that is everyone who connects from this computer.",
        Secret,
    ),
    Setting(
        "CONTACTSHEET_MAX_MEGAPIXELS",
        "max_megapixels",
        "200",
        "1 to 2000",
        "A larger image is reported and left out, before it is decoded.",
        _whole(1, 2000),
    ),
    Setting(
        "CONTACTSHEET_LOG_FORMAT",
        "log_format",
        "text",
        "`text`, `json`",
        "`json` writes one JSON document per line to standard error.",
        _one_of("text", "json"),
    ),
    Setting(
        "CONTACTSHEET_LOG_LEVEL",
        "log_level",
        "WARNING",
        "`DEBUG`, `INFO`, `WARNING`, `ERROR`",
        "How much is logged.",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    ),
    Setting(
        "GEMINI_API_KEY",
        "gemini_api_key",
        "",
        "a key",
        "The key for ranking with Gemini. It is never shown and never logged.",
        Secret,
    ),
    Setting(
        "CONTACTSHEET_GEMINI_MODEL",
        "gemini_model",
        "gemini-3.5-flash-lite",
        "a Gemini model's name",
        "Which model ranks; data/prices.toml should hold its price.",
        _gemini_model,
    ),
    Setting(
        "CONTACTSHEET_GEMINI_ENDPOINT",
        "gemini_endpoint",
        "",
        "an address like `http://127.0.0.1:8700`",
        "Where Gemini is asked instead of at Google: a local stand-in, for trying things out.",
        _address,
    ),
    Setting(
        "CONTACTSHEET_RANK_CANDIDATES",
        "rank_candidates",
        "10",
        "2 to 20",
        "How many of the most similar pictures Gemini puts in order.",
        _whole(2, 20),
    ),
    Setting(
        "CONTACTSHEET_RANK_RESULTS", "rank_results", "4", "1 to 20", "How many of them are shown first.", _whole(1, 20)
    ),
    Setting(
        "CONTACTSHEET_RANK_DEADLINE_S",
        "rank_deadline_s",
        "8",
        "0.5 to 60",
        "Seconds after which a search is shown by similarity, whatever Gemini does.",
        _number(0.5, 60),
    ),
    Setting(
        "CONTACTSHEET_RANK_SEND",
        "rank_send",
        "images",
        "`images`, `sheet`",
        "Candidates go to Gemini one by one, or as one numbered sheet, which costs a fraction.",
        _one_of("images", "sheet"),
    ),
    Setting(
        "CONTACTSHEET_RANK_PROMPT",
        "rank_prompt",
        "1",
        "`1`, `2`",
        "What Gemini is told: `1` ranks by what was asked for, `2` then also by sharpness, light and composition.",
        _one_of("1", "2"),
    ),
    Setting(
        "CONTACTSHEET_DAILY_USD",
        "daily_usd",
        "2",
        "0 to 100000",
        "Budget for Gemini per day (UTC); where it is used up nothing is sent.",
        _number(0, 100_000),
    ),
    Setting(
        "CONTACTSHEET_MONTHLY_USD",
        "monthly_usd",
        "30",
        "0 to 1000000",
        "Budget for Gemini per month (UTC).",
        _number(0, 1_000_000),
    ),
    Setting(
        "CONTACTSHEET_CLIP_USD_PER_HOUR",
        "clip_usd_per_hour",
        "0.10",
        "0 to 1000",
        "What an hour of encoding costs, for the cost of a request.",
        _number(0, 1000),
    ),
    Setting(
        "CONTACTSHEET_COMPUTE_USD_PER_HOUR",
        "compute_usd_per_hour",
        "0.10",
        "0 to 1000",
        "What an hour of everything else costs.",
        _number(0, 1000),
    ),
    Setting(
        "CONTACTSHEET_EVENT_DAYS",
        "event_days",
        "7",
        "1 to 365",
        "Days for which single requests and their receipts are kept; what they add up to is kept for years.",
        _whole(1, 365),
    ),
    Setting(
        "CONTACTSHEET_UNSPLASH_HOSTS",
        "unsplash_hosts",
        "images.unsplash.com",
        "host names, separated by `,`",
        "Where the photos of an Unsplash dataset may be downloaded from.",
        _hosts,
    ),
    Setting(
        "CONTACTSHEET_DAILY_REQUESTS",
        "daily_requests",
        "0",
        "0 to 10000000",
        "Requests to Gemini that your account allows per day (UTC), for metrics and alerts; 0: not set.",
        _whole(0, 10_000_000),
    ),
    Setting("CONTACTSHEET_ALERTS", "alerts", "data/alerts.toml", "a file", "The rules of alerts.", _path),
    Setting(
        "CONTACTSHEET_ALERT_WEBHOOK",
        "alert_webhook",
        "",
        "an `http://` or `https://` address",
        "Where alerts are told, in the form of Alertmanager's webhooks. It is never shown and never logged.",
        Secret,
    ),
    Setting(
        "CONTACTSHEET_METRICS_PORT",
        "metrics_port",
        "0",
        "0 to 65535",
        "Port on which the dashboard serves `/metrics` for Prometheus; 0: none.",
        _whole(0, 65_535),
    ),
    Setting(
        "CONTACTSHEET_METRICS_HOST",
        "metrics_host",
        "127.0.0.1",
        "an address of this computer",
        "Where it listens: `0.0.0.0` is every network that this computer is in.",
        _host,
    ),
    Setting(
        "CUDA_VISIBLE_DEVICES",
        "cuda_visible_devices",
        "",
        "as CUDA defines it, for example `0`",
        "Which GPUs may be used.",
        str,
    ),
)


@dataclass(frozen=True)
class Settings:
    """The settings in force. Field names are those of `SETTINGS`."""

    data: Path = PROJECT / "data" / "generated"
    model: str = DEFAULT_MODEL
    device: str = "auto"
    threads: int = 0
    batch_size: int = 16
    precision: str = "float32"
    roots: tuple[Path, ...] = (Path.home(),)
    curator_key: Secret = Secret()
    max_megapixels: int = 200
    log_format: str = "text"
    log_level: str = "WARNING"
    gemini_api_key: Secret = Secret()
    gemini_model: str = "gemini-3.5-flash-lite"
    gemini_endpoint: str = ""
    rank_candidates: int = 10
    rank_results: int = 4
    rank_deadline_s: float = 8.0
    rank_send: str = "images"
    rank_prompt: str = "1"
    daily_usd: float = 2.0
    monthly_usd: float = 30.0
    clip_usd_per_hour: float = 0.10
    compute_usd_per_hour: float = 0.10
    event_days: int = 7
    unsplash_hosts: tuple[str, ...] = ("images.unsplash.com",)
    daily_requests: int = 0
    alerts: Path = PROJECT / "data" / "alerts.toml"
    alert_webhook: Secret = Secret()
    metrics_port: int = 0
    metrics_host: str = "127.0.0.1"
    cuda_visible_devices: str = ""
    model_is_explicit: bool = False

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, secrets: Path | None = None) -> Settings:
        """Read the settings in force.

        Raises SettingError with the name, the value and what is allowed.
        """
        environ = os.environ if environ is None else environ
        given = _read_secrets(secrets or PROJECT / ".streamlit" / "secrets.toml")
        given |= {k: v for k, v in environ.items() if k in _NAMES or k.startswith(PREFIX)}
        _refuse_unknown(given)
        values = {s.field: _parse(s, given[s.name]) for s in SETTINGS if given.get(s.name, "") != ""}
        return cls(**values, model_is_explicit="model" in values)

    @property
    def gemini_stand_in(self) -> str:
        """The host that is asked instead of Gemini, without whatever else its address holds; empty if none is."""
        return urlsplit(self.gemini_endpoint).netloc.rpartition("@")[2]

    def environment(self) -> dict[str, str]:
        """These settings as environment variables for a process of our own; keys stay behind."""
        values = {s.name: getattr(self, s.field) for s in SETTINGS if s.parse is not Secret}
        if not self.model_is_explicit:
            del values["CONTACTSHEET_MODEL"]
        values["CONTACTSHEET_ROOTS"] = os.pathsep.join(map(str, self.roots))
        values["CONTACTSHEET_UNSPLASH_HOSTS"] = ",".join(self.unsplash_hosts)
        return {name: str(value) for name, value in values.items()}

    def export(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """Hand on what libraries read from the environment themselves; call it before they are imported."""
        if self.cuda_visible_devices:
            environ["CUDA_VISIBLE_DEVICES"] = self.cuda_visible_devices


_NAMES = {s.name for s in SETTINGS}


def _read_secrets(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # A parser's message may quote the line, and the line may hold a key: name the kind only.
        raise SettingError(f"{path} cannot be read as TOML ({type(error).__name__}): correct or remove it") from None
    return {k: str(v) for k, v in content.items() if k in _NAMES or k.startswith(PREFIX)}


def _refuse_unknown(given: Mapping[str, str]) -> None:
    for name in given:
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, n=1)
            hint = f"did you mean {near[0]}?" if near else "see the table of settings in README.md"
            raise SettingError(f"{name} is not a setting: {hint}")


def _parse(setting: Setting, text: str) -> Any:
    try:
        return setting.parse(text)
    except ValueError:
        raise SettingError(f"{setting.name} is {text!r}, but must be {setting.allowed}") from None


def settings_table() -> str:
    """The settings as a Markdown table, as README.md shows it."""
    rows = ["| setting | default | allowed | meaning |", "|---|---|---|---|"]
    rows += [f"| `{s.name}` | {f'`{s.default}`' if s.default else '–'} | {s.allowed} | {s.meaning} |" for s in SETTINGS]
    return "\n".join(rows)
