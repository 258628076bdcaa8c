"""`python -m backend.cli`, where the console script is not installed."""

from backend.cli import main

main()
