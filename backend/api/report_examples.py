"""Examples of reports for the OpenAPI document."""

from backend.api.examples import TRACK_ID

REPORT = {
    "id": "0192a6b1-8f00-7a1c-9d22-4e5f60718293",
    "target_type": "track",
    "target_id": TRACK_ID,
    "related_id": "0192a6a0-1b02-7c4e-8c11-1f6f5d1e2a44",
    "reason": "duplicate",
    "description": "track 0192a6b1-… ('Night Drive' by 'Anna') has the same sound as track 0192a6a0-… ('Drive'): …",
    "status": "resolved",
    "decided_by": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
    "decided_at": "2026-11-23T10:01:12Z",
    "created_at": "2026-11-23T09:00:09Z",
}
REPORT_PAGE = {
    "items": [REPORT | {"status": "pending", "decided_by": None, "decided_at": None}],
    "next": None,
}
