"""`backline` with the tasks of these tests: `python -m tests.dashboard.serve COMMAND ...`."""

import tests.dashboard.room  # noqa: F401  declares its tasks
from backend.cli import main

if __name__ == "__main__":
    main()
