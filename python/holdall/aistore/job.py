"""Jobs of the cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from . import const, xact_const
from ._twin import Steps, inner, nap, twin
from .errors import JobInfoNotFound, Timeout
from .types import (
    AggregatedJobSnap,
    BucketModel,
    JobArgs,
    JobSnap,
    JobStats,
    JobStatus,
    action,
)
from .utils import get_logger, probing_frequency
from .wait_result import WaitResult, parse_time

if TYPE_CHECKING:
    from .bucket import Bucket
    from .request_client import RequestClient

logger = get_logger(__name__)

# First pause between two looks, in seconds; short jobs are over by then.
_FIRST_PAUSE = 0.01
NUM_CONSECUTIVE_IDLE = 2
"""Looks in a row that have to find nothing to do, of jobs that wait for more to do."""

Progress = Callable[[JobStats], None]
"""Called with what a job has done so far, on all targets."""


def _total(snaps: Iterable[JobSnap]) -> JobStats:
    total = JobStats.model_validate({})
    for snap in snaps:
        for name, value in snap.stats or ():
            setattr(total, name, getattr(total, name) + value)
    return total


class _Pauses:
    """Pauses that grow from milliseconds to what the time-out warrants."""

    def __init__(self, timeout: float, action: str) -> None:
        self.longest = probing_frequency(int(timeout))
        self.next = min(_FIRST_PAUSE, self.longest)
        self.timeout = timeout
        self.action = action
        self.begin = time.monotonic()

    def wait(self) -> Steps[None]:
        passed = time.monotonic() - self.begin
        if passed > self.timeout:
            raise Timeout(self.action, f"after {self.timeout}s")
        yield nap(min(self.next, max(self.timeout - passed, _FIRST_PAUSE)))
        self.next = min(self.next * 1.6, self.longest)


class Job:
    """A job of the cluster: by its id, by its kind, or both.

    Args:
        client: sends the requests.
        job_id: the id; empty for one that is to be started, or for all of a kind.
        job_kind: the kind, one of `holdall.aistore.xact_const`.
    """

    def __init__(self, client: RequestClient, job_id: str = "", job_kind: str = "") -> None:
        self._client = client
        self._job_id = job_id
        self._job_kind = job_kind

    @property
    def job_id(self) -> str:
        """The id."""
        return self._job_id

    @property
    def job_kind(self) -> str:
        """The kind."""
        return self._job_kind

    def __repr__(self) -> str:
        return f"<Job {self._job_kind}[{self._job_id}]>"

    @twin
    def status(self) -> Steps[JobStatus]:
        """How it is doing.

        Raises:
            ValueError: it has no id.
            AISError: there is no such job.
        """
        if not self._job_id:
            raise ValueError("Cannot query status on a job without an assigned ID")
        return (
            yield self._client.ask_model(
                const.HTTP_METHOD_GET,
                path=const.URL_PATH_CLUSTER,
                res_model=JobStatus,
                json=JobArgs(id=self._job_id, kind=self._job_kind).as_dict(),
                params={const.QPARAM_WHAT: const.WHAT_ONE_XACT_STATUS},
            )
        )

    status_async = status.later()

    @twin
    def wait(
        self,
        timeout: float = const.DEFAULT_JOB_WAIT_TIMEOUT,
        verbose: bool = True,
        *,
        progress: Progress | None = None,
    ) -> Steps[WaitResult]:
        """Wait for the end; of jobs that wait for more to do, until they have nothing to do.

        Args:
            timeout: seconds.
            verbose: log what is waited for.
            progress: called with what has been done so far, at each look.

        Raises:
            Timeout: it took longer.
            JobInfoNotFound: nobody knows the job.
        """
        kind = self._job_kind
        if not kind and self._job_id:
            kind = yield from self._find_kind()
        if kind and xact_const.idles_before_finishing(kind):
            return (yield from inner(self.wait_for_idle, timeout, verbose, progress=progress))
        if kind in (xact_const.XACT_KIND_BLOB_DL, xact_const.XACT_KIND_RESILVER):
            return (yield from inner(self.wait_single_node, timeout, verbose, progress=progress))
        return (yield from self._wait_for_end(timeout, verbose, progress))

    wait_async = wait.later()

    def _find_kind(self) -> Steps[str]:
        details = yield from inner(self.get_details)
        for snap in details.list_snapshots():
            if snap.kind:
                self._job_kind = snap.kind
                return snap.kind
        raise JobInfoNotFound(f"No job info found for '{self._job_id}'")

    def _wait_for_end(
        self, timeout: float, verbose: bool, progress: Progress | None
    ) -> Steps[WaitResult]:
        pauses = _Pauses(timeout, f"job '{self._job_id}'")
        while True:
            status = yield from inner(self.status)
            if progress is not None:
                details = yield from inner(self.get_details)
                progress(_total(details.list_snapshots()))
            if status.end_time != 0:
                break
            if verbose:
                logger.info("Waiting on job '%s'...", status.uuid)
            yield from pauses.wait()
        end = None
        if status.end_time > 0:
            end = datetime.fromtimestamp(status.end_time / 1e9, tz=UTC)
        error = (status.err or "aborted") if status.aborted else status.err
        success = not status.err and not status.aborted
        return self._tell(WaitResult(status.uuid, success, error, end), verbose, "finished")

    def _tell(self, result: WaitResult, verbose: bool, state: str) -> WaitResult:
        if verbose and result.success:
            logger.info("Job '%s' %s", self._job_id, state)
        elif verbose:
            logger.error("Job '%s' failed: %s", self._job_id, result.error)
        return result

    @twin
    def wait_for_idle(
        self,
        timeout: float = const.DEFAULT_JOB_WAIT_TIMEOUT,
        verbose: bool = True,
        *,
        progress: Progress | None = None,
    ) -> Steps[WaitResult]:
        """Wait until it has nothing to do.

        Raises:
            Timeout: it took longer than `timeout` seconds.
        """
        looks = 0

        def is_idle(details: AggregatedJobSnap) -> bool:
            nonlocal looks
            if details.any_aborted():
                return True
            if all(snap.has_ended for snap in details.list_snapshots()):
                return True
            looks = looks + 1 if details.all_idle() else 0
            return looks >= NUM_CONSECUTIVE_IDLE

        return (yield from self._wait_until(is_idle, timeout, verbose, progress, "is idle"))

    wait_for_idle_async = wait_for_idle.later()

    @twin
    def wait_single_node(
        self,
        timeout: float = const.DEFAULT_JOB_WAIT_TIMEOUT,
        verbose: bool = True,
        *,
        progress: Progress | None = None,
    ) -> Steps[WaitResult]:
        """Wait until it has ended on some target, which is all of them for jobs of one target.

        Raises:
            Timeout: it took longer than `timeout` seconds.
        """
        ended = AggregatedJobSnap.any_finished
        return (yield from self._wait_until(ended, timeout, verbose, progress, "finished"))

    wait_single_node_async = wait_single_node.later()

    def _wait_until(
        self,
        is_over: Callable[[AggregatedJobSnap], bool],
        timeout: float,
        verbose: bool,
        progress: Progress | None,
        state: str,
    ) -> Steps[WaitResult]:
        pauses = _Pauses(timeout, f"job '{self._job_id}'")
        while True:
            details = yield from inner(self.get_details)
            snaps = details.list_snapshots()
            if progress is not None:
                progress(_total(snaps))
            if snaps and is_over(details):
                return self._tell(WaitResult.from_snapshots(self._job_id, snaps), verbose, state)
            if verbose:
                logger.info("Waiting on job '%s'...", self._job_id)
            yield from pauses.wait()

    @twin
    def start(
        self,
        daemon_id: str = "",
        force: bool = False,
        buckets: list[Bucket] | None = None,
    ) -> Steps[str]:
        """Start a job of this kind; its id.

        Args:
            daemon_id: the target to run on; all when empty.
            force: even if conditions advise against it.
            buckets: those it works on; all when there are none.
        """
        arguments = JobArgs(kind=self._job_kind, daemon_id=daemon_id)
        models = [
            BucketModel(name=b.name, provider=b.provider.value, namespace=b.namespace)
            for b in buckets or ()
        ]
        if len(models) == 1:
            arguments.bucket = models[0]
        elif models:
            arguments.buckets = models
        response = yield self._client.ask(
            const.HTTP_METHOD_PUT,
            path=const.URL_PATH_CLUSTER,
            json=action(const.ACT_START, arguments.as_dict()),
            params={const.QPARAM_FORCE: "true"} if force else {},
        )
        return response.text

    start_async = start.later()

    @twin
    def abort(self) -> Steps[None]:
        """Stop it, or all of its kind.

        Raises:
            ValueError: it has neither id nor kind.
        """
        if not self._job_id and not self._job_kind:
            raise ValueError("Cannot abort a job without an id or kind")
        arguments = JobArgs(id=self._job_id, kind=self._job_kind)
        yield self._client.ask(
            const.HTTP_METHOD_PUT,
            path=const.URL_PATH_CLUSTER,
            json=action(const.ACT_XACT_STOP, arguments.as_dict()),
        )

    abort_async = abort.later()

    @twin
    def get_within_timeframe(
        self, start_time: datetime, end_time: datetime | None = None
    ) -> Steps[list[JobSnap]]:
        """Snapshots of what began at `start_time` or later and, if it is given, had ended at `end_time`. Times have zones.

        Raises:
            JobInfoNotFound: there are none.
        """
        details = yield from inner(self.get_details)
        found = [
            snap
            for snap in details.list_snapshots()
            if (snap.id == self._job_id or snap.kind == self._job_kind)
            and parse_time(snap.start_time) >= start_time
            and (end_time is None or parse_time(snap.end_time) <= end_time)
        ]
        if not found:
            raise JobInfoNotFound("No relevant job info found")
        return found

    get_within_timeframe_async = get_within_timeframe.later()

    @twin
    def get_details(self) -> Steps[AggregatedJobSnap]:
        """What all targets say of it."""
        return (
            yield self._client.ask_model(
                const.HTTP_METHOD_GET,
                path=const.URL_PATH_CLUSTER,
                res_model=AggregatedJobSnap,
                json=JobArgs(id=self._job_id, kind=self._job_kind).as_dict(),
                params={const.QPARAM_WHAT: const.WHAT_QUERY_XACT_STATS},
            )
        )

    get_details_async = get_details.later()

    @twin
    def get_total_time(self) -> Steps[timedelta | None]:
        """From the first beginning to the last end; None while some target is at it."""
        details = yield from inner(self.get_details)
        snaps = details.list_snapshots()
        if not snaps or not all(snap.has_ended for snap in snaps):
            return None
        try:
            starts = [parse_time(snap.start_time) for snap in snaps if snap.start_time]
            return max(parse_time(snap.end_time) for snap in snaps) - min(starts)
        except ValueError as error:
            logger.error("Job '%s' has no readable times: %s", self._job_id, error)
            return None

    get_total_time_async = get_total_time.later()

    @twin
    def progress(self) -> Steps[JobStats]:
        """What it has done so far, on all targets."""
        details = yield from inner(self.get_details)
        return _total(details.list_snapshots())

    progress_async = progress.later()
