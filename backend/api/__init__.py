"""The HTTP routes. Thin: they ask the rooms below, and say what came of it."""
