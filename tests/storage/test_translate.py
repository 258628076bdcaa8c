"""Every error of the store becomes one of ours that says what to do."""

import pytest
from obstore.exceptions import (
    AlreadyExistsError,
    GenericError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from backend.errors import BacklineError, Conflict, InvalidInput, Misconfigured, NotFound, Steer, Unavailable
from backend.storage.translate import translated


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (FileNotFoundError("Object at location x not found"), NotFound),
        (FileNotFoundError("404\n<Code>NoSuchBucket</Code>"), Misconfigured),
        (PermissionDeniedError("403"), Misconfigured),
        (UnauthenticatedError("401"), Misconfigured),
        (AlreadyExistsError("there"), Conflict),
        (GenericError("Requested range was invalid"), InvalidInput),
        (GenericError("No space left on device (os error 28)"), Unavailable),
        (GenericError("connection refused"), Unavailable),
        (NotSupportedError("no"), Unavailable),
    ],
)
def test_errors_become_ours(error: Exception, ours: type[BacklineError]) -> None:
    with pytest.raises(BacklineError) as raised, translated("private/x"):
        raise error
    assert type(raised.value) is ours
    assert raised.value.__cause__ is error


def test_only_what_may_pass_is_tried_again() -> None:
    with pytest.raises(Unavailable) as raised, translated("private/x"):
        raise GenericError("connection refused\nDebug source:\nlong")
    assert raised.value.steer is Steer.RETRY
    assert raised.value.detail == "the object store failed for private/x: connection refused"


def test_errors_of_the_caller_pass() -> None:
    with pytest.raises(ValueError, match="mine"), translated("private/x"):
        raise ValueError("mine")
