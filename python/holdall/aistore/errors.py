"""Exceptions of AIStore's clients.

What the server refused is an `AISError`, or one of the classes below it that say what is missing or in the way. What
stood in the way of the network is a `NetworkError`. All of them have

* ``kind``: a stable machine-readable name (``"bucket_not_found"``, ``"timeout"``, …),
* ``operation`` and ``target``: what was attempted, on what,
* ``status``: the HTTP status of the reply, or None,
* ``retryable``: whether the same call may succeed later.

A program that has imported ``requests`` can go on catching ``requests.exceptions``: errors of the network are then of
its classes, too.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = [
    "AISError",
    "AISRetryableError",
    "APIRequestError",
    "BrokenStream",
    "ConnectFailed",
    "ConnectTimeout",
    "ETLDirectPutTransientError",
    "ErrBckAlreadyExists",
    "ErrBckNotFound",
    "ErrETLAlreadyExists",
    "ErrETLNotFound",
    "ErrGETConflict",
    "ErrObjNotFound",
    "ErrRemoteBckNotFound",
    "InvalidBckProvider",
    "InvalidObjectRangeIndex",
    "InvalidPipelineError",
    "InvalidURLException",
    "JobInfoNotFound",
    "NetworkError",
    "NoTargetError",
    "ReadTimeout",
    "Timeout",
    "UnexpectedHTTPStatusCode",
]

_KINDS = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    405: "not_supported",
    408: "timeout",
    409: "conflict",
    412: "precondition",
    416: "range",
    423: "conflict",
    429: "busy",
    501: "not_supported",
    503: "busy",
    504: "timeout",
    507: "no_space",
}


class APIRequestError(Exception):
    """A request that a server refused.

    Args:
        status_code: HTTP status.
        message: the body of the reply as it came; of a HEAD, which has none, empty.
        req_url: the URL that was asked.
        req: the request (``method``, ``url``, ``headers``), if known.
    """

    kind = "other"
    operation: str | None = None
    target: str | None = None

    def __init__(self, status_code: int, message: str, req_url: str = "", req: Any = None) -> None:
        self.status_code = status_code
        self.message = message
        self.req_url = req_url
        self.req = req
        if type(self).kind == "other" and status_code in _KINDS:
            self.kind = _KINDS[status_code]
        super().__init__(f"STATUS:{status_code}, MESSAGE:{message}, REQ_URL:{req_url}")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.status_code

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.status_code in (408, 429, 502, 503, 504)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status_code, self.message, self.req_url), {}


class AISError(APIRequestError):
    """A request that an AIStore cluster refused."""


class AISRetryableError(AISError):
    """A refusal that may go away by itself."""


class ErrRemoteBckNotFound(AISError):
    """There is no such bucket in the cloud, or in the other cluster."""

    kind = "remote_bucket_not_found"


class ErrBckNotFound(AISError):
    """There is no such bucket."""

    kind = "bucket_not_found"


class ErrObjNotFound(AISRetryableError):
    """There is no such object."""

    kind = "object_not_found"


class ErrBckAlreadyExists(AISError):
    """There is such a bucket already."""

    kind = "bucket_exists"


class ErrETLAlreadyExists(AISError):
    """There is such an ETL already."""

    kind = "etl_exists"


class ErrETLNotFound(AISError):
    """There is no such ETL."""

    kind = "etl_not_found"


class ErrGETConflict(AISRetryableError):
    """The object is being written to the cluster by somebody else."""

    kind = "conflict"


class NetworkError(OSError):
    """No usable reply: the server could not be reached, fell silent, or broke off."""

    kind = "connection"
    operation: str | None = None
    target: str | None = None
    status: int | None = None
    retryable = True
    _requests: tuple[str, ...] = ("RequestException",)

    def __init__(self, message: str, request: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.request = request
        self.response = None

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        base = getattr(type(self), "_base", type(self))
        return _make_network_error, (base, self.message), {"kind": self.kind}


class ConnectFailed(NetworkError, ConnectionError):
    """The server could not be reached."""

    _requests = ("ConnectionError",)


class ConnectTimeout(ConnectFailed, TimeoutError):
    """There was no connection within the time-out."""

    kind = "timeout"
    _requests = ("ConnectTimeout",)


class ReadTimeout(NetworkError, TimeoutError):
    """Nothing came for longer than the time-out."""

    kind = "timeout"
    # A time-out in the middle of a body is a ConnectionError to requests.
    _requests = ("ReadTimeout", "ConnectionError")


class BrokenStream(NetworkError, ConnectionError):
    """The reply broke off, or is not what it says it is."""

    kind = "corrupt"
    _requests = ("ChunkedEncodingError", "ConnectionError")


_NETWORK = {
    "connection": ConnectFailed,
    "timeout": ReadTimeout,
    "corrupt": BrokenStream,
}
_mixed: dict[tuple[type, Any], type[NetworkError]] = {}


def _make_network_error(cls: type[NetworkError], message: str) -> NetworkError:
    """Make an error that is of the classes of ``requests``, too, where the program has that."""
    theirs = sys.modules.get("requests.exceptions")
    if theirs is None:
        return cls(message)
    mixed = _mixed.get((cls, theirs))
    if mixed is None:
        bases = tuple(getattr(theirs, name) for name in cls._requests)
        members = {"_base": cls, "__module__": __name__, "__qualname__": cls.__qualname__}
        mixed = type(cls.__name__, (cls, *bases), members)
        _mixed[cls, theirs] = mixed
    return mixed(message)


def _network_error(kind: str, message: str) -> Exception:
    """What the transport raises."""
    if kind in ("precondition", "redirect", "not_supported", "other", "no_space"):
        error = _make_network_error(NetworkError, message)
        error.retryable = False
        return error
    return _make_network_error(_NETWORK.get(kind, NetworkError), message)


def _refused(status: int, body: str, url: str, detail: str) -> APIRequestError:
    """What the transport raises for a refusal that no response handler sees."""
    from .response_handler import AISResponseHandler

    cls = AISResponseHandler._class_of(status, body or detail, "GET") or AISError
    return cls(status, body or detail, url)


class InvalidBckProvider(Exception):
    """The provider is unknown, or its buckets cannot do this."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        super().__init__(f"Invalid bucket provider: '{provider}'")


