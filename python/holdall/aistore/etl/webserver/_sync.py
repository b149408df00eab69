"""The contract of transformers for servers with a thread per request, whatever they read requests with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ...const import (
    ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT,
    HEADER_ETL_RETRY_REASON,
    HEADER_NODE_URL,
    STATUS_BAD_GATEWAY,
    STATUS_INTERNAL_SERVER_ERROR,
    STATUS_OK,
    STATUS_SERVICE_UNAVAILABLE,
)
from ...errors import ETLDirectPutTransientError, InvalidPipelineError
from .base_etl_server import CountingIterator, ETLServer, pause_before, replayable_retries
from .utils import compose_etl_direct_put_url, parse_etl_pipeline

Delivered = tuple[int, bytes, int]
"""Status and body for the previous stage, and how many bytes were delivered."""


@dataclass
class Request:
    """A content to be transformed."""

    is_get: bool
    path: str
    """As the subclass gets it."""
    decoded_path: str
    """Not percent-encoded, for the next stage."""
    source_url: str
    """Where the content is fetched from, with GET."""
    fqn: str
    etl_args: str
    pipeline: str | None
    body: Callable[[], BinaryIO]
    """The content that was sent, with PUT; to be read once."""


@dataclass
class Reply:
    """What is answered."""

    status: int
    content: bytes | Iterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    is_error: bool = False


class ResponseReader:
    """The body of a reply as a file object. Closing it gives the connection back, which closing the body would not."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._raw = response.raw

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        """Read."""
        data: bytes = self._raw.read(*args, **kwargs)
        return data

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def opened(session: Any, url: str) -> ResponseReader:
    """The content at a URL, to be read."""
    response = session.get(url, stream=True, timeout=None)
    try:
        response.raise_for_status()
    except BaseException:
        response.close()
        raise
    return ResponseReader(response)


class SyncETLServer(ETLServer):
    """A transformer with a thread per request."""

    def answer(self, request: Request) -> Reply:
        """Transform a content and deliver it; failures become answers."""
        try:
            return self._answer(request)
        except Exception as error:
            return self._failure(request, error)

    def _answer(self, request: Request) -> Reply:
        stage, rest = parse_etl_pipeline(request.pipeline)
        if self.use_streaming:
            if stage:
                return self._delivered(self._direct_put_stream_with_retry(stage, request, rest))
            reader = self._get_stream_reader(request)
            try:
                pieces = self.transform_stream(reader, request.path, request.etl_args)
            except BaseException:
                self.close_reader(reader)
                raise
            return Reply(STATUS_OK, self.iter_and_close(pieces, reader))
        result = self.transform(self._source(request), request.path, request.etl_args)
        if stage:
            return self._delivered(self._direct_put_with_retry(stage, result, request, rest))
        return Reply(STATUS_OK, result)

    def _delivered(self, outcome: Delivered) -> Reply:
        status, body, length = outcome
        return Reply(status, body, self.make_direct_put_headers(length))

    def _source(self, request: Request) -> bytes | str:
        if request.fqn:
            file = self.sanitize_fqn(request.fqn)
            return file if self.direct_fqn else Path(file).read_bytes()
        if request.is_get:
            response = self.session.get(request.source_url, timeout=None)
            response.raise_for_status()
            return bytes(response.content)
        return request.body().read()

    def _get_stream_reader(self, request: Request) -> Any:
        if request.fqn:
            return Path(self.sanitize_fqn(request.fqn)).open("rb")
        if not request.is_get:
            return request.body()
        return opened(self.session, request.source_url)

    def _direct_put_with_retry(
        self, stage: str, data: bytes, request: Request, rest: str
    ) -> Delivered:
        for attempt in range(self.direct_put_retries):
            try:
                return self._direct_put(stage, data, request, rest)
            except ETLDirectPutTransientError as error:
                self._pause(attempt, error)
        return self._direct_put(stage, data, request, rest)

    def _direct_put_stream_with_retry(self, stage: str, request: Request, rest: str) -> Delivered:
        replayable, retries = replayable_retries(
            request.fqn, request.is_get, self.direct_put_retries
        )
        for attempt in range(retries + 1):
            reader = self._get_stream_reader(request)
            try:
                pieces = self.transform_stream(reader, request.path, request.etl_args)
                return self._direct_put_stream(stage, pieces, request, rest)
            except ETLDirectPutTransientError as error:
                if attempt == retries:
                    # Only the cluster has the content still: it is told to send it again.
                    error.bail_without_local_retry = not replayable
                    raise
                self._pause(attempt, error)
            finally:
                self.close_reader(reader)
        raise AssertionError("the last attempt returns or raises")

    def _pause(self, attempt: int, error: Exception) -> None:
        delay = pause_before(attempt)
        self.logger.warning(
            "delivery %d of %d failed, once more in %.1f s: %s",
            attempt + 1,
            self.direct_put_retries + 1,
            delay,
            error,
        )
        time.sleep(delay)

    def _direct_put(self, stage: str, data: bytes, request: Request, rest: str) -> Delivered:
        url, headers = self._next_stage(stage, request, rest)
        try:
            response = self.client_put(url, data, headers=headers)
            return self.handle_direct_put_response(response, data)
        except Exception as error:
            return self._undelivered(url, error)

    def _direct_put_stream(
        self, stage: str, pieces: Iterator[bytes], request: Request, rest: str
    ) -> Delivered:
        url, headers = self._next_stage(stage, request, rest)
        counted = CountingIterator(pieces)
        try:
            response = self.client_put(url, counted, headers=headers)
            return self.handle_direct_put_response(response, b"", data_length=counted.bytes_sent)
        except Exception as error:
            return self._undelivered(url, error)

    def _next_stage(self, stage: str, request: Request, rest: str) -> tuple[str, dict[str, str]]:
        url = compose_etl_direct_put_url(
            stage, self.host_target, request.decoded_path, request.etl_args
        )
        return url, {HEADER_NODE_URL: rest} if rest else {}

    def _undelivered(self, url: str, error: Exception) -> Delivered:
        import requests

        transient = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
        text = f"direct_put to {url!r} failed: {type(error).__name__}: {error}"
        if isinstance(error, transient):
            if not refused(error):
                raise ETLDirectPutTransientError(url, error) from error
            # Nobody listens there, and nobody will in a moment.
            self.logger.error(text)
            return STATUS_BAD_GATEWAY, text.encode(), 0
        self.logger.exception(text)
        return STATUS_INTERNAL_SERVER_ERROR, text.encode(), 0

    def _failure(self, request: Request, error: Exception) -> Reply:
        import requests

        status, text, headers = failure(
            self,
            request.path,
            error,
            refusals=(requests.HTTPError,),
            of_network=(requests.RequestException,),
            unreached="Error contacting AIS target",
        )
        return Reply(status, text.encode(), headers, is_error=True)


