# The project's commands. `just --list` shows them; those of the backend alone are under `just backend`.

mod backend

# Redis, then the app with DOCKET_URL set
dev *options: redis
    DOCKET_URL="${DOCKET_URL:-redis://localhost:6379}" uv run backline serve {{ options }}

# Redis on port 6379: by compose where Docker runs, else a local redis-server; both with an append-only file
redis:
    #!/usr/bin/env bash
    set -euo pipefail
    if docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
        docker compose up --detach --wait redis
    elif (exec 3<>/dev/tcp/127.0.0.1/6379) 2>/dev/null; then
        echo "using the Redis that already listens on port 6379"
    else
        mkdir -p .data/redis
        # Where the machine has none, the one inside the dev group's wheel.
        server=(redis-server)
        command -v redis-server >/dev/null || server=(uv run redis-server)
        "${server[@]}" --port 6379 --bind 127.0.0.1 --dir "$PWD/.data/redis" --daemonize yes \
            --pidfile "$PWD/.data/redis/redis.pid" --logfile "$PWD/.data/redis/redis.log" \
            --save "" --appendonly yes --appendfsync everysec --maxmemory-policy noeviction
        echo "started redis-server on port 6379; \`just stop\` ends it"
    fi

# An AT Protocol network on this machine: PLC directory, PDS, alice.test and bob.test; in memory, until Ctrl-C
network:
    uv run python -m tests.network.run

# Stop what `just redis` started
stop:
    #!/usr/bin/env bash
    set -euo pipefail
    if [ -f .data/redis/redis.pid ]; then
        kill "$(cat .data/redis/redis.pid)"
    elif docker compose version >/dev/null 2>&1; then
        docker compose stop
    fi

# All tests, against real servers
test *options:
    uv run pytest {{ options }}

# Only the tests that kill, freeze and empty servers
chaos *options:
    uv run pytest tests/chaos {{ options }}

# Measure the runner beside stock pydocket
bench *options:
    uv run python -m benchmarks.runner {{ options }}

# Export a large library, and watch the process meanwhile
bench-export *options:
    uv run python -m benchmarks.export {{ options }}

# Take the pictures of the demo and, in Chromium, of the player page and of the desk anew, into docs/images
screenshots:
    uv run python -m tests.cli.picture
    uv run python -m tests.browser.screenshots
    uv run python -m tests.dashboard.screenshots

# Send one file through the media pipeline and through the original design's commands, in turns
bench-pipeline *options:
    uv run python -m benchmarks.pipeline {{ options }}

# Look sounds up among a million stored tracks
bench-fingerprints *options:
    uv run python -m benchmarks.fingerprints {{ options }}

# Watch one process with many event streams and tabs
bench-watchers *options:
    uv run python -m benchmarks.watchers {{ options }}

# Send a burst of likes to a real PDS, together and one by one
bench-records *options:
    uv run python -m benchmarks.records {{ options }}

# Open every page of the desk over a ledger of a million runs
bench-desk *options:
    uv run python -m benchmarks.desk {{ options }}

# Ask every route of the API for a long time what it does not expect
fuzz examples="200":
    CONTRACT_EXAMPLES={{ examples }} uv run pytest -q tests/api/test_contract.py --timeout 3600

# What CI checks before the tests
lint:
    uv run ruff check .
    uv run ruff format --check .

# Mend what `just lint` can mend by itself
format:
    uv run ruff check --fix .
    uv run ruff format .

# Everything CI does, in an environment of its own
ci:
    .ci/run

# Resolve the newest versions that fit, and write them down with their hashes
lock:
    uv lock --quiet --upgrade
    uv export --quiet --no-emit-project --all-groups --no-header --output-file requirements.lock
