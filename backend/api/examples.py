"""What the documentation of the API shows: one believable run, and what belongs to it."""

from typing import Any

RUN_ID = "0192a6b1-7c1e-7d2f-8a3b-4c5d6e7f8091"
TRACK_ID = "0192a6b1-7b02-7a4e-9c11-0f6f5d1e2a33"
VERSION_ID = "0192a6b1-7b02-7a4f-8d20-6c7b8a9e1f44"

PROGRESS = {"current": 84.2, "total": 210.5, "percent": 40.0, "message": "hls_opus", "counts": {}, "eta_s": 3.1}
ATTEMPT = {
    "number": 1,
    "worker": "studio-1#4242",
    "started_at": "2026-11-23T09:00:00.140Z",
    "ended_at": "2026-11-23T09:00:05.310Z",
    "outcome": "succeeded",
    "error_type": None,
    "error": None,
    "traceback": None,
    "logs": [{"at": "2026-11-23T09:00:00.150Z", "level": "INFO", "logger": "backend.domains.media", "message": "…"}],
    "args": None,
}
RUN: dict[str, Any] = {
    "id": RUN_ID,
    "task": "transcode_version",
    "queue": "media",
    "priority": 0,
    "key": f"transcode:{VERSION_ID}",
    "state": "succeeded",
    "args": {"version_id": VERSION_ID, "formats": ["hls_opus"]},
    "due_at": None,
    "parked_on": None,
    "attempt": 1,
    "max_attempts": 3,
    "crashes": 0,
    "cancel_requested": False,
    "worker": "studio-1#4242",
    "progress": PROGRESS | {"current": 210.5, "percent": 100.0, "eta_s": 0.0},
    "result": {"formats": ["hls_opus"]},
    "error_type": None,
    "error": None,
    "error_group": None,
    "requested_by": None,
    "cause": None,
    "trace": None,
    "revision": 4,
    "created_at": "2026-11-23T09:00:00.120Z",
    "handed_at": "2026-11-23T09:00:00.125Z",
    "started_at": "2026-11-23T09:00:00.140Z",
    "finished_at": "2026-11-23T09:00:05.310Z",
    "attempts": [ATTEMPT],
}
LISTED = RUN | {"attempts": []}
RUN_PAGE = {"items": [LISTED], "next": f"/runs?state=succeeded&limit=1&cursor={RUN_ID}"}
WAITING_RUN = LISTED | {"state": "waiting", "attempt": 0, "progress": None, "result": None, "finished_at": None}
CANCELLED_RUN = LISTED | {"state": "cancelled", "attempt": 0, "progress": None, "result": None}
DEAD_RUN = LISTED | {
    "state": "dead",
    "attempt": 3,
    "result": None,
    "error_type": "Unavailable",
    "error": "the object store did not answer",
    "error_group": "5c2d9a01b7e4f310",
}
DEAD_PAGE = {"items": [DEAD_RUN], "next": None}
DEAD_GROUP = {
    "error_group": "5c2d9a01b7e4f310",
    "error_type": "Unavailable",
    "example": "the object store did not answer",
    "task": "transcode_version",
    "count": 17,
    "newest_at": "2026-11-23T09:00:05.310Z",
}
STREAM = (
    'id: 41\nevent: state\ndata: {"id":"0192a6b1-…","state":"running",…}\n\n'
    'id: 42\nevent: progress\ndata: {"id":"0192a6b1-…","progress":{"percent":40.0,…},…}\n\n'
    ": keep-alive\n\n"
    'id: 57\nevent: state\ndata: {"id":"0192a6b1-…","state":"succeeded",…}\n\n'
    'id: 57\nevent: end\ndata: {"id":"0192a6b1-…","state":"succeeded",…}\n\n'
)
QUEUE = {
    "name": "media",
    "waiting": 12,
    "queued": 4,
    "scheduled": 0,
    "running": 6,
    "dead": 1,
    "concurrency": None,
    "rate": None,
    "paused": False,
    "paused_tasks": [],
    "oldest_waiting_s": 3.4,
}
SCHEDULE = {
    "task": "prune_runs",
    "declared": "17 3 * * *",
    "override": "every 3600",
    "paused": False,
    "next_at": "2026-11-23T10:00:00Z",
    "last_at": "2026-11-23T09:00:00Z",
    "last_run_id": RUN_ID,
    "last_state": "succeeded",
    "overlap": "skip",
    "catchup": "one",
    "known": True,
}
ACCEPTED = {
    "run_id": RUN_ID,
    "state": "waiting",
    "created": True,
    "links": {"run": f"/runs/{RUN_ID}", "stream": f"/runs/{RUN_ID}/stream"},
}
HEALTH = {
    "live": True,
    "ready": True,
    "degraded": [],
    "checks": {
        "database": "ok",
        "redis": "ok",
        "loops": {"worker": {"alive": True, "restarts": 0, "last_error": None}},
    },
}
UNHEALTHY = {
    "live": True,
    "ready": False,
    "degraded": ["the database does not answer"],
    "checks": {"database": "ConnectionRefusedError"},
}


