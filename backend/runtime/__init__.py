"""The runner: how a task lives, from its declaration to its last attempt. What the rooms need of it stands here."""

from backend.runtime.after import after
from backend.runtime.context import RunContext, current_run
from backend.runtime.enqueue import Options, Receipt, enqueue, enqueue_many, scheduler
from backend.runtime.registry import TaskSpec, discover, registry, spec_of, task
from backend.runtime.retry import Retry

__all__ = [
    "Options",
    "Receipt",
    "Retry",
    "RunContext",
    "TaskSpec",
    "after",
    "current_run",
    "discover",
    "enqueue",
    "enqueue_many",
    "registry",
    "scheduler",
    "spec_of",
    "task",
]
