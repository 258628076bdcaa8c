"""What the doctor looks at. Each check reports what it found and, where something is wrong, what to do."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from asyncpg import PostgresError
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from backend.adapters import ffmpeg
from backend.db.base import now
from backend.db.migrate import revisions
from backend.db.session import Database, open_database
from backend.domains.federation.oauth_client import this_client
from backend.domains.federation.reading import how_far
from backend.errors import BacklineError, Misconfigured
from backend.settings import Settings, get_settings
from backend.storage import open_storage

PATIENCE_S = 5.0
OLDEST_PYTHON = (3, 11)
OLDEST_FFMPEG = 5
ENCODERS = ("libopus", "aac", "alac", "flac")
READ_LATELY, SAID_FOR = timedelta(minutes=5), timedelta(days=7)
LOW_DISK_GB, FULL_DISK_GB = 5.0, 0.5


class Verdict(StrEnum):
    """How bad it is, from well to broken."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    check: str
    verdict: Verdict
    found: str
    advice: str | None = None


Check = Callable[[Settings], Awaitable[list[Finding]]]


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, found)


def warn(check: str, found: str, advice: str) -> Finding:
    """It works, but not as it should in production."""
    return Finding(check, Verdict.WARN, found, advice)


def fail(check: str, found: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(check, Verdict.FAIL, found, advice)


def read_settings() -> tuple[list[Finding], Settings | None]:
    """The interpreter and the settings. Without settings nothing else can be checked."""
    version = ".".join(map(str, sys.version_info[:3]))
    python = (
        ok("python", version)
        if sys.version_info >= OLDEST_PYTHON
        else fail("python", version, "install Python 3.11 or newer")
    )
    try:
        settings = get_settings()
    except Misconfigured as error:
        return [python, fail("settings", error.detail, "mend the variable in the environment or in .env")], None
    mode = _scheme(settings.docket.url) if settings.docket.url else "unset: runs die with this process"
    return [python, ok("settings", f"DOCKET_URL {mode}, storage {settings.storage.storage_backend}")], settings


async def check_ffmpeg(settings: Settings) -> list[Finding]:
    """ffmpeg runs, is new enough, and has the encoders and the muxer we use."""
    advice = "unset FFMPEG_PATH to use the bundled one, or install ffmpeg 5 or newer with libopus"
    try:
        path = await ffmpeg.find()
    except Misconfigured as error:
        return [fail("ffmpeg", error.detail, advice)]
    try:
        banner, encoders, filters = [await _said(path, option) for option in ("-version", "-encoders", "-filters")]
    except (OSError, TimeoutError) as error:
        return [fail("ffmpeg", f"{path} does not run: {error}", advice)]
    match = re.search(r"version n?(\d+)(\S*)", banner)
    missing = [name for name in ENCODERS if not re.search(rf"^ \S+ {name} ", encoders, re.MULTILINE)]
    missing += [] if " ebur128 " in filters else ["ebur128"]
    if missing:
        return [fail("ffmpeg", f"{path} lacks {', '.join(missing)}", advice)]
    if match and int(match[1]) < OLDEST_FFMPEG:
        return [fail("ffmpeg", f"{path} is version {match[1]}{match[2]}", advice)]
    return [
        ok("ffmpeg", f"{match[1]}{match[2] if match else ''} with {', '.join(ENCODERS)}, ebur128" if match else path)
    ]


async def _said(program: str, option: str) -> str:
    process = await asyncio.create_subprocess_exec(
        program, "-hide_banner", option, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(PATIENCE_S):
        said, _ = await process.communicate()
    return said.decode(errors="replace")


async def check_database(settings: Settings) -> list[Finding]:
    """The database answers, and is at the revision this code needs."""
    advice = "start the database, or mend DATABASE_URL"
    where = (
        "PostgreSQL" if not settings.database.url.startswith("sqlite") else f"SQLite in {settings.database.data_dir}"
    )
    try:
        async with asyncio.timeout(PATIENCE_S), open_database(settings.database) as database:
            async with database.reading() as session:
                await session.execute(text("SELECT 1"))
            return [ok("database", where), await _migrations(database)]
    except TimeoutError:
        return [fail("database", f"{where} does not answer within {PATIENCE_S:g} s", advice)]
    except (SQLAlchemyError, PostgresError, OSError, BacklineError) as error:
        return [fail("database", f"{where}: {_first_line(error)}", advice)]


async def _migrations(database: Database) -> Finding:
    has, needs = await revisions(database)
    if has == needs:
        return ok("migrations", f"at {has}")
    if database.is_sqlite and database.settings.database_migrate is not False:
        return ok("migrations", f"at {has or 'nothing'}; {needs} comes at the next start")
    return fail("migrations", f"at {has or 'nothing'}, the code needs {needs}", "run `backline migrate`")


async def check_redis(settings: Settings) -> list[Finding]:
    """Redis answers, keeps what it is told, and throws nothing away."""
    url = settings.docket.url
    if url is None:
        return [
            warn("redis", "DOCKET_URL is unset: no redelivery after a crash", "set DOCKET_URL=redis://… in production")
        ]
    if url.startswith("memory://"):
        return [warn("redis", "embedded in this process", "set DOCKET_URL=redis://… to share work between processes")]
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return [warn("redis", f"{_scheme(url)} is not checked here", "check appendonly and maxmemory-policy yourself")]
    client = Redis.from_url(
        url, protocol=2, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S, decode_responses=True
    )
    try:
        info = await client.info()
        answers = ok("redis", f"{info['redis_version']}, {info['used_memory_human']} used")
        return [answers, *await _durability(client, info)]
    except (RedisError, OSError) as error:
        return [
            fail("redis", f"{_scheme(url)} does not answer: {_first_line(error)}", "start Redis, or mend DOCKET_URL")
        ]
    finally:
        await client.aclose()


async def _durability(client: Redis, info: dict[str, object]) -> list[Finding]:
    found = []
    if info.get("aof_enabled") == 1:
        found.append(ok("redis", "appendonly yes"))
    else:
        found.append(warn("redis", "appendonly no: a restart forgets what is queued", "set `appendonly yes`"))
    if (policy := info.get("maxmemory_policy")) == "noeviction":
        found.append(ok("redis", "maxmemory-policy noeviction"))
    else:
        say = fail if info.get("maxmemory") else warn
        found.append(say("redis", f"maxmemory-policy {policy}: runs may vanish", "set `maxmemory-policy noeviction`"))
    return found


async def check_storage(settings: Settings) -> list[Finding]:
    """An object can be written, read and deleted in each bucket."""
    kind = settings.storage.storage_backend
    try:
        async with asyncio.timeout(PATIENCE_S * 2), open_storage(settings) as storage:
            await storage.check()
    except TimeoutError:
        return [fail("storage", f"{kind} does not answer", "check STORAGE_ENDPOINT")]
    except BacklineError as error:
        return [fail("storage", f"{kind}: {error.detail}", f"check {error.field or 'the STORAGE_ settings'}")]
    return [ok("storage", f"{kind}: written, read and deleted in both buckets")]


async def check_services(settings: Settings) -> list[Finding]:
    """Which services outside look at tracks, and who is told of troubles. What is unset is a choice, and no fault."""
    services = settings.services
    asked = {
        "AUDD_TOKEN": (services.audd_token, "copyright scans"),
        "REPLICATE_TOKEN": (services.replicate_token, "genres"),
        "LABELER_URL": (services.labeler_url, "settled flags"),
        "NOTICE_URL": (settings.alerts.notice_url, "notices by webhook"),
        "NOTICE_MAIL": (settings.alerts.notice_mail, "notices by mail"),
        "NOTICE_DID": (settings.alerts.notice_did, "notices by direct message"),
    }
    return [
        ok("services", f"{what}: yes" if value else f"{what}: none, {name} is unset")
        for name, (value, what) in asked.items()
    ]


async def check_oauth(settings: Settings) -> list[Finding]:
    """Whether people can sign in with OAuth, and how long that lasts."""
    try:
        client = this_client()
    except Misconfigured as error:
        return [
            warn("oauth", f"nobody can sign in with it: {error.detail}", "set HTTP_PUBLIC_URL to the public address")
        ]
    back = f"people come back to {client.redirect_uri}"
    if client.loopback or client.signer is not None:
        return [ok("oauth", back)]
    return [warn("oauth", f"{back}, for about two weeks", "set OAUTH_KEYS, and sign-ins last longer")]


async def check_network(settings: Settings) -> list[Finding]:
    """Whether the network is listened to, how far it was read, and whether something was missed."""
    url = settings.federation.ingest_url
    if url is None:
        return [ok("network", "not listened to: INGEST_URL is unset")]
    try:
        async with asyncio.timeout(PATIENCE_S), open_database(settings.database):
            reading = await how_far(url)
    except (TimeoutError, SQLAlchemyError, PostgresError, OSError, BacklineError):
        return [warn("network", "how far it was read stands in the database", "see there")]
    if settings.docket.docket_worker_concurrency < 2:
        return [warn("network", "listening takes the only run at a time", "set DOCKET_WORKER_CONCURRENCY to 2 or more")]
    if reading is None or now() - reading.read_at > READ_LATELY:
        since = f"since {reading.read_at:%Y-%m-%d %H:%M}" if reading else "yet"
        return [warn("network", f"nothing was read {since}", "start a worker, and see `backline runs list`")]
    found = [
        ok("network", f"read until {reading.event_at:%Y-%m-%d %H:%M:%S}" if reading.event_at else "nothing came yet")
    ]
    if reading.missed_at is not None and now() - reading.missed_at < SAID_FOR:
        at = f"{reading.missed_at:%Y-%m-%d %H:%M}"
        found.append(
            warn("network", f"at {at} the source had not kept all", "what happened before may be missing here")
        )
    return found


async def check_disk(settings: Settings) -> list[Finding]:
    """There is room for uploads and temporary files."""
    data_dir = settings.database.data_dir.absolute()
    there = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    free = shutil.disk_usage(there).free / 1e9
    found = f"{free:.1f} GB free at {there}"
    advice = "make room, or move DATA_DIR to a larger disk"
    if free < FULL_DISK_GB or not os.access(there, os.W_OK):
        return [fail("disk", found if os.access(there, os.W_OK) else f"{there} cannot be written", advice)]
    return [warn("disk", found, advice)] if free < LOW_DISK_GB else [ok("disk", found)]


def _scheme(url: str) -> str:
    return f"{urlsplit(url).scheme}://{urlsplit(url).hostname or ''}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


CHECKS: tuple[Check, ...] = (
    check_ffmpeg,
    check_database,
    check_redis,
    check_storage,
    check_disk,
    check_services,
    check_oauth,
    check_network,
)
