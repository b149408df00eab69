"""What goes wrong with objects as files."""

from __future__ import annotations


class ObjectFileReaderMaxResumeError(Exception):
    """The stream broke off more often than it may.

    Args:
        err: what went wrong last.
        max_retries: how often it was to be continued.
    """

    def __init__(self, err: Exception, max_retries: int) -> None:
        self.original_error = err
        super().__init__(
            f"ObjectFileReader exceeded max number of stream resumptions: {max_retries}"
        )


class ObjectFileReaderUnexpectedEOF(Exception):
    """The stream ended before its end.

    Args:
        actual: the byte where it ended.
        expected: where it had to end.
    """

    def __init__(self, actual: int, expected: int) -> None:
        self.actual = actual
        self.expected = expected
        super().__init__(f"Object stream ended early at byte {actual}; expected byte {expected}")


class ObjectFileReaderStreamError(Exception):
    """There is no stream."""

    def __init__(self, err: Exception) -> None:
        self.original_error = err
        super().__init__("ObjectFileReader failed to establish stream connection")


ObjectFileStreamError = ObjectFileReaderStreamError
ObjectFileMaxResumeError = ObjectFileReaderMaxResumeError
