"""Cancel: reaches a run in every active state, and the children of its work with it."""

from sqlalchemy import bindparam, text

from backend.db.base import Moment, now
from backend.db.session import Unit
from backend.runtime.dispatch import dispatcher
from backend.runtime.ledger.journal import Change

_AT_REST = text("""
    UPDATE runs SET state = 'cancelled', finished_at = :now, updated_at = :now, revision = revision + 1
    WHERE id = :id AND state IN ('waiting', 'scheduled', 'queued')
    RETURNING revision, handover""").bindparams(bindparam("now", type_=Moment()))
_RUNNING = text("""
    UPDATE runs SET cancel_requested = true, updated_at = :now, revision = revision + 1
    WHERE id = :id AND state = 'running'
    RETURNING handover""").bindparams(bindparam("now", type_=Moment()))


async def cancel_in(unit: Unit, run_id: str) -> bool:
    """Cancel a run within this unit. Returns False when it is not active.

    A run that did not start is cancelled at once. A running one is told after the commit, and is cancelled when its
    work has stopped; if it fails meanwhile it is not tried again.
    """
    moment = now()
    at_rest = (await unit.connection.execute(_AT_REST, {"id": run_id, "now": moment})).first()
    running = None if at_rest else (await unit.connection.execute(_RUNNING, {"id": run_id, "now": moment})).first()
    found = at_rest or running
    if found is None:
        return False

    async def tell() -> None:
        if (here := dispatcher()) is None:
            return
        if at_rest:
            here.tell([Change(run_id, "cancelled", at_rest.revision)])
        if found.handover:
            await here.cancel(f"{run_id}:{found.handover}")

    unit.after_commit(tell)
    return True
