"""Settings are read from the environment, and what cannot be read is said in one sentence that names it."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from backend.errors import Misconfigured
from backend.settings import SECTIONS, Settings, get_settings


def test_every_section_is_part_of_the_settings() -> None:
    assert sorted(type(section).__name__ for section in vars(Settings()).values()) == sorted(
        section.__name__ for section in SECTIONS
    )


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_field_says_what_it_is(section: type[BaseSettings]) -> None:
    for name, field in section.model_fields.items():
        assert field.description, f"{name} has no description"
        assert field.description.endswith((".", "}.")), f"{name}: {field.description!r} is no sentence"


def test_no_two_sections_share_a_variable() -> None:
    names = [name for section in SECTIONS for name in section.model_fields]
    assert len(names) == len(set(names))


def test_defaults_need_nothing() -> None:
    settings = Settings()
    assert settings.docket.url is None
    assert settings.database.url.startswith("sqlite+aiosqlite:///")
    assert settings.storage.storage_backend == "local"
    assert settings.runner.workers_enabled


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("HTTP_PORT=9001\nDOCKET_NAME=from-file\n")
    monkeypatch.setenv("HTTP_PORT", "9002")
    settings = Settings()
    assert settings.http.http_port == 9002
    assert settings.docket.docket_name == "from-file"


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKET_URL", "DATABASE_URL", "HTTP_PORT", "WORKERS_ENABLED", "STORAGE_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "")
    settings = Settings()
    assert settings.docket.url is None
    assert settings.database.database_url is None
    assert settings.http.http_port == 8000
    assert settings.runner.workers_enabled
    assert settings.storage.storage_secret_access_key is None


def test_a_strangers_variable_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SOMEBODY_ELSES=1\n")
    Settings()


def test_every_unreadable_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PORT", "eighty")
    monkeypatch.setenv("HLS_SEGMENT_S", "99")
    monkeypatch.setenv("RUNNER_QUEUE_CONCURRENCY", "{not json")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(Misconfigured) as refusal:
        Settings()
    for name in ("HTTP_PORT", "HLS_SEGMENT_S", "RUNNER_QUEUE_CONCURRENCY", "LOG_LEVEL"):
        assert re.search(rf"\b{name}: ", str(refusal.value)), refusal.value
    assert "(got 'eighty')" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DOCKET_URL", "http://:hunter2@host", "must start with one of redis://"),
        ("DATABASE_URL", "mysql://me:hunter2@host/db", "must start with postgres://"),
        ("DATABASE_URL", "hunter2", "is not a database URL"),
        ("DATABASE_URL", "sqlite://", "needs a file"),
        ("DATABASE_URL", "sqlite:///:memory:", "needs a file"),
        ("WORKERS_ENABLED", "perhaps", "valid boolean"),
        ("STORAGE_BACKEND", "tape", "'local' or 's3'"),
        ("INGEST_URL", "https://jetstream.example.com/subscribe", "must be wss://"),
        ("INGEST_URL", "wss://relay.example.com", "must be wss://"),
        ("DATABASE_POOL_SIZE", "0", "greater than or equal to 1"),
        ("RUNNER_QUEUE_CONCURRENCY", '{"media": "many"}', "valid integer"),
    ],
)
def test_an_unreadable_value_is_refused_and_no_secret_is_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured) as refusal:
        Settings()
    assert name in str(refusal.value)
    assert complaint in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_secrets_do_not_show_in_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKET_URL", "redis://:hunter2@host")
    monkeypatch.setenv("DATABASE_URL", "postgres://me:hunter2@host/db")
    monkeypatch.setenv("STORAGE_SECRET_ACCESS_KEY", "hunter2")
    assert "hunter2" not in repr([vars(section) for section in vars(Settings()).values()])


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://me:a%40b@host/db", "postgresql+asyncpg://me:a%40b@host/db"),
        ("postgresql://host/db?sslmode=require", "postgresql+asyncpg://host/db?ssl=require"),
        ("postgresql+asyncpg://host:5433/db", "postgresql+asyncpg://host:5433/db"),
        ("sqlite:////var/lib/x.db", "sqlite+aiosqlite:////var/lib/x.db"),
        ("sqlite:///x.db", "sqlite+aiosqlite:///x.db"),
    ],
)
def test_a_database_url_gets_its_async_driver(monkeypatch: pytest.MonkeyPatch, given: str, used: str) -> None:
    monkeypatch.setenv("DATABASE_URL", given)
    assert Settings().database.url == used


@pytest.mark.parametrize(
    ("variables", "enabled"),
    [
        ({}, True),
        ({"WORKERS_ENABLED": "0"}, False),
        ({"HARMONY_DISABLE_WORKERS": "1"}, False),
        ({"HARMONY_DISABLE_WORKERS": "0"}, True),
        ({"HARMONY_DISABLE_WORKERS": "1", "WORKERS_ENABLED": "1"}, False),
    ],
)
def test_workers_have_one_switch_with_two_names(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], enabled: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Settings().runner.workers_enabled is enabled


def test_settings_are_read_once_per_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = get_settings()
    monkeypatch.setenv("HTTP_PORT", "9001")
    assert get_settings() is first
    get_settings.cache_clear()
    assert get_settings().http.http_port == 9001


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().http.http_port = 1
