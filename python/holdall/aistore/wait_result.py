"""How waiting for a job ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .types import JobSnap


def parse_time(text: str) -> datetime:
    """A time of RFC 3339; what is finer than a microsecond is cut."""
    whole, dot, rest = text.partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{whole}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}"
    return datetime.fromisoformat(text)


@dataclass
class WaitResult:
    """How a job ended. True when it succeeded.

    Attributes:
        job_id: the job.
        success: whether it did all it had to do.
        error: what went wrong.
        end_time: when it ended; None where it waits for more to do.
    """

    job_id: str
    success: bool
    error: str | None = None
    end_time: datetime | None = None

    def __bool__(self) -> bool:
        return self.success

    @classmethod
    def from_snapshots(cls, job_id: str, snapshots: Sequence[JobSnap]) -> WaitResult:
        """The result of what all targets say."""
        error = next((snap.abort_err for snap in snapshots if snap.abort_err), None)
        if error is None and any(snap.aborted for snap in snapshots):
            error = "aborted"
        ends = [parse_time(snap.end_time) for snap in snapshots if snap.has_ended]
        all_ended = bool(ends) and len(ends) == len(snapshots)
        return cls(job_id, error is None, error, max(ends) if all_ended else None)
