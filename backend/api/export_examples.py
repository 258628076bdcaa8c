"""Examples of exports for the OpenAPI document."""

EXPORT = {
    "id": "0192a6b1-7f00-7c2a-8b11-2d3e4f506172",
    "artist_did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
    "state": "ready",
    "run_id": "0192a6b1-7f01-7d3b-9c22-3e4f50617283",
    "tracks": 12,
    "skipped": 0,
    "size_bytes": 734003200,
    "created_at": "2026-11-23T09:14:03Z",
    "finished_at": "2026-11-23T09:14:21Z",
    "expires_at": "2026-11-30T09:14:21Z",
}
EXPORT_PAGE = {"items": [EXPORT], "next": None}
EXPORT_REQUESTED = {
    "export": EXPORT | {"state": "preparing", "tracks": None, "skipped": None, "size_bytes": None, "finished_at": None},
    "links": {
        name: f"/exports/{EXPORT['id']}{tail}"
        for name, tail in (("self", ""), ("stream", "/stream"), ("download", "/download"))
    },
}
