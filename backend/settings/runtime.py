"""How runs are executed: the docket, the runner, the dead letters."""

from pydantic import Field, SecretStr, field_validator, model_validator

from backend.settings.base import Section

SCHEMES = ("redis://", "rediss://", "unix://", "redis+", "rediss+", "memory://")


class DocketSettings(Section):
    """Which engine executes, and under which name."""

    docket_url: SecretStr | None = Field(
        None,
        description="redis://, rediss://, sentinel, cluster or memory://. Unset: asyncio.create_task in this process.",
    )
    docket_name: str = Field("backline", min_length=1, description="Namespace of this platform's keys in Redis.")
    docket_worker_concurrency: int = Field(10, ge=1, le=1000, description="Runs one process executes at a time.")

    @field_validator("docket_url")
    @classmethod
    def _known_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or not url.get_secret_value():
            return None
        if not url.get_secret_value().startswith(SCHEMES):
            raise ValueError(f"must start with one of {', '.join(SCHEMES)}")
        return url

    @property
    def url(self) -> str | None:
        """The plain URL, or None when docket is off."""
        return self.docket_url.get_secret_value() if self.docket_url else None


class RunnerSettings(Section):
    """How runs are handed over, watched and ended."""

    workers_enabled: bool = Field(
        True, description="Whether this process executes runs. Alias: HARMONY_DISABLE_WORKERS, inverted."
    )
    harmony_disable_workers: bool = Field(False, description="1 is the same as WORKERS_ENABLED=0.")
    runner_redelivery_s: float = Field(
        8.0, ge=1, description="Seconds after which the runs of a dead worker start again."
    )
    runner_poll_s: float = Field(
        1.0, ge=0.05, description="Longest pause between two looks at the ledger when nothing wakes the feeder."
    )
    runner_repair_s: float = Field(
        3.0, ge=0.1, description="Seconds between two comparisons of the ledger with the engine."
    )
    runner_heartbeat_s: float = Field(
        2.0, ge=0.1, description="Seconds between two signs of life of a process in the ledger."
    )
    runner_canary_s: float = Field(
        30.0, ge=0.1, description="Seconds between two canary runs, which prove that runs are executed."
    )
    runner_shutdown_grace_s: float = Field(
        20.0, ge=0, description="Seconds running work may go on after a stop was asked for."
    )
    runner_crash_limit: int = Field(3, ge=1, description="A run whose worker died under it this often is dead.")
    runner_loop_block_s: float = Field(
        1.0, gt=0, description="A blocked event loop is reported after this many seconds."
    )
    runner_queue_concurrency: dict[str, int] = Field(
        default_factory=dict, description='Most runs of a queue at a time in the whole cluster, as JSON: {"media": 4}.'
    )
    runner_queue_rate: dict[str, str] = Field(
        default_factory=dict, description='Most starts of a queue in a window, as JSON: {"federation": "100/m"}.'
    )
    runner_keep_days: int = Field(30, ge=1, description="Days a finished run stays in the ledger.")
    runner_log_lines: int = Field(1000, ge=0, description="Log lines kept for one attempt; the middle is cut.")

    @model_validator(mode="after")
    def _one_switch(self) -> "RunnerSettings":
        if self.harmony_disable_workers:
            object.__setattr__(self, "workers_enabled", False)
        return self


class DeadLetterSettings(Section):
    """Bounds of what one request may do to dead runs."""

    dlq_page_size_default: int = Field(25, ge=1, description="Dead runs on one page.")
    dlq_page_size_max: int = Field(100, ge=1, description="Largest page a caller may ask for.")
    dlq_requeue_limit: int = Field(500, ge=1, description="Dead runs one request may requeue.")
    dlq_purge_limit: int = Field(1000, ge=1, description="Dead runs one request may purge.")
