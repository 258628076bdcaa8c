"""Secrets that nobody configured: made once, and kept in the data directory."""

import os
import secrets
import tempfile
from pathlib import Path

from backend.errors import Misconfigured

SHORTEST = 16


def kept_secret(file: Path, variable: str) -> bytes:
    """The secret in this file, made at first use. `variable` is the setting that stands for it.

    Raises Misconfigured when the file holds no secret.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")  # mode 0600
        try:
            with os.fdopen(descriptor, "w") as output:
                output.write(secrets.token_hex(32))
            # A link never replaces: of two processes that start together one wins, and both read the same secret.
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    secret = file.read_bytes().strip()
    if len(secret) < SHORTEST:
        raise Misconfigured(f"{file} is no usable key: delete it, and a new one is made", field=variable)
    return secret
