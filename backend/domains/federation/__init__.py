"""People: who they are, and what the platform writes to their own servers."""
