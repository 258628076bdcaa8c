"""Sending: what one call to an account's server makes of records. Nothing here knows the database."""

from collections.abc import Sequence
from typing import Any

from backend.db.models.federation import PdsRecord
from backend.domains.federation.merging import SHARED, merged
from backend.domains.federation.pds import Pds
from backend.errors import Refused

MOST_TOGETHER = 200  # what the reference PDS takes in one com.atproto.repo.applyWrites


async def send(pds: Pds, row: PdsRecord) -> tuple[bool, str | None]:
    """Make the server's record what this row wants. Returns whether it is now, and the CID of what is there."""
    record, replaced = row.wanted, row.cid
    if row.kind in SHARED:
        there = await look_up(pds, row)
        if there and is_wanted(row, there):
            return True, str(there["cid"])
        record, replaced = merged(row.kind, record, there and there["value"]), str(there["cid"]) if there else None
    try:
        if row.wanted is None:
            swap = {"swapRecord": row.cid} if row.cid else {}
            await pds.procedure("com.atproto.repo.deleteRecord", _place(row) | swap)
            return True, None
        body = {**_place(row), "record": record, "swapRecord": replaced, "validate": False}
        return True, str((await pds.procedure("com.atproto.repo.putRecord", body))["cid"])
    except Refused as error:
        if error.name != "InvalidSwap":
            raise
    # Somebody else changed it, or an attempt wrote it and could not note that.
    there = await look_up(pds, row)
    return is_wanted(row, there), str(there["cid"]) if there else None


async def create_together(pds: Pds, rows: Sequence[PdsRecord]) -> list[str]:
    """Create new records of one account by one call: all of them, or none. Gives their CIDs, in order.

    Raises Refused or Unavailable when one of them cannot be created, be it because it is there already.
    """
    writes = [
        {
            "$type": "com.atproto.repo.applyWrites#create",
            "collection": row.collection,
            "rkey": row.rkey,
            "value": row.wanted,
        }
        for row in rows
    ]
    body = {"repo": rows[0].did, "validate": False, "writes": writes}
    answer = await pds.procedure("com.atproto.repo.applyWrites", body)
    return [str(each["cid"]) for each in answer["results"]]


async def look_up(pds: Pds, row: PdsRecord) -> dict[str, Any] | None:
    """What is there under the row's address: `uri`, `cid` and `value`; None: nothing."""
    try:
        return await pds.query("com.atproto.repo.getRecord", **_place(row))
    except Refused as error:
        if error.name == "RecordNotFound":
            return None
        await pds.must_be_active()
        raise


def is_wanted(row: PdsRecord, there: dict[str, Any] | None) -> bool:
    """Whether what is there is what the row wants."""
    found = there["value"] if there else None
    return bool(found == merged(row.kind, row.wanted, found))


def _place(row: PdsRecord) -> dict[str, str]:
    return {"repo": row.did, "collection": row.collection, "rkey": row.rkey}