def failure(
    server: ETLServer,
    path: str,
    error: Exception,
    *,
    refusals: tuple[type[Exception], ...],
    of_network: tuple[type[Exception], ...],
    unreached: str,
) -> tuple[int, str, dict[str, str]]:
    """Status, text and headers of the answer when a content could not be transformed or delivered; it is logged.

    Args:
        server: The transformer.
        path: The content's path.
        error: What went wrong.
        refusals: Exceptions of the transport for answers that refuse; they have the answer as ``response``.
        of_network: Its other exceptions.
        unreached: The words for those.
    """
    headers = {}
    if isinstance(error, InvalidPipelineError):
        status, text = 400, f"Invalid pipeline header: {error}"
    elif isinstance(error, FileNotFoundError):
        missing = error.filename or path
        status, text = 404, f"Error processing object {path!r}: file not found at {missing!r}."
    elif isinstance(error, ETLDirectPutTransientError):
        if error.bail_without_local_retry:
            status, text = STATUS_SERVICE_UNAVAILABLE, f"Direct put bailed: {error}"
            headers = {HEADER_ETL_RETRY_REASON: ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT}
        else:
            status, text = STATUS_BAD_GATEWAY, f"Direct put failed after retries: {error}"
    elif isinstance(error, refusals):
        response = getattr(error, "response", None)
        status = STATUS_BAD_GATEWAY if response is None else response.status_code
        text = "Target request failed"
    elif isinstance(error, of_network):
        status, text = STATUS_BAD_GATEWAY, f"{unreached}: {error}"
    else:
        server.logger.exception("transforming %s failed", path)
        return STATUS_INTERNAL_SERVER_ERROR, f"Processing error: {error}", {}
    server.logger.error("%s: %s", path, text)
    return status, text, headers


def refused(error: BaseException) -> bool:
    """Whether the cause of it all is that nobody listens."""
    todo: list[Any] = [error]
    for _ in range(16):
        if not todo:
            return False
        cause = todo.pop()
        if isinstance(cause, ConnectionRefusedError):
            return True
        inner = [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
        inner += [*cause.args, *getattr(cause, "exceptions", ())]
        todo += [c for c in inner if isinstance(c, BaseException)]
    return False
