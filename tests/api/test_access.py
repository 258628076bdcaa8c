"""Every route of the OpenAPI document refuses strangers, foreigners and ended sign-ins, unless this file says why not."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from backend.api.app import create_app
from backend.api.serving import serving
from backend.db.base import now
from backend.db.ids import new_id
from backend.db.models.federation import Comment, PdsRecord, SignIn
from backend.db.models.media import Track
from backend.db.session import unit_of_work
from backend.domains.federation.publication import request_publication
from backend.domains.federation.sign_ins import Role, open_sign_in
from backend.domains.media.reports import Finding, Reason, TargetType, open_report
from backend.settings import get_settings
from backend.settings.http import HttpSettings
from tests.api.following import ended
from tests.api.room import schedule_api_note
from tests.conftest import set_environment
from tests.domains.federation.conftest import ready_track

ALICE, BOB = "did:plc:alice", "did:plc:bob"

# Who is not known gets an answer here, and why.
PUBLIC = {
    "POST /session": "signs in",
    "POST /session/oauth": "signs in",
    "GET /oauth/callback": "signs in",
    "GET /oauth/client-metadata.json": "authorization servers read it",
    "GET /tracks": "listeners find tracks",
    "GET /tracks/{track_id}": "listeners see a track, and of a gated one only its title",
    "GET /tracks/{track_id}/hls/master.m3u8": "listeners play, unless the track is gated",
    "GET /tracks/{track_id}/hls/{format}/{name}": "listeners play, unless the track is gated",
    "GET /tracks/{track_id}/waveform.{kind}": "listeners see it, unless the track is gated",
    "GET /tracks/{track_id}/artwork.jpg": "listeners see it, unless the track is gated",
    "GET /tracks/{track_id}/thumbnail.jpg": "listeners see it, unless the track is gated",
    "GET /tracks/{track_id}/steps": "the track's page shows how far it is",
    "GET /tracks/{track_id}/steps/{step_id}/stream": "the track's page shows how far it is",
    "GET /tracks/{track_id}/comments": "listeners read comments",
    "POST /tracks/{track_id}/plays": "listeners are counted without a name",
    "GET /albums": "listeners find albums",
    "GET /albums/{album_id}": "listeners see an album",
    "GET /objects/public/{path}": "the public bucket",
    "GET /objects/private/{path}": "its signature says who may",
    "GET /health": "load balancers ask",
    "GET /health/live": "load balancers ask",
    "GET /health/ready": "load balancers ask",
}
# Whoever is signed in may do these: they are about the caller's own things, or about what all may hear.
ANYBODYS = {
    "GET /session",
    "DELETE /session",
    "POST /tracks",
    "PUT /tracks/{track_id}/like",
    "DELETE /tracks/{track_id}/like",
    "GET /tracks/{track_id}/like",
    "POST /tracks/{track_id}/comments",
    "POST /albums",
    "GET /preferences",
    "PATCH /preferences",
    "GET /profile",
    "PATCH /profile",
    "POST /exports",
    "GET /exports",
}
# Alice has none of these.
NOT_THERE = {"GET /exports/{export_id}/download", "GET /tracks/{track_id}/publication/audio"}
BODIES = {
    "PATCH /tracks/{track_id}": {"title": "Mine now"},
    "PATCH /albums/{album_id}": {"title": "Mine now"},
    "PUT /albums/{album_id}/tracks": {"track_ids": []},
    "PATCH /tracks/{track_id}/comments/{comment_id}": {"text": "mine now"},
    "PUT /schedules/{task}/interval": {"spec": "every 300"},
    "POST /dead/requeue": {"filter": {"task": "api_die"}},
    "POST /dlq/requeue": {"ids": ["0192"]},
    "POST /dlq/purge": {"ids": ["0192"]},
    "POST /history/clear": {"clearType": "all"},
    "POST /api/jobs/add": {"job_type": "api_tidy", "interval_minutes": 5},
    "POST /dead/purge": {"filter": {"task": "api_die"}},
}


def operations(app: FastAPI) -> dict[str, str]:
    """Every operation of the document: `GET /tracks/{track_id}` to its path."""
    paths = app.openapi()["paths"]
    return {f"{verb.upper()} {path}": path for path, verbs in paths.items() for verb in verbs}


@pytest.fixture
async def closed(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that others can reach."""
    set_environment(
        monkeypatch, DATABASE_URL=sqlite_url, DOCKET_URL=f"memory://{new_id()}", HTTP_HOST="0.0.0.0",
        RUNNER_SHUTDOWN_GRACE_S="0.5",
    )  # fmt: skip
    async with serving(create_app(get_settings())) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def known(closed: httpx.AsyncClient) -> dict[str, str]:
    """The operations of that application."""
    return operations(create_app(get_settings()))


async def bearer(did: str, role: Role = Role.ARTIST) -> dict[str, str]:
    return {"Authorization": f"Bearer {await open_sign_in(did, role)}"}


