"""Media: from an uploaded file to a stream that plays, its waveform and its loudness."""
