"""Limits and choices of the media crew."""

from pydantic import Field

from backend.settings.base import Section


class MediaSettings(Section):
    """What may be uploaded, and how it is made playable."""

    upload_limit_mb: int = Field(1024, ge=1, description="Largest upload, in megabytes of 1,000,000 bytes.")
    ffmpeg_path: str | None = Field(None, description="ffmpeg to run. Unset: the one inside the imageio-ffmpeg wheel.")
    hls_segment_s: int = Field(6, ge=1, le=30, description="Length of an HLS segment in seconds.")
    opus_bitrate_kbps: int = Field(160, ge=32, le=510, description="Bit rate of HLS Opus.")
    export_days: int = Field(7, ge=1, le=365, description="Days that an artist's archive is kept.")
    waveform_pixels_per_s: int = Field(20, ge=1, le=200, description="Points per second of a waveform.")
