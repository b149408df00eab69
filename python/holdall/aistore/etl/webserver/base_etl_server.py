"""What all transformers have in common."""

from __future__ import annotations

import logging
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO
from urllib.parse import unquote

from ...const import (
    AIS_AUTHN_TOKEN,
    AIS_DIRECT_PUT_RETRIES,
    HEADER_DIRECT_PUT_LENGTH,
    STATUS_NO_CONTENT,
    STATUS_OK,
)
from ...utils import parse_bool

RETRY_BACKOFF_BASE = 2.0
"""Seconds between the first and the second repetition of a delivery; each pause is this times longer."""

RETRY_BACKOFF_MAX = 30.0
"""The longest pause, in seconds."""

DRAIN_CHUNK_BYTES = 64 << 10
"""How much of a body that nobody wants is read at once."""


def pause_before(attempt: int) -> float:
    """Seconds to wait after so many failures but one."""
    return min(RETRY_BACKOFF_BASE**attempt, RETRY_BACKOFF_MAX)


class ETLServer(ABC):
    """A transformer: a web server that transforms contents.

    A subclass has ``transform``, or ``transform_stream`` for contents that are not to be held in memory; where it has both,
    ``transform`` is used. One that has a constructor calls that of its base.

    What the cluster says is read from the environment: ``AIS_TARGET_URL``, where contents are fetched from;
    ``DIRECT_PUT`` and ``ETL_DIRECT_FQN``, as of ``Etl.init``; ``AIS_AUTHN_TOKEN``, shown to targets; and
    ``AIS_DIRECT_PUT_RETRIES`` (3), how often a delivery is repeated. Certificates are those of ``Client``:
    ``AIS_CLIENT_CA``, ``AIS_CRT``, ``AIS_CRT_KEY``, ``AIS_SKIP_VERIFY_CRT``.

    Attributes:
        host_target: The URL at which the target is reached.
        session: A session of ``requests`` with the token and the certificates.
        logger: Logs to standard output, where the cluster collects it.

    Raises:
        OSError: When ``AIS_TARGET_URL`` is not set.
        TypeError: When the class has neither method.
    """

    def __init__(self) -> None:
        _raise_file_limit()
        self.host_target = os.environ.get("AIS_TARGET_URL", "")
        if not self.host_target:
            raise OSError("Environment variable 'AIS_TARGET_URL' must be set.")
        self.direct_put = parse_bool(os.environ.get("DIRECT_PUT"))
        self.direct_fqn = parse_bool(os.environ.get("ETL_DIRECT_FQN"))
        self.direct_put_retries = int(os.environ.get(AIS_DIRECT_PUT_RETRIES, "3"))
        self.token = os.environ.get(AIS_AUTHN_TOKEN)
        self.session = self._build_session()
        logging.basicConfig(
            level=logging.INFO,
            format="%(asctime)s - %(name)s - %(levelname)s - %(message)s",
            stream=sys.stdout,
        )
        self.logger = logging.getLogger(type(self).__name__)
        self.logger.setLevel(logging.INFO)
        buffered = type(self).transform is not ETLServer.transform
        streaming = type(self).transform_stream is not ETLServer.transform_stream
        if not (buffered or streaming):
            raise TypeError(
                f"{type(self).__name__} must override either transform() or transform_stream()"
            )
        self.use_streaming = not buffered

    def _build_session(self) -> Any:
        try:
            import requests
        except ImportError as error:
            raise ImportError(
                "transformers send requests with requests: pip install 'holdall[etl]'"
            ) from error
        from ...session_manager import resolve_ssl_config

        session = requests.Session()
        session.verify, session.cert = resolve_ssl_config()
        if self.token:
            session.headers["Authorization"] = f"Bearer {self.token}"
        return session

    def transform(self, data: bytes | str, path: str, etl_args: str) -> bytes:
        """Transform a content.

        Args:
            data: The content; with ``ETL_DIRECT_FQN``, in the first stage, the path of its file.
            path: Bucket and object, ``bucket/object``.
            etl_args: The request's arguments.

        Returns:
            The result.
        """
        raise NotImplementedError("Subclass must override either transform() or transform_stream()")

    def transform_stream(self, reader: BinaryIO, path: str, etl_args: str) -> Iterator[bytes]:
        """Transform a content piece by piece.

        Args:
            reader: The content as a file object.
            path: Bucket and object, ``bucket/object``.
            etl_args: The request's arguments.

        Yields:
            Pieces of the result.
        """
        raise NotImplementedError("Subclass must override either transform() or transform_stream()")

    @abstractmethod
    def start(self) -> None:
        """Serve, until the process is told to end."""

    def get_mime_type(self) -> str:
        """The media type of results."""
        return "application/octet-stream"

    def client_put(
        self, url: str, data: Any, headers: dict[str, str], timeout: float | None = None
    ) -> Any:
        """Send a result to the next stage."""
        return self.session.put(url, data=data, timeout=timeout, headers=headers)

    def handle_direct_put_response(
        self, resp: Any, data: bytes, data_length: int = -1
    ) -> tuple[int, bytes, int]:
        """What the answer of the next stage means to the previous one.

        Args:
            resp: The answer.
            data: What was delivered.
            data_length: How much that was, where ``data`` does not say.

        Returns:
            Status, body, and how many bytes were delivered in the end.
        """
        if resp.status_code == STATUS_NO_CONTENT:
            return resp.status_code, b"", int(resp.headers.get(HEADER_DIRECT_PUT_LENGTH, "0"))
        if resp.status_code == STATUS_OK:
            if resp.content:
                # The last transformer of a pipeline that delivers to nobody: its result goes back the same way.
                return resp.status_code, resp.content, 0
            return STATUS_NO_CONTENT, b"", data_length if data_length >= 0 else len(data)
        self.logger.error(
            "Direct put failed to %s: HTTP %s - %s", resp.url, resp.status_code, resp.content
        )
        return resp.status_code, resp.content, 0

    def sanitize_fqn(self, fqn: str) -> str:
        """The path of a target's file, absolute and without ways up."""
        return os.path.normpath(os.path.join("/", unquote(fqn).lstrip("/")))

    @staticmethod
    def close_reader(reader: Any) -> None:
        """Close what may be closed."""
        try:
            close = getattr(reader, "close", None)
            if close is not None:
                close()
        except Exception:
            logging.getLogger(__name__).debug("a reader could not be closed", exc_info=True)

    @staticmethod
    def iter_and_close(output_iter: Iterable[bytes], reader: Any) -> Iterator[bytes]:
        """The pieces; the reader is closed at their end."""
        try:
            yield from output_iter
        finally:
            ETLServer.close_reader(reader)

    @staticmethod
    def make_direct_put_headers(direct_put_length: int) -> dict[str, str]:
        """Headers that say how much was delivered."""
        if direct_put_length == 0:
            return {}
        return {HEADER_DIRECT_PUT_LENGTH: str(direct_put_length)}


class CountingIterator:
    """Pieces that pass, and how many bytes they were: ``bytes_sent``."""

    def __init__(self, inner: Iterable[bytes]) -> None:
        self._inner = inner
        self.bytes_sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            self.bytes_sent += len(chunk)
            yield chunk


def _raise_file_limit() -> None:
    """Containers often allow 1,024 open files, and every request has two."""
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def replayable_retries(fqn: str, is_get: bool, retries: int) -> tuple[bool, int]:
    """Whether a content can be read again, and so how often a delivery may be repeated.

    A file can be opened and an object fetched once more; the body of a request is gone once it was read.
    """
    replayable = bool(fqn) or is_get
    return replayable, retries if replayable else 0
