"""`backline doctor`: what it finds, and what it says to do."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.cli import checks
from backend.cli.checks import Verdict
from backend.db.base import now
from backend.db.models.network import Reading
from backend.db.session import open_database
from backend.settings import get_settings
from tests.cli.conftest import Ran, Terminal
from tests.conftest import set_environment
from tests.servers import RedisServer


def findings(ran: Ran) -> dict[str, list[tuple[str, str, str | None]]]:
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    for each in ran.json["checks"]:
        found.setdefault(each["check"], []).append((each["verdict"], each["found"], each["advice"]))
    return found


def test_all_is_well_but_for_redis(backline: Terminal) -> None:
    ran = backline("doctor", "--json")
    found = findings(ran)
    assert (ran.code, ran.json["verdict"]) == (0, "warn")
    assert set(found) == {
        "python", "settings", "ffmpeg", "database", "migrations", "redis", "storage", "disk", "services", "oauth", "network",
    }  # fmt: skip
    assert found["redis"][0][0] == "warn"
    assert all(row[0] == "ok" for check, rows in found.items() if check not in ("redis", "disk") for row in rows)
    assert "libopus" in found["ffmpeg"][0][1]
    shown = backline("doctor")
    assert (shown.code, shown.err) == (0, "")
    assert "→ set DOCKET_URL" in shown.out


def test_how_far_the_network_was_read(backline: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "wss://jetstream.example.com/subscribe"
    set_environment(monkeypatch, INGEST_URL=url)

    def said() -> list[tuple[str, str]]:
        return [(verdict, found) for verdict, found, _ in findings(backline("doctor", "--json"))["network"]]

    async def note(**values: object) -> None:
        async with open_database(get_settings().database) as database, database.unit() as unit:
            await unit.session.merge(Reading(url=url, cursor=1, **values))

    assert said() == [("warn", "nothing was read yet")]
    moment = datetime(2026, 1, 28, 12, tzinfo=UTC)
    asyncio.run(note(read_at=moment, event_at=moment))
    assert said() == [("warn", "nothing was read since 2026-01-28 12:00")]
    asyncio.run(note(read_at=now()))
    assert said() == [("ok", "read until 2026-01-28 12:00:00")]
    asyncio.run(note(read_at=now(), missed_at=now()))
    assert [verdict for verdict, _ in said()] == ["ok", "warn"]
    set_environment(monkeypatch, DOCKET_WORKER_CONCURRENCY="1")
    assert said() == [("warn", "listening takes the only run at a time")]


def test_a_redis_that_forgets(backline: Terminal, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, DOCKET_URL=redis_url)
    found = findings(backline("doctor", "--json"))["redis"]
    assert [row[0] for row in found] == ["ok", "warn", "ok"]
    assert "appendonly" in (found[1][2] or "")


def test_a_redis_that_keeps(backline: Terminal, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, DOCKET_URL=redis_server.url)
    assert [row[0] for row in findings(backline("doctor", "--json"))["redis"]] == ["ok", "ok", "ok"]


def test_a_redis_that_is_away(backline: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, DOCKET_URL="redis://:hunter2@127.0.0.1:1/0")
    ran = backline("doctor", "--json")
    [(verdict, said, advice)] = findings(ran)["redis"]
    assert (ran.code, verdict, advice) == (1, "fail", "start Redis, or mend DOCKET_URL")
    assert "hunter2" not in said


def test_an_unreadable_setting(backline: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, DOCKET_WORKER_CONCURRENCY="many")
    ran = backline("doctor", "--json")
    assert ran.code == 1
    assert "DOCKET_WORKER_CONCURRENCY" in findings(ran)["settings"][0][1]


def test_a_database_that_is_away(backline: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, DATABASE_URL="postgresql://me:hunter2@127.0.0.1:1/none")
    ran = backline("doctor", "--json")
    assert (ran.code, findings(ran)["database"][0][0]) == (1, "fail")
    assert "hunter2" not in ran.out


def test_a_database_that_refuses_us(backline: Terminal, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, DATABASE_URL=f"{postgres_url}_not_there")
    assert findings(backline("doctor", "--json"))["database"][0][0] == "fail"


def test_a_database_that_is_behind(
    backline: Terminal, empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, DATABASE_URL=empty_postgres_url)
    assert findings(backline("doctor", "--json"))["migrations"][0][2] == "run `backline migrate`"
    assert backline("runs", "list").code == 1
    assert "it was at nothing" in backline("migrate").out
    assert findings(backline("doctor", "--json"))["migrations"][0][0] == "ok"
    assert backline("migrate").code == 0
    assert backline("runs", "list").code == 0


def test_an_ffmpeg_that_is_not_there(backline: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, FFMPEG_PATH="/nowhere/ffmpeg")
    ran = backline("doctor", "--json")
    assert (ran.code, findings(ran)["ffmpeg"][0][0]) == (1, "fail")
    assert "FFMPEG_PATH" in (findings(ran)["ffmpeg"][0][2] or "")


@pytest.mark.parametrize(
    ("says", "verdict", "part"),
    [
        ("ffmpeg version 4.3.1\n", "fail", "lacks"),
        (
            "ffmpeg version 4.3.1\n A..... libopus x\n A..... aac x\n A..... alac x\n A..... flac x\n ebur128 \n",
            "fail",
            "4.3.1",
        ),
        (
            "ffmpeg version n7.1\n A..... libopus x\n A..... aac x\n A..... alac x\n A..... flac x\n ebur128 \n",
            "ok",
            "7.1",
        ),
    ],
)
def test_an_ffmpeg_of_another_kind(
    backline: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, verdict: str, part: str
) -> None:
    program, text = tmp_path / "ffmpeg", tmp_path / "says"
    text.write_text(says)
    program.write_text(f"#!/bin/sh\ncat {text}\n")
    program.chmod(0o755)
    set_environment(monkeypatch, FFMPEG_PATH=str(program))
    [(found, said, _)] = findings(backline("doctor", "--json"))["ffmpeg"]
    assert found == verdict
    assert part in said


def test_a_storage_that_is_away(backline: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(
        monkeypatch, STORAGE_BACKEND="s3", STORAGE_ENDPOINT="http://127.0.0.1:1",
        STORAGE_ACCESS_KEY_ID="x", STORAGE_SECRET_ACCESS_KEY="hunter2",
    )  # fmt: skip
    ran = backline("doctor", "--json")
    assert (ran.code, findings(ran)["storage"][0][0]) == (1, "fail")
    assert "hunter2" not in ran.out


@pytest.mark.parametrize(("low", "full", "verdict"), [(0, 0, "ok"), (1e9, 0, "warn"), (1e9, 1e9, "fail")])
def test_a_disk_that_fills(low: float, full: float, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LOW_DISK_GB", low)
    monkeypatch.setattr(checks, "FULL_DISK_GB", full)
    [finding] = asyncio.run(checks.check_disk(get_settings()))
    assert finding.verdict == Verdict(verdict)
    assert (finding.advice is None) == (verdict == "ok")


def test_services_that_are_not_asked(backline: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, AUDD_TOKEN="hunter2")
    ran = backline("doctor", "--json")
    said = [row[1] for row in findings(ran)["services"]]
    assert said[:2] == ["copyright scans: yes", "genres: none, REPLICATE_TOKEN is unset"]
    assert "hunter2" not in ran.out


@pytest.mark.parametrize(
    ("public", "keys", "verdict", "words"),
    [
        ("http://127.0.0.1:8000", None, "ok", "http://127.0.0.1:8000/oauth/callback"),
        ("https://music.example.com", "k" * 32, "ok", "https://music.example.com/oauth/callback"),
        ("https://music.example.com", None, "warn", "two weeks"),
        ("http://music.example.com", None, "warn", "nobody can sign in"),
    ],
)
def test_sign_in_with_oauth(
    backline: Terminal, monkeypatch: pytest.MonkeyPatch, public: str, keys: str | None, verdict: str, words: str
) -> None:
    set_environment(monkeypatch, HTTP_PUBLIC_URL=public, OAUTH_KEYS=keys)
    [row] = findings(backline("doctor", "--json"))["oauth"]
    assert (row[0], words in row[1]) == (verdict, True)
    assert "kkkk" not in repr(row)
