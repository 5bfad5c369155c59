from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SettingError
from core.settings import PROJECT, SETTINGS, Secret, Settings, settings_table


def load(environ: dict[str, str], tmp_path: Path, toml: str = "") -> Settings:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(toml, encoding="utf-8")
    return Settings.load(environ, secrets)


def test_the_defaults_apply_if_nothing_is_set(tmp_path: Path) -> None:
    assert load({}, tmp_path) == Settings()


def test_the_environment_overrides_the_secrets_file(tmp_path: Path) -> None:
    settings = load({"CONTACTSHEET_THREADS": "3"}, tmp_path, "CONTACTSHEET_THREADS = 7\nCONTACTSHEET_BATCH_SIZE = 9")
    assert (settings.threads, settings.batch_size) == (3, 9)


def test_gemini_key_and_visible_gpus_are_read_by_their_own_names(tmp_path: Path) -> None:
    settings = load({"CUDA_VISIBLE_DEVICES": "1"}, tmp_path, 'GEMINI_API_KEY = "AIza-test"')
    assert settings.gemini_api_key.reveal() == "AIza-test"
    assert settings.cuda_visible_devices == "1"


def test_visible_gpus_from_the_secrets_file_reach_the_libraries_that_read_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    environ: dict[str, str] = {}
    load({}, tmp_path, 'CUDA_VISIBLE_DEVICES = "0"').export(environ)
    assert environ == {"CUDA_VISIBLE_DEVICES": "0"}


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("CONTACTSHEET_THREADS", "many", "0 to 256"),
        ("CONTACTSHEET_THREADS", "-1", "0 to 256"),
        ("CONTACTSHEET_DEVICE", "tpu", "`auto`, `cpu`, `cuda`, `mps`"),
        ("CONTACTSHEET_MODEL", "ViT-B-32", "MODEL/PRETRAINED"),
        ("CONTACTSHEET_MODEL", "ViT-B-32/", "MODEL/PRETRAINED"),
        ("CONTACTSHEET_LOG_LEVEL", "loud", "`DEBUG`"),
        ("CONTACTSHEET_GEMINI_ENDPOINT", "127.0.0.1:8700", "an address like"),
        ("CONTACTSHEET_GEMINI_ENDPOINT", "http://", "an address like"),
        ("CONTACTSHEET_GEMINI_ENDPOINT", "http://[::1", "an address like"),
        ("CONTACTSHEET_UNKNOWN_PRICE", "20", "`refuse`, or USD per million tokens as `INPUT/OUTPUT`"),
        ("CONTACTSHEET_UNKNOWN_PRICE", "20/100/3", "`refuse`, or USD per million tokens as `INPUT/OUTPUT`"),
        ("CONTACTSHEET_UNKNOWN_PRICE", "0/100", "each 0.01 to 10000"),
        ("CONTACTSHEET_UNKNOWN_PRICE", "20/-1", "each 0.01 to 10000"),
        ("CONTACTSHEET_UNKNOWN_PRICE", "nan/inf", "each 0.01 to 10000"),
        ("CONTACTSHEET_UNKNOWN_PRICE", "free", "`refuse`, or USD per million tokens as `INPUT/OUTPUT`"),
        ("CONTACTSHEET_HOSTS", "http://photos.example", "host names or addresses"),
        ("CONTACTSHEET_HOSTS", "photos.example/gallery", "host names or addresses"),
        ("CONTACTSHEET_HOSTS", "localhost,*", "host names or addresses"),
        ("CONTACTSHEET_HOSTS", "*.example", "host names or addresses"),
        ("CONTACTSHEET_HOSTS", "a@photos.example", "host names or addresses"),
        ("CONTACTSHEET_HOSTS", "photos.example:0", "host names or addresses"),
        ("CONTACTSHEET_HOSTS", "photos.example:99999", "host names or addresses"),
        ("CONTACTSHEET_HOSTS", "[::1", "host names or addresses"),
        ("CONTACTSHEET_HOSTS", "[localhost]", "host names or addresses"),
        ("CONTACTSHEET_HOSTS", ",", "host names or addresses"),
    ],
)
def test_a_wrong_value_is_refused_with_name_value_and_what_is_allowed(
    name: str, value: str, allowed: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=name) as caught:
        load({name: value}, tmp_path)
    assert repr(value) in str(caught.value)
    assert allowed in str(caught.value)


def test_a_misspelt_name_is_refused_with_the_likely_one(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="did you mean CONTACTSHEET_MODEL"):
        load({"CONTACTSHEET_MODLE": "bundled"}, tmp_path)


def test_a_name_like_no_setting_is_refused_with_where_they_are_listed(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"QQQ is not a setting: see docs/reference/settings\.md"):
        load({}, tmp_path, 'CONTACTSHEET_QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ = "1"')


def test_a_secrets_file_that_is_not_toml_is_refused_without_quoting_it(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be read as TOML") as caught:
        load({}, tmp_path, 'GEMINI_API_KEY = "AIza-hidden')
    assert "AIza" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("", ""),
        ("http://127.0.0.1:8700/", "127.0.0.1:8700"),
        ("https://name:secret@fake.example/v1?key=secret", "fake.example"),
        ("http://[::1]:8700", "[::1]:8700"),
    ],
)
def test_only_the_host_of_a_mock_servers_address_is_shown(address: str, host: str, tmp_path: Path) -> None:
    assert load({"CONTACTSHEET_GEMINI_ENDPOINT": address}, tmp_path).mock_server_host == host


def test_other_entries_of_the_secrets_file_are_left_alone(tmp_path: Path) -> None:
    assert load({}, tmp_path, '[connections.other]\nurl = "x"') == Settings()


def test_a_secret_shows_only_whether_it_is_set() -> None:
    settings = Settings(gemini_api_key=Secret("AIza-hidden"))
    assert "AIza" not in repr(settings)
    assert f"{settings.gemini_api_key}" == "Secret(set)"
    assert str(Secret()) == "Secret(not set)"


def test_an_explicit_model_is_distinguished_from_the_default(tmp_path: Path) -> None:
    assert load({"CONTACTSHEET_MODEL": "ViT-B-32/openai"}, tmp_path).model_is_explicit
    assert not load({}, tmp_path).model_is_explicit


@pytest.mark.parametrize("text", ["refuse", "20/100", "1.5/7.25"])
def test_the_price_of_unknown_models_reaches_a_child_process_as_it_was_set(text: str, tmp_path: Path) -> None:
    settings = load({"CONTACTSHEET_UNKNOWN_PRICE": text}, tmp_path)
    assert settings.environment()["CONTACTSHEET_UNKNOWN_PRICE"] == text


def test_the_table_of_defaults_agrees_with_the_object() -> None:
    for setting in SETTINGS:
        expected = setting.parse(setting.default) if setting.default else getattr(Settings(), setting.field)
        if setting.field == "data":
            expected = PROJECT / setting.default
        assert getattr(Settings(), setting.field) == expected


def test_the_reference_shows_the_table_of_settings() -> None:
    assert settings_table() in (PROJECT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