async def of_alice(closed: httpx.AsyncClient) -> dict[str, str]:
    """Things of alice's, by the names that paths have for them."""
    alice = await bearer(ALICE)
    track_id, other = await ready_track(ALICE), await ready_track(ALICE)
    await request_publication(track_id)
    async with unit_of_work() as unit:
        # As if it were written: only a published track is in the list of an album.
        await unit.connection.execute(update(PdsRecord).values(cid="bafyreialice", written_revision=1))
        track = await unit.session.get_one(Track, track_id)
        comment = Comment(track_id=track_id, did=ALICE, text="hers", timestamp_ms=0)
        unit.session.add(comment)
        report_id = await open_report(unit, Finding(TargetType.TRACK, track_id, Reason.DUPLICATE, "same", other))
    album = await closed.post("/albums", json={"title": "Hers", "track_ids": [track_id]}, headers=alice)
    export = await closed.post("/exports", headers=alice)
    run = await schedule_api_note("hers")
    return {
        "track_id": track_id,
        "version_id": str(track.current_version_id),
        "comment_id": comment.id,
        "report_id": report_id,
        "album_id": album.json()["id"],
        "export_id": export.json()["export"]["id"],
        "run_id": run.id,
        "queue": "media",
        "job_id": run.id,
        "task": "api_tidy",
        "job_type": "api_tidy",
    }


async def ask(client: httpx.AsyncClient, name: str, path: str, headers: dict[str, str]) -> httpx.Response:
    """One operation. A stream that opens is closed at once."""
    verb = name.partition(" ")[0]
    async with client.stream(verb, path, headers=headers, json=BODIES.get(name)) as answer:
        return answer


async def test_who_is_not_known_is_refused(closed: httpx.AsyncClient, known: dict[str, str]) -> None:
    things = await of_alice(closed)
    ended_token = await open_sign_in(ALICE, Role.ADMIN)
    async with unit_of_work() as unit:
        past = now() - timedelta(seconds=1)
        await unit.connection.execute(update(SignIn).where(SignIn.role == Role.ADMIN).values(expires_at=past))
    callers = {"nobody": {}, "an ended sign-in": {"Authorization": f"Bearer {ended_token}"}}
    let_in = []
    for name, path in known.items():
        for who, headers in callers.items():
            if (
                name not in PUBLIC
                and (status := (await ask(closed, name, path.format(**things), headers)).status_code) != 401
            ):
                let_in.append((name, who, status))
    assert let_in == []
    assert set(PUBLIC) <= set(known)


async def test_another_artist_is_refused(closed: httpx.AsyncClient, known: dict[str, str]) -> None:
    things, bob = await of_alice(closed), await bearer(BOB)
    let_in = {}
    for name, path in known.items():
        if name not in PUBLIC and name not in ANYBODYS:
            status = (await ask(closed, name, path.format(**things), bob)).status_code
            if status not in (403, 404):
                let_in[name] = status
    assert let_in == {}
    assert set(known) >= ANYBODYS
    assert not ANYBODYS & set(PUBLIC)
    # They were refused because of who asked, and not because there is no such thing.
    admin = await bearer(ALICE, Role.ADMIN)
    await ended_as(closed, things["run_id"], admin)
    for name, path in known.items():
        if name.startswith("GET ") and name not in PUBLIC and name not in NOT_THERE:
            assert (await ask(closed, name, path.format(**things), admin)).status_code == 200, name


async def ended_as(closed: httpx.AsyncClient, run_id: str, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=closed.base_url, headers=headers, timeout=30) as client:
        await ended(client, run_id)


async def test_viewers_look_and_operators_act(closed: httpx.AsyncClient) -> None:
    viewer, operator = await bearer(BOB, Role.VIEWER), await bearer(BOB, Role.OPERATOR)
    for headers in (viewer, operator):
        assert (await closed.get("/queues", headers=headers)).status_code == 200
    assert (await closed.post("/queues/media/pause", headers=viewer)).status_code == 403
    assert (await closed.post("/queues/media/pause", headers=operator)).status_code == 204
    # Foreign things stay foreign: an operator keeps the runner going, and is nobody's artist.
    track_id = await ready_track(ALICE)
    assert (await closed.delete(f"/tracks/{track_id}", headers=operator)).status_code == 403


async def test_on_this_machine_alone_nobody_signs_in(api: httpx.AsyncClient) -> None:
    assert (await api.get("/runs")).status_code == 200
    assert (await api.post("/queues/media/pause")).status_code == 204
    # A token that does not hold is refused all the same.
    assert (await api.get("/runs", headers={"Authorization": "Bearer gone"})).status_code == 401


@pytest.mark.parametrize(
    ("host", "wish", "closed"),
    [
        ("127.0.0.1", None, False),
        ("::1", None, False),
        ("localhost", None, False),
        ("0.0.0.0", None, True),
        ("::", None, True),
        ("10.0.0.7", None, True),
        ("music.example.com", None, True),
        ("0.0.0.0", False, False),
        ("127.0.0.1", True, True),
    ],
)
def test_who_can_be_reached_is_closed(host: str, wish: bool | None, closed: bool) -> None:
    assert HttpSettings(http_host=host, feature_require_auth=wish).closed is closed
