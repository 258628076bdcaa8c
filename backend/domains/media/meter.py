"""The progress of several programs as one: how many seconds of sound all of them are through with."""

from collections.abc import Awaitable, Callable, Sequence

from backend.adapters.ffmpeg import OnSeconds

Report = Callable[[float, float, str], Awaitable[None]]  # seconds done, seconds in all, what is being made


class Meter:
    """Turns the seconds of each of `names` into the progress of all: never back, never over the end."""

    def __init__(self, report: Report, duration_s: float, names: Sequence[str]) -> None:
        self._report = report
        self._duration_s = duration_s
        self._done = dict.fromkeys(names, 0.0)
        self._message = f"making {', '.join(names)}"

    def of(self, name: str) -> OnSeconds:
        """Who listens to the program that works on this."""

        async def note(seconds: float) -> None:
            self._done[name] = max(self._done[name], min(seconds, self._duration_s))
            await self._report(sum(self._done.values()), len(self._done) * self._duration_s, self._message)

        return note
