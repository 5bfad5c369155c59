"""All settings, read once from the environment and `.streamlit/secrets.toml` into one frozen object.

The environment overrides the file. A value that is not allowed, or an unknown name, is refused at start.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core import setting_kinds as kinds
from core.errors import SettingError
from core.setting_kinds import SettingKind

PROJECT = Path(__file__).resolve().parents[1]
PREFIX = "CONTACTSHEET_"
PROVIDER_KEYS = ("client_id", "client_secret", "server_metadata_url")


class Secret:
    """A value that never appears in a log, an error or a page; only `reveal()` returns it."""

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


@dataclass(frozen=True)
class Setting:
    """One setting: the name people write, the field it fills, its default, what is allowed, and what it does."""

    name: str
    field: str
    default: str
    allowed: str
    meaning: str
    parse: Callable[[str], Any]


@dataclass(frozen=True)
class SignInTable:
    """What the table `[auth]` of the file of secrets says, without its secrets.

    `missing` are keys that signing in needs and that are not there, or empty.
    """

    redirect_uri: str = ""
    missing: tuple[str, ...] = ()
    cookie_secret_length: int = 0

    @classmethod
    def from_toml(cls, table: Any) -> SignInTable:
        """Read what `[auth]` holds, whatever that is; the provider's keys may also stand in `[auth.default]`."""
        table = table if isinstance(table, dict) else {}
        provider = table.get("default", table)
        values = {name: table.get(name) for name in ("redirect_uri", "cookie_secret")}
        values |= {name: provider.get(name) if isinstance(provider, dict) else None for name in PROVIDER_KEYS}
        texts = {name: value if isinstance(value, str) else "" for name, value in values.items()}
        missing = tuple(name for name, text in texts.items() if not text)
        return cls(texts["redirect_uri"], missing, len(texts["cookie_secret"].encode()))


def _setting(default: str, kind: SettingKind, meaning: str, *, name: str = "", value: Any = None) -> Any:
    """A field of `Settings` with its row of the settings table.

    The variable is called CONTACTSHEET_FIELD, or `name`; the default is `value`, or `default` parsed.
    """
    row = {"name": name, "default": default, "kind": kind, "meaning": meaning}
    return field(default=kind.parse(default) if value is None else value, metadata=row)


DEFAULT_MODEL = "ViT-B-32/laion2b_s34b_b79k"


