"""What the documentation of the API shows of versions."""

from backend.api.examples import RUN_ID, TRACK_ID, VERSION_ID

OLD_VERSION_ID = "0192a6a0-11c2-7b10-8e55-0a1b2c3d4e5f"

_LINE = {
    "id": VERSION_ID,
    "shown": False,
    "next": True,
    "status": "processing",
    "error": None,
    "filename": "song-remastered.flac",
    "mime": "audio/flac",
    "size_bytes": 31_284_112,
    "duration_s": 210.5,
    "created_at": "2026-11-23T09:00:00.100Z",
}
VERSION_PAGE = {
    "items": [
        _LINE,
        _LINE | {"id": OLD_VERSION_ID, "shown": True, "next": False, "status": "ready", "filename": "song.flac"},
    ],
    "next": None,
}
REPLACED = {
    "version_id": VERSION_ID,
    "run_ids": [RUN_ID],
    "links": {
        "track": f"/tracks/{TRACK_ID}",
        "versions": f"/tracks/{TRACK_ID}/versions",
        "runs": f"/runs?text={VERSION_ID}",
        "stream": f"/tracks/{TRACK_ID}/steps/{RUN_ID}/stream",
    },
}
