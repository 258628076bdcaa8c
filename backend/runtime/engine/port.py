"""What the runner asks of an engine."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from backend.runtime.ticket import Ticket


class Engine(Protocol):
    """Carries hand-overs to executors."""

    name: str  # docket | inline
    private: bool  # what it holds is gone with this process

    async def hand_over(self, tickets: Sequence[Ticket]) -> None:
        """Have these executed, once each. Raises Unavailable when the engine is away."""

    async def cancel(self, ticket_key: str) -> None:
        """Take it back if it did not start, stop it if it runs. Best effort: the ledger decides."""

    async def missing(self, ticket_keys: Collection[str]) -> set[str]:
        """Which of these the engine does not know (any more). Raises Unavailable."""

    async def taken(self) -> set[str]:
        """The keys of what this process took and did not finish. To be asked when nothing runs here any more."""

    async def canary(self, worker: str) -> None:
        """Send a canary run on the way that every run takes. Raises Unavailable."""

    async def publish(self, message: str) -> None:
        """Tell all processes. Best effort."""

    def listen(self) -> AsyncIterator[str]:
        """What processes tell. Ends when the connection does."""

    async def run(self) -> None:
        """Execute what is handed over until cancelled. Raises what killed the loop."""

    async def quiet(self) -> None:
        """Start nothing new; what runs goes on."""
