"""Exceptions of holdall.

Every exception has the attributes

* ``kind``: a stable machine-readable name (``"not_found"``, ``"timeout"``, ...),
* ``operation``: what was attempted (``"get"``),
* ``target``: the URL of the object or the store, without credentials,
* ``status``: the HTTP status of the reply, or None,
* ``retryable``: whether the same call may succeed later.

They also derive from the builtin exception of the same meaning, so that ``except FileNotFoundError`` works.
"""

from __future__ import annotations

import errno as _errno

__all__ = [
    "AlreadyExistsError",
    "BaseError",
    "ConfigError",
    "ConnectError",
    "CorruptReplyError",
    "GenericError",
    "InvalidArgumentError",
    "InvalidPathError",
    "InvalidUrlError",
    "JoinError",
    "NotFoundError",
    "NotModifiedError",
    "NotSupportedError",
    "PermissionDeniedError",
    "PreconditionError",
    "StalledError",
    "StoreNotFoundError",
    "TransferError",
    "UnauthenticatedError",
    "UnknownConfigurationKeyError",
]


class _Target:
    """The file name of an error of the system, unless the error says otherwise: it is kept once."""

    def __get__(self, error: BaseError | None, cls: type[BaseError]) -> str | None:
        return None if error is None else getattr(error, "filename", None)


class BaseError(Exception):
    """Any error of holdall."""

    kind: str = "other"
    operation: str | None = None
    # Not a property: what an error keeps under this name comes first.
    target: str | None = _Target()  # type: ignore[assignment]
    status: int | None = None
    retryable: bool = False
    _message: str | None = None

    def __str__(self) -> str:
        message = self._message
        # The text of an error of the system is its message; Python would add number and name to it.
        if message is None and self.operation is not None:
            message = getattr(self, "strerror", None)
        return message if message is not None else super().__str__()

    def __reduce__(self):
        args = self.args
        # Errors of the system take their file name apart from the other arguments.
        if isinstance(self, OSError) and len(args) == 2 and self.filename is not None:
            args = (*args, self.filename)
        return _rebuild, (type(self), args, self.__dict__.copy())


def _rebuild(cls, args, state):
    error = cls(*args)
    error.__dict__.update(state)
    return error


class GenericError(BaseError, OSError):
    """A failure that no other class describes."""


class NotFoundError(BaseError, FileNotFoundError):
    """There is no object, bucket or version of that name."""

    kind = "not_found"


class StoreNotFoundError(NotFoundError, GenericError):
    """The directory of a store does not exist."""


class InvalidPathError(BaseError, ValueError):
    """The key is not one that a store can hold."""

    kind = "invalid_path"


class InvalidArgumentError(BaseError, ValueError):
    """An argument is out of its range."""

    kind = "invalid_argument"


class InvalidUrlError(GenericError, ValueError):
    """The URL does not follow the grammar, or names an unknown scheme."""

    kind = "invalid_url"


class ConfigError(GenericError, ValueError):
    """A configuration value, or a combination of values, is wrong."""

    kind = "config"


class JoinError(BaseError):
    """A background task ended abnormally."""

    kind = "join"


class NotSupportedError(BaseError, NotImplementedError):
    """The store, or its service, has no such operation or option."""

    kind = "not_supported"


class AlreadyExistsError(BaseError, FileExistsError):
    """The target exists and was not to be replaced."""

    kind = "already_exists"


class PreconditionError(BaseError):
    """A condition did not hold: the object has changed."""

    kind = "precondition"


class NotModifiedError(BaseError):
    """The object has not changed."""

    kind = "not_modified"


class PermissionDeniedError(BaseError, PermissionError):
    """The credentials are known but may not do this."""

    kind = "permission_denied"


class UnauthenticatedError(BaseError):
    """The credentials are missing, expired, or could not be obtained."""

    kind = "unauthenticated"


class UnknownConfigurationKeyError(BaseError):
    """A configuration key is not known to the store."""

    kind = "unknown_configuration_key"


class ConnectError(GenericError, ConnectionError):
    """The service could not be reached."""

    kind = "connection"


class StalledError(GenericError, TimeoutError):
    """Nothing moved for longer than the configured time."""

    kind = "timeout"


class CorruptReplyError(GenericError):
    """The reply contradicts itself or the request."""

    kind = "corrupt"


class TransferError(BaseError):
    """Some objects of a transfer failed; the others are in their place.

    ``result`` says what became of each; the first failure is the ``__cause__``.
    """

    kind = "transfer"

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message, result)
        self._message = message
        self.result = result


_CLASSES = {
    "not_found": NotFoundError,
    "already_exists": AlreadyExistsError,
    "precondition": PreconditionError,
    "not_modified": NotModifiedError,
    "permission_denied": PermissionDeniedError,
    "unauthenticated": UnauthenticatedError,
    "not_supported": NotSupportedError,
    "invalid_path": InvalidPathError,
    "invalid_argument": InvalidArgumentError,
    "invalid_url": InvalidUrlError,
    "unknown_configuration_key": UnknownConfigurationKeyError,
    "config": ConfigError,
    "connection": ConnectError,
    "timeout": StalledError,
    "corrupt": CorruptReplyError,
    "join": JoinError,
}

_ERRNO = {
    "not_found": _errno.ENOENT,
    "already_exists": _errno.EEXIST,
    "permission_denied": _errno.EACCES,
    "timeout": _errno.ETIMEDOUT,
}

_NUMBERS = {
    cls: _errno.EIO for cls in (*_CLASSES.values(), GenericError) if issubclass(cls, OSError)
}
_NUMBERS[StoreNotFoundError] = _errno.ENOENT


def _spec(kind: str, operation: str) -> tuple[type[BaseError], int | None]:
    """Return the class of an error, and its number where it is an OSError."""
    cls = _CLASSES.get(kind, GenericError)
    if kind == "not_found" and operation == "open":
        cls = StoreNotFoundError
    number = _NUMBERS.get(cls)
    return cls, None if number is None else _ERRNO.get(kind, number)


def _make(
    kind: str,
    message: str,
    operation: str,
    target: str,
    status: int | None,
    retryable: bool,
) -> BaseError:
    """Make an exception from the facts, as the native module does."""
    cls, number = _spec(kind, operation)
    if number is None:
        error = cls(message)
        error.target = target
    else:
        error = cls(number, message, target)
    # What is as the class says is not said again: programs that try and see meet many of these.
    if cls.kind != kind:
        error.kind = kind
    error.operation = operation
    if status is not None:
        error.status = status
    if retryable:
        error.retryable = True
    return error
