"""What people do with each other's tracks."""

import re

from pydantic import Field, field_validator

from backend.settings.base import Section

_STREAM = re.compile(r"wss?://[^/?#]+(/[^?#]*)?(/xrpc/com\.atproto\.sync\.subscribeRepos|/subscribe)")
_COLLECTION = re.compile(r"[a-z][a-z0-9-]{0,62}(\.[a-z0-9][a-z0-9-]{0,62}){2,}", re.IGNORECASE)


class FederationSettings(Section):
    """How much of it there may be, and where other services look for it."""

    comments_per_track: int = Field(20, ge=1, le=10_000, description="Comments that one track shows at most.")
    teal_play_collection: str = Field("fm.teal.feed.play", description="Where teal looks for plays.")
    teal_status_collection: str = Field("fm.teal.actor.status", description="Where teal looks for what somebody hears.")
    ingest_url: str | None = Field(
        None,
        description="Where the network is listened to: a Jetstream (wss://…/subscribe), or the firehose of a relay or a "
        "server (wss://…/xrpc/com.atproto.sync.subscribeRepos). Unset: it is not.",
    )

    @field_validator("ingest_url")
    @classmethod
    def _stream(cls, value: str | None) -> str | None:
        if value is not None and (not _STREAM.fullmatch(value) or len(value) > 500):
            raise ValueError("must be wss://…/subscribe or wss://…/xrpc/com.atproto.sync.subscribeRepos")
        return value

    @field_validator("teal_play_collection", "teal_status_collection")
    @classmethod
    def _collection(cls, value: str) -> str:
        if not _COLLECTION.fullmatch(value) or len(value) > 300:
            raise ValueError("must be an NSID, such as fm.teal.feed.play")
        return value
