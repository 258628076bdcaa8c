"""The servers that the tests bring along do what the tests ask of them."""

import os
from pathlib import Path

import asyncpg
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from backend.db.session import Database
from backend.settings import Settings, get_settings
from tests import postgres, servers
from tests.servers import NoServer, RedisServer


def test_redis_keeps_its_data_through_a_kill(redis_server: RedisServer) -> None:
    with Redis.from_url(redis_server.url, protocol=2) as client:
        client.set("kept", "yes")
    redis_server.kill()
    assert not redis_server.running
    with Redis.from_url(redis_server.url, protocol=2) as client, pytest.raises(RedisConnectionError):
        client.ping()
    redis_server.restart()
    with Redis.from_url(redis_server.url, protocol=2) as client:
        assert client.get("kept") == b"yes"


def test_redis_comes_back_empty_on_request(redis_server: RedisServer) -> None:
    url = redis_server.url
    with Redis.from_url(url, protocol=2) as client:
        client.set("kept", "no")
    redis_server.restart(keep_data=False)
    assert redis_server.url == url
    with Redis.from_url(url, protocol=2) as client:
        assert client.dbsize() == 0


def test_a_frozen_redis_holds_its_port_and_does_not_answer(redis_server: RedisServer) -> None:
    redis_server.freeze()
    with Redis.from_url(redis_server.url, protocol=2, socket_timeout=0.2) as client, pytest.raises(RedisTimeoutError):
        client.ping()
    redis_server.thaw()
    with Redis.from_url(redis_server.url, protocol=2) as client:
        assert client.ping()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho no memory left\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(NoServer, match="no memory left"):
        RedisServer(tmp_path, binary=broken).start()


def test_a_machine_without_servers_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(servers, "installed", lambda package: [])
    with pytest.raises(NoServer, match="TEST_REDIS_URL"):
        servers.find_redis()
    monkeypatch.setattr(postgres, "MACHINE", tmp_path)
    monkeypatch.setattr(postgres, "installed", lambda package: [])
    with pytest.raises(NoServer, match="TEST_DATABASE_URL"):
        postgres.find_postgres()


def test_a_machine_with_nothing_but_wheels_has_both_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "MACHINE", tmp_path)
    assert "site-packages" in str(postgres.find_postgres())
    assert "site-packages" in str(servers.find_redis())
    with RedisServer(binary=servers.find_redis()) as server, Redis.from_url(server.url, protocol=2) as client:
        assert client.ping()


async def test_the_wheels_postgres_runs(tmp_path: Path) -> None:
    with postgres.PostgresServer(postgres.in_wheel()[0]) as server:
        connection = await asyncpg.connect(server.url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
    assert not server.directory.exists()


def test_fakeredis_speaks_over_tcp(fakeredis_url: str) -> None:
    with Redis.from_url(fakeredis_url, protocol=2) as client:
        client.xadd("stream", {"a": "1"})
        assert client.xlen("stream") == 1


def test_each_test_has_an_environment_of_its_own(tmp_path: Path) -> None:
    assert Path.cwd() == tmp_path
    assert get_settings().database.data_dir == tmp_path / "data"
    assert "DOCKET_URL" not in os.environ


async def test_the_database_fixture_is_the_one_of_the_settings(database: Database) -> None:
    assert database.settings.url == get_settings().database.url


def test_each_engine_mode_has_its_url_and_its_name(engine_mode: str, engine_settings: Settings) -> None:
    url = engine_settings.docket.url
    assert {
        "inline": url is None,
        "memory": str(url).startswith("memory://"),
        "redis": str(url).startswith("redis://"),
    }[engine_mode]
    assert engine_settings.docket.docket_name.startswith("test-")
