"""Genres: what a model trained on Discogs hears in a track (effnet-discogs)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.adapters import replicate
from backend.adapters.replicate import Prediction
from backend.db.base import now
from backend.db.models.media import Genres
from backend.db.session import database, unit_of_work
from backend.domains.media.listeners import find_heard, sound_of
from backend.domains.media.rows import upsert
from backend.domains.media.versions import QUEUE
from backend.errors import BacklineError, BadAnswer, Refused
from backend.runtime import Retry, current_run, scheduler, task
from backend.settings import get_settings

MOST = 10
COLD_S = 600.0  # a model that nobody used is loaded first


async def hear_genres(track_id: str, audio_url: str | None = None) -> list[dict[str, object]]:
    """The genres of the version a track shows, the most likely first, also written into its row.

    A question that an earlier attempt put is not put again. Raises NotFound, and what the adapter raises.
    """
    _, version = await find_heard(track_id)
    version_id = version.id
    prediction = await _under_way(version_id) or await _ask(version_id, audio_url)
    try:
        prediction = await replicate.answered(prediction, COLD_S)
        found = read_genres(await replicate.output_of(prediction))
    except BacklineError:
        if prediction.ended:
            await _note(version_id, prediction_id=None)  # the next attempt asks anew
        raise
    await _note(version_id, prediction_id=None, genres=found)
    return found


def read_genres(output: Any) -> list[dict[str, object]]:
    """`{"Electronic---Ambient": 0.2}` as names in lower case with the confidence of each. Raises BadAnswer."""
    if not isinstance(output, Mapping) or not all(isinstance(each, int | float) for each in output.values()):
        raise BadAnswer("the genre model's answer is no list of genres with their confidence")
    best: dict[str, float] = {}
    for label, confidence in output.items():
        # `Genre---Style`: both are names that people look for.
        for name in filter(None, (part.strip().lower() for part in str(label).split("---"))):
            best[name] = max(best.get(name, 0.0), round(float(confidence), 4))
    ranked = sorted(best.items(), key=lambda each: (-each[1], each[0]))
    return [{"name": name, "confidence": confidence} for name, confidence in ranked[:MOST]]


async def _under_way(version_id: str) -> Prediction | None:
    async with database().reading() as session:
        row = await session.get(Genres, version_id)
    if row is None or row.prediction_id is None:
        return None
    try:
        prediction = await replicate.look(row.prediction_id)
    except Refused:
        return None  # the service has forgotten it
    return None if prediction.ended and prediction.status != "succeeded" else prediction


async def _ask(version_id: str, audio_url: str | None) -> Prediction:
    async with sound_of(version_id, audio_url) as source:
        audio = await replicate.share(source) if isinstance(source, Path) else source
        inputs: dict[str, object] = {"audio": audio, "top_n": MOST, "output_format": "JSON"}
        prediction = await replicate.ask(get_settings().services.genre_model, inputs)
    await _note(version_id, prediction_id=prediction.id)
    return prediction


async def _note(version_id: str, **values: object) -> None:
    async with unit_of_work() as unit:
        await upsert(unit, Genres, {"track_version_id": version_id}, {**values, "updated_at": now()})


@task(queue=QUEUE, limit=2, retry=Retry(attempts=6, base=60.0, cap=3600.0), timeout=1200, key="genres:{track_id}")
async def classify_genres(track_id: str, audio_url: str | None = None) -> dict[str, object]:
    """Classify the version a track shows. A repeat goes on with the question that was put, or writes the same row."""
    await current_run().progress(0, 1, "asking the genre model")
    found = await hear_genres(track_id, audio_url)
    await current_run().progress(1, 1, ", ".join(str(each["name"]) for each in found[:3]))
    return {"genres": found}


schedule_genre_classification = scheduler(classify_genres, traced="genre classification")
