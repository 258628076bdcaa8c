"""What is wrong at large, said above the pages it matters to: nobody consumes a queue, Redis is not durable."""

from markupsafe import Markup

from backend.dashboard.markup import NOTHING, join
from backend.runtime.board import list_processes, without_consumer
from backend.runtime.health import health
from backend.runtime.queues import QueueView


async def banners(queues: list[QueueView]) -> Markup:
    """Everything that an operator should look at, most urgent first."""
    lonely = without_consumer(queues, await list_processes())
    said = [
        (f"Nobody consumes {name}", "runs wait, and no worker that lives can execute them: start one.")
        for name in lonely
    ]
    said += [(_capital(each), "") for each in (await health()).degraded]
    return (
        join(Markup('<div class="banner" role="status"><b>{}</b> {}</div>').format(*each) for each in said) or NOTHING
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
