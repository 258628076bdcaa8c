"""A run from its enqueue to its end, on every engine and every database."""

from backend.runtime import current_run, scheduler, task
from tests.runtime.crew import Crew, ended


async def test_a_run_succeeds_and_the_ledger_knows_it(crew: Crew) -> None:
    @task(queue="media")
    async def add(a: int, b: int = 2) -> dict[str, object]:
        run = current_run()
        return {"sum": a + b, "run": run.id, "attempt": run.attempt}

    schedule_add = scheduler(add)
    async with crew() as runner:
        receipt = await schedule_add(1)
        run = await ended(receipt.id)
    assert receipt.created
    assert run.state == "succeeded"
    assert run.result == {"sum": 3, "run": run.id, "attempt": 1}
    assert run.args == {"a": 1, "b": 2}
    assert run.started_at
    assert run.finished_at
    assert run.created_at <= run.started_at <= run.finished_at
    (attempt,) = run.attempts
    assert (attempt.number, attempt.outcome, attempt.worker) == (1, "succeeded", runner.card.name)
