"""The kinds of values that settings have: how each is parsed and what is allowed."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit


@dataclass(frozen=True)
class SettingKind:
    """A parser, which raises ValueError, and what it allows in words."""

    parse: Callable[[str], Any]
    allowed: str


@dataclass(frozen=True)
class PriceCeiling:
    """USD per million tokens."""

    input: float
    output: float

    def __str__(self) -> str:
        return "/".join(str(usd).removesuffix(".0") for usd in (self.input, self.output))


UnknownPrice = PriceCeiling | Literal["refuse"]


def one_of(*choices: str) -> SettingKind:
    """One of these words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return SettingKind(parse, ", ".join(f"`{choice}`" for choice in choices))


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError
    return text.lower() == "true"


# The languages whose words LanceDB can stem.
LANGUAGE = one_of(
    *("Arabic", "Danish", "Dutch", "English", "Finnish", "French", "German", "Greek", "Hungarian"),
    *("Italian", "Norwegian", "Portuguese", "Romanian", "Russian", "Spanish", "Swedish", "Tamil", "Turkish"),
)
TRUTH = SettingKind(_truth, "`true`, `false`")


def whole(low: int, high: int) -> SettingKind:
    """A whole number from `low` to `high`."""
    return SettingKind(_within(int, low, high), f"{low} to {high}")


def number(low: float, high: float) -> SettingKind:
    """A number from `low` to `high`."""
    return SettingKind(_within(float, low, high), f"{low} to {high}")


def path(allowed: str) -> SettingKind:
    """A file or folder, as an absolute path."""
    return SettingKind(_path, allowed)


def _within(convert: Callable[[str], float], low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = convert(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return parse


def _matching(pattern: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return parse


def _url(text: str) -> str:
    if text and (not text.startswith(("http://", "https://")) or not urlsplit(text).hostname):
        raise ValueError
    return text.rstrip("/")


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


def _served_hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(part.strip().lower().removesuffix(".") for part in text.split(",") if part.strip())
    if not hosts or not all(_is_served_host(host) for host in hosts):
        raise ValueError
    return hosts


def _is_served_host(text: str) -> bool:
    """Whether this is a name or an address, or one with a port; an IPv6 address with a port is in brackets."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        parts = urlsplit(f"//{text}")
        name = parts.hostname or ""
        in_brackets = text.startswith("[") and bool(ipaddress.IPv6Address(name))
        plain = re.fullmatch(r"[a-z0-9_]([a-z0-9._\-]*[a-z0-9_])?", name) is not None
        return (in_brackets or plain) and parts.port != 0 and parts.netloc == text and "@" not in text
    return True


def _unknown_price(text: str) -> UnknownPrice:
    if text == "refuse":
        return "refuse"
    rate = _within(float, 0.01, 10_000)
    rates = [rate(part) for part in text.split("/")]
    if len(rates) != 2:
        raise ValueError
    return PriceCeiling(*rates)


def _names(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",")) - {""}


MODEL = SettingKind(_model, "`MODEL/PRETRAINED`, `MODEL/FILE`, `hf-hub:NAME`, `local-dir:FOLDER` or `bundled`")
GEMINI_MODEL = SettingKind(_matching(r"[a-z0-9][a-z0-9.\-]*"), "a Gemini model's name")
UNKNOWN_PRICE = SettingKind(_unknown_price, "`refuse`, or USD per million tokens as `INPUT/OUTPUT`, each 0.01 to 10000")
URL = SettingKind(_url, "an address like `http://127.0.0.1:8700`")
OPTIONAL_FOLDER = SettingKind(lambda text: _path(text) if text else None, "a folder")
FOLDERS = SettingKind(_folders, "folders, separated by `:` (`;` on Windows)")
HOST = SettingKind(_matching(r"[A-Za-z0-9][A-Za-z0-9.\-]*"), "an address of this computer")
HOSTS = SettingKind(_hosts, "host names, separated by `,`")
SERVED_HOSTS = SettingKind(_served_hosts, "host names or addresses, each may have a port, separated by `,`")
ACCOUNTS = SettingKind(_names, "addresses and groups, separated by `,`")
CLAIM = SettingKind(_matching(r"\S{1,200}"), "a claim's name, with dots where it lies in others")
HEADER = SettingKind(_matching(r"[A-Za-z][A-Za-z0-9\-]{0,63}"), "a header's name, for example `X-Real-IP`")
GPUS = SettingKind(str, "as CUDA defines it, for example `0`")
