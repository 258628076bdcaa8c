"""What follows a flag: the operator is told of it, through every channel there is."""

from typing import Any

from backend.domains.alerts.notices import tell_json
from backend.domains.media.notices import note_told, send_flag_notice
from backend.runtime import after


@after(send_flag_notice)
async def tell_of_flag(version_id: str, result: dict[str, Any] | None) -> None:
    """Send the notice. Safe to repeat: a channel takes each notice once."""
    if result is not None and await tell_json(result):
        await note_told(version_id)
