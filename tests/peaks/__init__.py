"""The BBC's own reader of waveform data, from npm, as a judge of ours."""
