"""Every operation of the OpenAPI document answers what it says it does, whatever it is asked."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backend.api.app import create_app
from backend.settings import get_settings
from tests.browser.server import BacklineServer

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "6"))
schema = schemathesis.openapi.from_dict(create_app(get_settings()).openapi())
# Streams that stay open have tests of their own, and so has what leaves for other servers.
asked = schema.exclude(path_regex="(/stream|^/session|^/oauth)")


@pytest.fixture(scope="module")
def server() -> Iterator[BacklineServer]:
    """A running server."""
    with BacklineServer() as started:
        yield started


@pytest.fixture(scope="module")
def headers(server: BacklineServer) -> dict[str, str]:
    """An admin's, so that no route is closed."""
    command = [sys.executable, "-m", "backend.cli", "sign-ins", "open", "did:plc:alice", "--role", "admin"]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=True)
    [token] = [word for word in done.stdout.split() if len(word) >= 43]
    return {"Authorization": f"Bearer {token}"}


@schemathesis.serializer("audio/*")
def as_bytes(_: object, value: object) -> bytes:
    """A body that is audio by its type only."""
    return value if isinstance(value, bytes) else str(value).encode()


@asked.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_it_answers_what_is_documented(case: Case, server: BacklineServer, headers: dict[str, str]) -> None:
    case.call_and_validate(
        base_url=server.url,
        headers=headers,
        checks=[not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance],
    )