@dataclass(frozen=True)
class Settings:
    """The settings in force."""

    data: Path = _setting(
        "data/generated",
        kinds.path("a folder"),
        "Where collections and everything else a run writes are kept.",
        value=PROJECT / "data" / "generated",
    )
    model: str = _setting(
        DEFAULT_MODEL, kinds.MODEL, "The open_clip model for new collections. An existing collection keeps its own."
    )
    text_language: str = _setting(
        "English",
        kinds.LANGUAGE,
        "The language of titles, descriptions and keywords: how their words are stemmed when pictures are searched.",
    )
    device: str = _setting(
        "auto",
        kinds.one_of("auto", "cpu", "cuda", "mps"),
        "Where the model runs; `auto` takes CUDA, then MPS, then the processor.",
    )
    threads: int = _setting("0", kinds.whole(0, 256), "Processor threads for the model; 0 leaves the choice to torch.")
    batch_size: int = _setting("16", kinds.whole(1, 1024), "Images that the model sees at once.")
    precision: str = _setting(
        "float32",
        kinds.one_of("float32", "bfloat16", "int8"),
        "Arithmetic of the model: less precise is faster where the processor supports it.",
    )
    roots: tuple[Path, ...] = _setting(
        "~",
        kinds.FOLDERS,
        "Folders of the server from which curators may add pictures on the Library page.",
        value=(Path.home(),),
    )
    share_location: bool = _setting(
        "false",
        kinds.TRUTH,
        "Whether originals that people download, and exported pictures, keep the coordinates where they were taken.",
    )
    hosts: tuple[str, ...] = _setting(
        "localhost,127.0.0.1,::1",
        kinds.SERVED_HOSTS,
        "The names and addresses that people open this server by; requests for any other are refused.",
    )
    curator_key: Secret = _setting(
        "",
        SettingKind(Secret, "a key of your choice"),
        "Who enters it may add and change; unset, that is everyone at this computer.",
    )
    curators: frozenset[str] = _setting(
        "",
        kinds.ACCOUNTS,
        "Who of those that sign in are curators: verified e-mail addresses, and values of the roles claim.",
    )
    admins: frozenset[str] = _setting(
        "", kinds.ACCOUNTS, "Who of them are admins, who also read the audit log and end sessions."
    )
    roles_claim: str = _setting("groups", kinds.CLAIM, "The claim of the identity provider that names groups or roles.")
    session_days: int = _setting(
        "14", kinds.whole(1, 365), "Days after which a browser has to sign in, or to give name and key, again."
    )
    client_header: str = _setting(
        "",
        kinds.HEADER,
        "The header in which your proxy names the visitor's address; unset, all who come through it count as one.",
        value="",
    )
    secrets: Path = _setting(
        ".streamlit/secrets.toml",
        kinds.path("a file"),
        "The file with secrets, and with `[auth]` for signing in.",
        value=PROJECT / ".streamlit" / "secrets.toml",
    )
    backup: Path | None = _setting(
        "",
        kinds.OPTIONAL_FOLDER,
        "Where backups are kept, best on another disk; unset, they are made only where a command says.",
    )
    backup_hours: int = _setting(
        "24", kinds.whole(0, 8760), "Hours from one backup that the dashboard makes by itself to the next; 0: none."
    )
    backup_days: int = _setting(
        "30", kinds.whole(1, 3650), "Days after which a backup is deleted; the newest one is always kept."
    )
    rescan_hours: int = _setting(
        "0",
        kinds.whole(0, 8760),
        "Hours from one rescan of a collection's folders to the next; 0: when asked for.",
    )
    watch: int = _setting(
        "0", kinds.whole(0, 1), "1: a rescan follows by itself when files of a collection's folders change."
    )
    max_megapixels: int = _setting(
        "200", kinds.whole(1, 2000), "A larger image is reported and left out, before it is decoded."
    )
    log_format: str = _setting(
        "text", kinds.one_of("text", "json"), "`json` writes one JSON document per line to standard error."
    )
    log_level: str = _setting("WARNING", kinds.one_of("DEBUG", "INFO", "WARNING", "ERROR"), "How much is logged.")
    gemini_api_key: Secret = _setting(
        "",
        SettingKind(Secret, "a key"),
        "The key for ranking with Gemini. It is never shown and never logged.",
        name="GEMINI_API_KEY",
    )
    gemini_model: str = _setting(
        "gemini-3.5-flash-lite", kinds.GEMINI_MODEL, "Which model ranks; data/prices.toml should hold its price."
    )
    unknown_price: kinds.UnknownPrice = _setting(
        "20/100",
        kinds.UNKNOWN_PRICE,
        "What a model that data/prices.toml has no price for is charged at; `refuse` sends nothing to it.",
    )
    gemini_endpoint: str = _setting(
        "",
        kinds.URL,
        "Where requests to Gemini are sent instead of to Google: a local mock server, for trying things out.",
    )
    rank_candidates: int = _setting(
        "10", kinds.whole(2, 20), "How many of the most similar pictures Gemini puts in order."
    )
    rank_results: int = _setting("4", kinds.whole(1, 20), "How many of them are shown first.")
    rank_deadline_s: float = _setting(
        "8", kinds.number(0.5, 60), "Seconds after which a search is shown by similarity, whatever Gemini does."
    )
    rank_send: str = _setting(
        "images",
        kinds.one_of("images", "sheet"),
        "Candidates go to Gemini one by one, or as one numbered sheet, which costs a fraction.",
    )
    rank_prompt: str = _setting(
        "1",
        kinds.one_of("1", "2"),
        "The instructions sent to Gemini: `1` ranks by what was asked for, `2` also by sharpness, light, composition.",
    )
    daily_usd: float = _setting(
        "2", kinds.number(0, 100_000), "Budget for Gemini per day (UTC); where it is used up nothing is sent."
    )
    monthly_usd: float = _setting("30", kinds.number(0, 1_000_000), "Budget for Gemini per month (UTC).")
    visitor_daily_usd: float = _setting(
        "0.25", kinds.number(0, 100_000), "What of it one visitor (by address) may spend per day (UTC)."
    )
    person_daily_usd: float = _setting(
        "1", kinds.number(0, 100_000), "The same for a person who signed in, and for a curator."
    )
    searches_per_minute: int = _setting(
        "60",
        kinds.whole(0, 100_000),
        "Searches per visitor for which Gemini is asked; above three times as many they are refused. Curators have no "
        "such limit; 0: nobody has.",
    )
    query_picture_mb: int = _setting("20", kinds.whole(1, 1000), "The largest file that anyone may search by, in MB.")
    upload_mb: int = _setting("200", kinds.whole(1, 10_000), "The largest file that a curator may upload, in MB.")
    clip_usd_per_hour: float = _setting(
        "0.10", kinds.number(0, 1000), "What an hour of encoding costs, for the cost of a request."
    )
    compute_usd_per_hour: float = _setting("0.10", kinds.number(0, 1000), "What an hour of everything else costs.")
    event_days: int = _setting(
        "7",
        kinds.whole(1, 365),
        "Days for which single requests and their receipts are kept; what they add up to is kept for years.",
    )
    unsplash_hosts: tuple[str, ...] = _setting(
        "images.unsplash.com", kinds.HOSTS, "Where the photos of an Unsplash dataset may be downloaded from."
    )
    daily_requests: int = _setting(
        "0",
        kinds.whole(0, 10_000_000),
        "Requests to Gemini that your account allows per day (UTC), for metrics and alerts; 0: not set.",
    )
    alerts: Path = _setting(
        "data/alerts.toml", kinds.path("a file"), "The rules of alerts.", value=PROJECT / "data" / "alerts.toml"
    )
    alert_webhook: Secret = _setting(
        "",
        SettingKind(Secret, "an `http://` or `https://` address"),
        "Where alerts are sent, in the form of Alertmanager's webhooks. It is never shown and never logged.",
    )
    metrics_port: int = _setting(
        "0", kinds.whole(0, 65_535), "Port on which the dashboard serves `/metrics` for Prometheus; 0: none."
    )
    metrics_host: str = _setting(
        "127.0.0.1", kinds.HOST, "Where it listens: `0.0.0.0` is every network that this computer is in."
    )
    cuda_visible_devices: str = _setting("", kinds.GPUS, "Which GPUs may be used.", name="CUDA_VISIBLE_DEVICES")
    model_is_explicit: bool = False
    sign_in: bool = False  # whether the file of secrets has a table [auth]
    sign_in_table: SignInTable = SignInTable()

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, secrets: Path | None = None) -> Settings:
        """Read the settings in force.

        Raises SettingError with the name, the value and what is allowed.
        """
        environ = os.environ if environ is None else environ
        secrets = secrets or Path(environ.get("CONTACTSHEET_SECRETS", "") or PROJECT / ".streamlit" / "secrets.toml")
        content = _read_secrets(secrets.expanduser().resolve())
        texts = {k: str(v) for k, v in content.items() if k in _NAMES or k.startswith(PREFIX)}
        texts |= {k: v for k, v in environ.items() if k in _NAMES or k.startswith(PREFIX)}
        _refuse_unknown(texts)
        values = {s.field: _parse(s, texts[s.name]) for s in SETTINGS if texts.get(s.name, "") != ""}
        table = SignInTable.from_toml(content["auth"]) if "auth" in content else SignInTable()
        return cls(**values, model_is_explicit="model" in values, sign_in="auth" in content, sign_in_table=table)

    @property
    def mock_server_host(self) -> str:
        """The host of the mock server used instead of Gemini, without the rest of its URL; empty if there is none."""
        return urlsplit(self.gemini_endpoint).netloc.rpartition("@")[2]

    def environment(self) -> dict[str, str]:
        """These settings as environment variables for a child process, without the secrets."""
        values = {s.name: getattr(self, s.field) for s in SETTINGS if s.parse is not Secret}
        if not self.model_is_explicit:
            del values["CONTACTSHEET_MODEL"]
        values["CONTACTSHEET_ROOTS"] = os.pathsep.join(map(str, self.roots))
        values["CONTACTSHEET_UNSPLASH_HOSTS"] = ",".join(self.unsplash_hosts)
        values["CONTACTSHEET_HOSTS"] = ",".join(self.hosts)
        values["CONTACTSHEET_CURATORS"], values["CONTACTSHEET_ADMINS"] = ",".join(self.curators), ",".join(self.admins)
        return {name: "" if value is None else str(value) for name, value in values.items()}

    def export(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """Set what libraries read from the environment themselves; call it before they are imported."""
        if self.cuda_visible_devices:
            environ["CUDA_VISIBLE_DEVICES"] = self.cuda_visible_devices


def _row(item: Field[Any]) -> Setting:
    row, kind = item.metadata, item.metadata["kind"]
    name = row["name"] or f"{PREFIX}{item.name.upper()}"
    return Setting(name, item.name, row["default"], kind.allowed, row["meaning"], kind.parse)


SETTINGS: tuple[Setting, ...] = tuple(_row(item) for item in fields(Settings) if item.metadata)
_NAMES = {setting.name for setting in SETTINGS}


def _read_secrets(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # A parser's message may quote the line, and the line may contain a key: report only the type.
        raise SettingError(f"{path} cannot be read as TOML ({type(error).__name__}): correct or remove it") from None


def _refuse_unknown(texts: Mapping[str, str]) -> None:
    for name in texts:
        if name not in _NAMES:
            similar = difflib.get_close_matches(name, _NAMES, n=1)
            hint = f"did you mean {similar[0]}?" if similar else "see docs/reference/settings.md"
            raise SettingError(f"{name} is not a setting: {hint}")


def _parse(setting: Setting, text: str) -> Any:
    try:
        return setting.parse(text)
    except ValueError:
        raise SettingError(f"{setting.name} is {text!r}, but must be {setting.allowed}") from None


def settings_table() -> str:
    """The settings as the Markdown table in docs/reference/settings.md."""
    rows = ["| setting | default | allowed | meaning |", "|---|---|---|---|"]
    rows += [f"| `{s.name}` | {f'`{s.default}`' if s.default else '–'} | {s.allowed} | {s.meaning} |" for s in SETTINGS]
    return "\n".join(rows)