VERSION = {
    "id": VERSION_ID,
    "status": "ready",
    "error": None,
    "original": {"filename": "night drive.flac", "mime": "audio/flac", "size_bytes": 24117248, "sha256": "9f2c…"},
    "codec": "flac",
    "duration_s": 210.5,
    "sample_rate": 44100,
    "channels": 2,
    "lossless": True,
    "master_url": f"/objects/public/{VERSION_ID}/master.m3u8",
    "streams": [
        {
            "format": "hls_opus",
            "status": "ready",
            "error": None,
            "url": f"/objects/public/{VERSION_ID}/hls_opus/playlist.m3u8",
            "updated_at": "2026-11-23T09:00:05.310Z",
        }
    ],
    "waveform": {
        "json_url": f"/objects/public/{VERSION_ID}/waveform.json",
        "dat_url": f"/objects/public/{VERSION_ID}/waveform.dat",
        "png_url": f"/objects/public/{VERSION_ID}/waveform.png",
        "updated_at": "2026-11-23T09:00:02.910Z",
    },
    "loudness": {"integrated_lufs": -14.2, "range_lu": 5.1, "true_peak_dbtp": -1.0, "note": None},
    "created_at": "2026-11-23T09:00:00.100Z",
}
TRACK = {
    "id": TRACK_ID,
    "title": "Night Drive",
    "artist": "Anna",
    "gated": False,
    "play_count": 1284,
    "artwork": {
        "url": f"/objects/public/artwork/{VERSION_ID}/artwork.jpg",
        "thumbnail_url": f"/objects/public/artwork/{VERSION_ID}/thumbnail.jpg",
        "source": "embedded",
        "note": None,
    },
    "created_at": "2026-11-23T09:00:00.100Z",
    "version": VERSION,
    "links": {
        "self": f"/tracks/{TRACK_ID}",
        "page": f"/t/{TRACK_ID}",
        "steps": f"/tracks/{TRACK_ID}/steps",
        "runs": f"/runs?text={VERSION_ID}",
        "hls": f"/tracks/{TRACK_ID}/hls/master.m3u8",
        "hls_opus": f"/tracks/{TRACK_ID}/hls/hls_opus/playlist.m3u8",
        "waveform_json": f"/tracks/{TRACK_ID}/waveform.json",
        "waveform_dat": f"/tracks/{TRACK_ID}/waveform.dat",
        "waveform_png": f"/tracks/{TRACK_ID}/waveform.png",
        "artwork": f"/tracks/{TRACK_ID}/artwork.jpg",
        "thumbnail": f"/tracks/{TRACK_ID}/thumbnail.jpg",
    },
}
WAVEFORM = {
    "version": 2,
    "channels": 1,
    "sample_rate": 44100,
    "samples_per_pixel": 2205,
    "bits": 8,
    "length": 3,
    "data": [-12, 14, -71, 80, -33, 30],
}
TRACK_PAGE = {
    "items": [
        {
            "id": TRACK_ID,
            "title": "Night Drive",
            "artist": "Anna",
            "gated": False,
            "version_id": VERSION_ID,
            "status": "ready",
            "duration_s": 210.5,
            "created_at": "2026-11-23T09:00:00.100Z",
        }
    ],
    "next": None,
}
UPLOADED = {
    "track": TRACK
    | {
        "artwork": None,
        "version": VERSION
        | {"status": "pending", "master_url": None, "streams": [], "waveform": None, "loudness": None},
    },
    "run_ids": [RUN_ID],
    "links": {
        "track": f"/tracks/{TRACK_ID}",
        "runs": f"/runs?text={VERSION_ID}",
        "stream": f"/tracks/{TRACK_ID}/steps/{RUN_ID}/stream",
    },
}


def shown(example: object, description: str = "Done") -> dict[str, Any]:
    """A documented JSON answer."""
    return {"description": description, "content": {"application/json": {"example": example}}}


def streamed(example: str) -> dict[str, Any]:
    """A documented stream of server-sent events."""
    content = {"text/event-stream": {"schema": {"type": "string"}, "example": example}}
    return {"description": "The stream", "content": content}


def media(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """A documented answer of bytes: the whole, or the part that was asked for."""
    content: dict[str, Any] = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    if "application/json" in content:
        content["application/json"] = {"schema": {"type": "object"}, "example": WAVEFORM}
    return {
        200: {"description": "The whole", "content": content},
        206: {"description": "The part that Range asked for", "content": content},
        304: {"description": "The client has it already"},
    }
