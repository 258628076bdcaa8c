"""Failures that production brings, on real processes, real Redis and real databases. Nothing may be lost by any."""
