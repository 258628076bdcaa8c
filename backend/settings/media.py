"""Limits and choices of the media crew."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from backend.settings.base import Section


class MediaSettings(Section):
    """What may be uploaded, and how it is made playable."""

    upload_limit_mb: int = Field(1024, ge=1, description="Largest upload, in megabytes of 1,000,000 bytes.")
    ffmpeg_path: str | None = Field(None, description="ffmpeg to run. Unset: the one inside the imageio-ffmpeg wheel.")
    hls_segment_s: int = Field(6, ge=1, le=30, description="Length of an HLS segment in seconds.")
    opus_bitrate_kbps: int = Field(160, ge=32, le=510, description="Bit rate of HLS Opus.")
    aac_bitrate_kbps: int = Field(256, ge=32, le=512, description="Bit rate of HLS AAC.")
    alac_artists: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="DIDs of the artists whose lossless uploads are streamed lossless too, with commas."
    )
    transcode_lanes: int = Field(2, ge=1, le=16, description="Programs that one transcode runs beside each other.")
    gated_link_s: int = Field(
        6 * 3600, ge=60, le=7 * 86_400, description="Seconds that a signed link to a file of a gated track lives."
    )
    export_days: int = Field(7, ge=1, le=365, description="Days that an artist's archive is kept.")
    sweep_grace_h: int = Field(48, ge=24, description="Hours that an object stays which nothing refers to.")
    waveform_pixels_per_s: int = Field(20, ge=1, le=200, description="Points per second of a waveform.")

    @field_validator("alac_artists", mode="before")
    @classmethod
    def _read_dids(cls, value: object) -> object:
        dids = [each.strip() for each in value.split(",")] if isinstance(value, str) else value
        if isinstance(dids, list):
            wrong = [each for each in dids if not each.startswith("did:")]
            if wrong:
                raise ValueError(f"write DIDs with commas between them; {wrong[0]!r} is none")
        return dids
