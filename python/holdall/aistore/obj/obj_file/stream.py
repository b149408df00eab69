"""A stream that goes on where it broke off."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from ...errors import NetworkError
from ...utils import get_logger
from ..content_iterator.base import StreamBounds
from .errors import ObjectFileReaderMaxResumeError, ObjectFileReaderUnexpectedEOF

if TYPE_CHECKING:
    from ..content_iterator.base import BaseContentIterProvider

logger = get_logger(__name__)

STREAM_ERRORS = (NetworkError,)
"""After what a stream is continued."""


class ResumableStream:
    """Iterates over content, and asks anew when it breaks off.

    It goes on by a range where the object is in the cluster; otherwise from the beginning, and what was delivered is
    passed over.

    Args:
        content_provider: makes the iterators.
        max_resume: how often it may be continued.
    """

    def __init__(self, content_provider: BaseContentIterProvider, max_resume: int) -> None:
        self._provider = content_provider
        self._max_resume = max_resume
        self._pieces: Generator[bytes, None, None] | None = None
        self.restart()

    @property
    def path(self) -> str:
        """Path of the object in requests."""
        return self._provider.client.path

    @property
    def delivered_position(self) -> int:
        """Bytes that were delivered."""
        return self._delivered

    @property
    def resumes(self) -> int:
        """How often it was continued."""
        return self._resumes

    def restart(self) -> None:
        """Begin anew."""
        self._delivered = 0
        self._resumes = 0
        self._open(0)

    def _open(self, offset: int) -> None:
        self.close()
        self._bounds = StreamBounds()
        self._pieces = self._provider.create_iter(offset=offset, bounds=self._bounds)
        self._consumed = 0

    def close(self) -> None:
        """Give up what is on its way."""
        if self._pieces is not None:
            self._pieces.close()

    def __iter__(self) -> ResumableStream:
        return self

    def __next__(self) -> memoryview:
        while True:
            try:
                piece = next(self._pieces)  # type: ignore[arg-type]
            except STREAM_ERRORS as error:
                self._resume(error)
                continue
            except StopIteration:
                end = self._missing()
                if end is None:
                    raise
                self._resume(ObjectFileReaderUnexpectedEOF(self._position, end))
                continue
            begin = self._position
            self._consumed += len(piece)
            fresh = memoryview(piece)[max(self._delivered - begin, 0) :]
            if fresh:
                self._delivered += len(fresh)
                return fresh

    @property
    def _position(self) -> int:
        return self._bounds.start + self._consumed

    def _missing(self) -> int | None:
        """Where it has to end, unless it has."""
        end = self._bounds.expected_end
        if self._position < self._delivered:
            end = max(end or 0, self._delivered)
        return end if end is not None and self._position < end else None

    def _resume(self, error: Exception) -> None:
        self._resumes += 1
        if self._resumes > self._max_resume:
            raise ObjectFileReaderMaxResumeError(error, self._resumes) from error
        logger.warning(
            "reading '%s' is continued (%d of %d) after: %s",
            self.path,
            self._resumes,
            self._max_resume,
            error,
        )
        by_range = self._provider.client.can_get_at_offset()
        self._open(self._delivered if by_range else 0)
