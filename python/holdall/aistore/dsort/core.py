"""dSort jobs."""

from __future__ import annotations

import json
import logging
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from .._twin import Steps, blocking, inner, nap, twin
from ..const import (
    DEFAULT_DSORT_WAIT_TIMEOUT,
    DSORT_ABORT,
    DSORT_UUID,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
    URL_PATH_DSORT,
)
from ..errors import Timeout
from ..request_client import RequestClient
from ..utils import validate_file
from ..wait_result import WaitResult
from .ekm import EKM_FILE_NAME, ExternalKeyMap
from .framework import DsortFramework, read_spec
from .types import JobInfo

logger = logging.getLogger(__name__)

# A job of a few shards is done in milliseconds; one of hours is asked about once a second.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0


class Dsort:
    """A dSort job.

    Args:
        client: The client that sends the requests.
        dsort_id: The id of a job that runs already; `start` sets that of a new one.
    """

    def __init__(self, client: RequestClient, dsort_id: str = "") -> None:
        self._client = client
        self._dsort_id = dsort_id

    @property
    def dsort_id(self) -> str:
        """The job's id; empty before it is started."""
        return self._dsort_id

    @twin
    def start(self, spec: str | Path | DsortFramework) -> Steps[str]:
        """Start a job.

        Args:
            spec: A `DsortFramework`, or a path to JSON or YAML that is sent as it is.

        Returns:
            The job's id.

        Raises:
            ValueError: When the file is not there, is of another kind, or is not a mapping.
            AISError: When the cluster refuses, or has no dSort.
        """
        if isinstance(spec, DsortFramework):
            message = spec.to_spec()
            if isinstance(spec.output_shards.format, ExternalKeyMap):
                message |= yield from self._put_key_map(spec)
        elif isinstance(spec, str | Path):
            validate_file(spec)
            message = read_spec(spec, "Specification must be a JSON or YAML file")
            if not isinstance(message, dict):
                raise ValueError("Specification must contain a mapping")
        else:
            raise ValueError("spec must be a Path or a DsortFramework instance")
        response = yield self._client.ask(HTTP_METHOD_POST, path=URL_PATH_DSORT, json=message)
        self._dsort_id = str(response.text)
        return self._dsort_id

    start_async = start.later()

    def _put_key_map(self, job: DsortFramework) -> Steps[dict[str, Any]]:
        """The cluster fetches key maps by URL, so this one becomes an object."""
        from ..bucket import Bucket

        key_map: Any = job.output_shards.format
        bucket = Bucket(name=job.input_shards.bck.name, client=self._client)
        target = bucket.object(EKM_FILE_NAME)
        content = json.dumps(key_map.as_dict()).encode()
        yield blocking(target.get_writer().put_content, content)
        return {"ekm_file": target.get_url(), "ekm_file_sep": ""}

    @twin
    def abort(self) -> Steps[None]:
        """Stop the job."""
        yield self._client.ask(
            HTTP_METHOD_DELETE,
            path=f"{URL_PATH_DSORT}/{DSORT_ABORT}",
            params={DSORT_UUID: self._dsort_id},
        )

    abort_async = abort.later()

    @twin
    def get_job_info(self) -> Steps[dict[str, JobInfo]]:
        """How far each target is, by its id."""
        return (
            yield self._client.ask_model(
                HTTP_METHOD_GET,
                path=URL_PATH_DSORT,
                res_model=dict[str, JobInfo],
                params={DSORT_UUID: self._dsort_id},
            )
        )

    get_job_info_async = get_job_info.later()

    @twin
    def wait(
        self, timeout: int = DEFAULT_DSORT_WAIT_TIMEOUT, verbose: bool = True
    ) -> Steps[WaitResult]:
        """Wait for the end of the job.

        Args:
            timeout: Most seconds.
            verbose: Whether a job that does not end in time is logged with what it tells.

        Returns:
            How it ended; true when it succeeded.

        Raises:
            Timeout: When it does not end in time.
        """
        deadline = time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while True:
            infos = yield from inner(self.get_job_info)
            result = self._outcome(list(infos.values()))
            if result is not None:
                return result
            if time.monotonic() >= deadline:
                if verbose:
                    logger.error("dsort job '%s' did not end: %s", self._dsort_id, infos)
                raise Timeout(f"dsort job '{self._dsort_id}'", f"after {timeout}s")
            yield nap(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 2, _LONGEST_PAUSE)

    wait_async = wait.later()

    def _outcome(self, infos: list[JobInfo]) -> WaitResult | None:
        aborted = any(info.metrics.aborted or info.aborted for info in infos)
        finished = bool(infos) and all(info.metrics.shard_creation.finished for info in infos)
        if not (aborted or finished):
            return None
        failures = (text for info in infos for text in info.metrics.errors or [] if text)
        ends = [datetime.fromisoformat(info.finish_time) for info in infos if info.finish_time]
        return WaitResult(
            job_id=self._dsort_id,
            success=finished and not aborted,
            error=next(failures, None),
            end_time=max(ends) if finished and ends else None,
        )
