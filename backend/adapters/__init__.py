"""The outside, one service or program per file: HTTP clients, ffmpeg, what others' bytes mean."""