class Timeout(Exception):
    """Something took longer than the caller wanted to wait."""

    def __init__(self, action: str, message: str = "") -> None:
        super().__init__(f"Timed out while waiting for {action}. {message}")


class InvalidObjectRangeIndex(Exception):
    """The indices of an `ObjectRange` do not fit together."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Invalid argument provided for object range index: {message}")


class JobInfoNotFound(Exception):
    """The cluster knows nothing of the job."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Job information not found on the cluster: {message}")


class UnexpectedHTTPStatusCode(Exception):
    """A reply has another status than the protocol says."""

    def __init__(self, expected_status_codes: Any, received_status_code: int) -> None:
        expected = ", ".join(map(str, expected_status_codes))
        super().__init__(
            "Unexpected status code received. Expected one of the following: "
            f"{expected}, but received: {received_status_code}"
        )


class InvalidURLException(Exception):
    """The URL names no object."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"Invalid URL: '{url}'. Ensure it follows the format 'provider://bucket/object'."
        )


class NoTargetError(Exception):
    """The cluster map has no target that could have the object."""

    def __init__(self, total_nodes: int) -> None:
        super().__init__(f"No available targets in the cluster map. Total nodes: {total_nodes}")


class InvalidPipelineError(ValueError):
    """The header that names the next transformers cannot be read."""


class ETLDirectPutTransientError(Exception):
    """A transformer could not deliver its result because of the network.

    Args:
        url: where it was to be delivered.
        cause: what went wrong.
        bail_without_local_retry: the body cannot be sent twice, so the cluster should repeat the whole.
    """

    def __init__(self, url: str, cause: Exception, bail_without_local_retry: bool = False) -> None:
        self.url = url
        self.cause = cause
        self.bail_without_local_retry = bail_without_local_retry
        super().__init__(
            f"direct_put to {url!r} failed with transient error: {type(cause).__name__}({cause})"
        )
