"""The two doors to background work: its lifecycle, and every task and helper by name."""
