"""Sign-ins: a token stands for an account for a while, and nothing that is stored gives it away."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from backend.db.base import now
from backend.db.models.federation import SignIn
from backend.db.session import Database
from backend.domains.federation.sign_ins import (
    Role,
    close_sign_in,
    close_sign_ins_of,
    find_sign_in,
    forget_sign_ins,
    list_sign_ins,
    open_sign_in,
)
from backend.errors import InvalidInput

ALICE = "did:plc:alice"


async def _expire(database: Database) -> None:
    async with database.unit() as unit:
        await unit.connection.execute(update(SignIn).values(expires_at=now() - timedelta(seconds=1)))


async def test_a_token_stands_for_its_account(database: Database) -> None:
    token = await open_sign_in(ALICE, Role.OPERATOR, "laptop")
    found = await find_sign_in(token)
    assert found is not None
    assert (found.did, found.role, found.note) == (ALICE, Role.OPERATOR, "laptop")
    assert timedelta(days=29) < found.expires_at - now() < timedelta(days=31)
    assert await find_sign_in(token + "x") is None
    assert await find_sign_in("\ud800") is None


async def test_the_database_holds_no_token(database: Database) -> None:
    token = await open_sign_in(ALICE)
    async with database.reading() as session:
        rows = list((await session.execute(select(SignIn.__table__))).mappings())
    assert len(rows) == 1
    assert token not in repr(rows)
    assert len({token, await open_sign_in(ALICE)}) == 2


async def test_an_old_token_stands_for_nobody_and_is_forgotten(database: Database) -> None:
    token = await open_sign_in(ALICE)
    await _expire(database)
    assert (await find_sign_in(token), await list_sign_ins()) == (None, [])
    kept = await open_sign_in(ALICE)
    assert await forget_sign_ins() == {"forgotten": 1}
    assert await forget_sign_ins() == {"forgotten": 0}
    assert await find_sign_in(kept) is not None


async def test_one_is_closed_or_all_of_an_account(database: Database) -> None:
    first, second, other = [await open_sign_in(did) for did in (ALICE, ALICE, "did:web:bob.example")]
    await close_sign_in(first)
    await close_sign_in(first)
    assert (await find_sign_in(first), (await list_sign_ins())[0].did) == (None, "did:web:bob.example")
    assert await close_sign_ins_of(ALICE) == 1
    assert await find_sign_in(second) is None
    assert await find_sign_in(other) is not None


@pytest.mark.parametrize(
    "did", ["", "alice", "did:plc", "did:plc:", "did:PLC:x", "did:plc:a b", "did:plc:" + "x" * 300]
)
async def test_what_is_no_did_is_refused(database: Database, did: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await open_sign_in(did)
    assert refused.value.field == "did"
    assert await list_sign_ins() == []


def test_each_role_covers_those_before_it() -> None:
    roles = list(Role)
    for index, role in enumerate(roles):
        assert [role.covers(other) for other in roles] == [True] * (index + 1) + [False] * (len(roles) - index - 1)
