"""The loudness summary is read by section, and what cannot be measured is null."""

import pytest

from backend.domains.media.r128 import Loudness, read_summary
from backend.errors import InvalidInput

RUNNING = (
    "[Parsed_ebur128_0 @ 0x1] t: 0.1 TARGET:-23 LUFS M:-120.7 S:-120.7 I: -70.0 LUFS LRA: 0.0 LU FTPK: -inf dBFS\n"
)


def summary(
    i: str = "-18.4", lra: str = "4.8", peak: str = "-1.2", lra_gate: str = "-38.9", before_peak: str = ""
) -> str:
    return f"""{RUNNING}[Parsed_ebur128_0 @ 0x1] [info] Summary:

  Integrated loudness:
    I:         {i} LUFS
    Threshold: -28.9 LUFS

  Loudness range:
    LRA:       {lra} LU
    Threshold: {lra_gate} LUFS
    LRA low:   -21.0 LUFS
    LRA high:  -16.2 LUFS
{before_peak}
  True peak:
    Peak:      {peak} dBFS
[out#0/null @ 0x1] video:0KiB audio:172KiB
"""


def test_s01_the_result_is_in_the_last_summary() -> None:
    said = "title : Summary: I: -1.0 LUFS\n" + summary(i="-99.0").replace("Summary:", "Summary:", 1) + summary()
    assert read_summary(said) == Loudness(-18.4, 4.8, -1.2, None)


def test_s02_an_infinite_peak_is_null_and_not_zero() -> None:
    assert read_summary(summary(peak="-inf")) == Loudness(-18.4, 4.8, None, "digital silence: no true peak")


def test_s03_a_gated_sound_has_no_loudness() -> None:
    figures = read_summary(summary(i="-70.0", lra="0.0", lra_gate="0.0", peak="-inf"))
    assert (figures.integrated, figures.range, figures.true_peak) == (None, None, None)
    assert figures.note == "gated: silence, or shorter than 400 ms; digital silence: no true peak"


def test_s03_a_short_sound_has_a_loudness_and_no_range() -> None:
    figures = read_summary(summary(lra="0.0", lra_gate="0.0"))
    assert figures == Loudness(-18.4, None, -1.2, "shorter than 3 s: no loudness range")


def test_a_steady_sound_has_a_range_of_zero() -> None:
    assert read_summary(summary(lra="0.0")).range == 0.0


def test_s04_a_sample_peak_is_not_the_true_peak() -> None:
    sample = "\n  Sample peak:\n    Peak:      -9.9 dBFS\n"
    assert read_summary(summary(before_peak=sample)).true_peak == -1.2


def test_a_positive_true_peak_is_read() -> None:
    assert read_summary(summary(peak="0.8")).true_peak == 0.8


@pytest.mark.parametrize(
    "said",
    [
        "",
        RUNNING,
        "Summary:\n",
        summary().replace("True peak:", "Something else:"),
        summary().replace("    I:  ", "    X:  "),
        summary(peak="loud"),
        summary().replace("  Integrated loudness:\n", ""),
    ],
)
def test_a_summary_that_lacks_something_is_an_error(said: str) -> None:
    with pytest.raises(InvalidInput, match="loudness summary"):
        read_summary(said)
