"""Exceptions of `holdall.stac`.

All of them have a stable ``kind`` (``"content_type"``, ``"integrity"``, ...). What a store or the file system refuses is
raised as the exception of `holdall.exceptions` or the builtin of that meaning: a missing object is a
`FileNotFoundError` wherever it is.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from holdall import exceptions as _exceptions

__all__ = [
    "AssetOverwriteError",
    "AuthenticationError",
    "ConfigError",
    "ContentTypeError",
    "DocumentError",
    "DownloadError",
    "DownloadWarning",
    "HrefError",
    "HttpError",
    "IntegrityError",
    "PathEscapeError",
    "StacError",
    "TemplateError",
]


class StacError(Exception):
    """Any error of this package's own."""

    kind: str = "other"


class AssetOverwriteError(StacError):
    """Raised when an asset would be overwritten during download."""

    kind = "asset_overwrite"

    def __init__(self, hrefs: list[str]) -> None:
        super().__init__(f"assets have the same file names and would overwrite each other: {hrefs}")
        self.hrefs = hrefs

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.hrefs,)


class DownloadWarning(Warning):
    """A warning for when something couldn't be downloaded.

    Used when we don't want to cancel all downloads, but still inform the user about the problem.
    """


class ConfigError(StacError):
    """Raised if the configuration is not valid."""

    kind = "config"


class ContentTypeError(StacError):
    """The expected content type does not match the actual content type."""

    kind = "content_type"

    def __init__(self, actual: str, expected: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            "the actual content type does not match the expected: "
            f"actual={actual}, expected={expected}",
            *args,
            **kwargs,
        )
        self.actual = actual
        self.expected = expected

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.actual, self.expected, *self.args[1:])


class DownloadError(StacError):
    """A collection of exceptions encountered while downloading."""

    kind = "download"

    exceptions: list[Exception]

    def __init__(self, exceptions: list[Exception], *args: Any, **kwargs: Any) -> None:
        self.exceptions = exceptions
        lines = [f"{type(exception).__name__}: {exception}" for exception in exceptions]
        super().__init__("\n".join(lines), *args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.exceptions, *self.args[1:])


class DocumentError(StacError, ValueError):
    """A text is not JSON, or not a STAC document of a kind that fits."""

    kind = "document"


class HrefError(StacError, ValueError):
    """An href is missing, cannot be made absolute, or no client knows it."""

    kind = "href"


class PathEscapeError(StacError, ValueError):
    """The name of an asset leads out of the directory."""

    kind = "path_escape"


class TemplateError(StacError, ValueError):
    """A path template names something that an item lacks, or is malformed."""

    kind = "template"


class IntegrityError(StacError):
    """What was received has another length or checksum than the document says."""

    kind = "integrity"


class AuthenticationError(StacError, ValueError):
    """There are no credentials, or the provider refused them."""

    kind = "authentication"


class HttpError(_exceptions.BaseError):
    """A server answered with a status that is a failure.

    ``status`` is the status, ``url`` the address without its secrets. A missing file is a `FileNotFoundError` as well. Where a program has imported aiohttp, it is an
    `aiohttp.ClientResponseError` as well, which is what stac-asset raises.
    """

    kind = "http"
    url: str | None = None

    def __str__(self) -> str:
        return self._message or ""

    def __repr__(self) -> str:
        return f"HttpError({self._message!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if _is_plain(value)}
        return _http_error_again, (type(self).__name__, str(self), state)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | bool | type(None))


def _http_error_again(name: str, message: str, state: dict[str, Any]) -> HttpError:
    error = _http_error(
        state.get("_store_kind"), message, state.get("status"), state.get("url") or ""
    )
    error.__dict__.update(state)
    del name
    return error


#: The class of `holdall.exceptions` for what a store said.
_STORE_KINDS: dict[str, type[_exceptions.BaseError]] = {
    "not_found": _exceptions.NotFoundError,
    "permission_denied": _exceptions.PermissionDeniedError,
    "unauthenticated": _exceptions.UnauthenticatedError,
}


_http_classes: dict[tuple[str | None, bool], type[HttpError]] = {}


def _http_class(store_kind: str | None, with_aiohttp: bool) -> type[HttpError]:
    known = _http_classes.get((store_kind, with_aiohttp))
    if known is None:
        known = _http_classes[store_kind, with_aiohttp] = _new_http_class(store_kind, with_aiohttp)
    return known


def _new_http_class(store_kind: str | None, with_aiohttp: bool) -> type[HttpError]:
    bases: list[type] = [HttpError]
    known = _STORE_KINDS.get(store_kind or "")
    if with_aiohttp:
        import aiohttp

        bases.append(aiohttp.ClientResponseError)
    if known is not None:
        bases.append(known)
    if len(bases) == 1:
        return HttpError
    return type("HttpError", tuple(bases), {"__module__": __name__, "__doc__": HttpError.__doc__})


def _http_error(store_kind: str | None, message: str, status: int | None, url: str) -> HttpError:
    with_aiohttp = "aiohttp" in sys.modules
    cls = _http_class(store_kind, with_aiohttp)
    if with_aiohttp:
        error = cls.__new__(cls)
        Exception.__init__(error, message)
        error.__dict__.update(
            {
                "request_info": SimpleNamespace(url=url, real_url=url, method=None, headers={}),
                "history": (),
                "headers": None,
                "message": message,
            }
        )
    else:
        error = cls(message)
    error._message = message
    error.status = status
    error.url = url
    error.__dict__["_store_kind"] = store_kind
    return error


_CLASSES: dict[str, type[Exception]] = {
    "document": DocumentError,
    "href": HrefError,
    "path_escape": PathEscapeError,
    "template": TemplateError,
    "integrity": IntegrityError,
    "authentication": AuthenticationError,
    "config": ConfigError,
}

_LOCAL: dict[str | None, type[OSError]] = {
    "permission_denied": PermissionError,
    "not_found": FileNotFoundError,
    "already_exists": FileExistsError,
    None: FileNotFoundError,
}


def _make(
    kind: str,
    store_kind: str | None,
    message: str,
    operation: str,
    target: str,
    detail: str,
    status: int | None,
    retryable: bool,
    pair: tuple[str, str] | None,
) -> Exception:
    """Make the exception for an error of the native half."""
    if kind == "content_type" and pair is not None:
        return ContentTypeError(actual=pair[0], expected=pair[1])
    if kind == "asset_overwrite":
        error = AssetOverwriteError([target])
        error.args = (message,)
        return error
    if kind == "directory":
        return _LOCAL.get(store_kind, OSError)(detail if store_kind is None else message)
    if kind in _CLASSES:
        return _CLASSES[kind](message)
    if status is not None and target.startswith(("http://", "https://")):
        made: _exceptions.BaseError = _http_error(store_kind, message, status, target)
        made.operation, made.target, made.retryable = operation, target, retryable
        made.kind = store_kind or "other"
        return made
    return _exceptions._make(store_kind or "other", message, operation, target, status, retryable)
