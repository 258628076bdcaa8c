"""What the object store's errors mean here."""

from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from backend.errors import BacklineError, Conflict, InvalidInput, Misconfigured, NotFound, Unavailable

# How a directory, memory and S3 say that an object ends before the range.
_RANGE = ("range was invalid", "Invalid range", "416 Range Not Satisfiable")


@contextmanager
def translated(what: object) -> Iterator[None]:
    """Errors of the store leave this block as ours, each naming `what` it was about."""
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        raise translate(error, what) from error


def translate(error: BaseException, what: object) -> BacklineError:
    """The error of ours that says the same. Anything unknown is Unavailable: another try may work."""
    reason = str(error).partition("\n")[0].strip()
    if "NoSuchBucket" in str(error):
        return Misconfigured(
            "the bucket does not exist: create it, or set STORAGE_PRIVATE_BUCKET and STORAGE_PUBLIC_BUCKET",
            field="STORAGE_PRIVATE_BUCKET",
        )
    if isinstance(error, FileNotFoundError):
        return NotFound(f"there is no object {what}")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return Misconfigured(
            f"the object store refuses our credentials for {what}: check STORAGE_ACCESS_KEY_ID and "
            "STORAGE_SECRET_ACCESS_KEY",
            field="STORAGE_ACCESS_KEY_ID",
        )
    if isinstance(error, AlreadyExistsError | PreconditionError):
        return Conflict(f"object {what} exists already")
    if any(words in reason for words in _RANGE):
        return InvalidInput(f"object {what} ends before the range that was asked for", field="range")
    if "os error 28" in reason:
        return Unavailable("the object store is full: free space in the data directory")
    return Unavailable(f"the object store failed for {what}: {reason[:500]}")
