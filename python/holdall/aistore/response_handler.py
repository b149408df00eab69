"""From replies that refuse something to exceptions."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import Any

from .errors import (
    AISError,
    APIRequestError,
    ErrBckAlreadyExists,
    ErrBckNotFound,
    ErrETLAlreadyExists,
    ErrETLNotFound,
    ErrGETConflict,
    ErrObjNotFound,
    ErrRemoteBckNotFound,
    InvalidBckProvider,
)
from .provider import Provider
from .utils import extract_and_parse_url


class ResponseHandler(ABC):
    """Looks at replies; a class for each service."""

    def handle_response(self, r: Any) -> Any:
        """Return a good reply, raise for any other."""
        if 200 <= r.status_code < 400:
            return r
        error = self.parse_error(r)
        reply = getattr(r, "_reply", None)
        if reply is not None:
            error.operation, error.target = reply.operation, reply.target
        raise error

    @abstractmethod
    def parse_error(self, r: Any) -> APIRequestError:
        """The exception for a reply that refuses."""

    @property
    @abstractmethod
    def exc_class(self) -> type[APIRequestError]:
        """The exception where no other says more."""


class AISResponseHandler(ResponseHandler):
    """Looks at replies of clusters: status and words decide, as the words have since AIStore's first SDK."""

    @property
    def exc_class(self) -> type[AISError]:
        return AISError

    def parse_error(self, r: Any) -> AISError:
        # A HEAD has no body; the error is in a header then, which the official SDK does not read.
        message = r.text
        cls = self._class_of(r.status_code, message, r.request.method) or self.exc_class
        return cls(r.status_code, message, r.request.url or "", r.request)

    @staticmethod
    def _class_of(status: int, message: str, method: str) -> type[AISError] | None:
        if status not in (404, 409):
            return None
        found = extract_and_parse_url(message)
        provider = None
        if found is not None:
            with contextlib.suppress(InvalidBckProvider):
                provider = Provider.parse(found[0])
        names_object = found is not None and found[2]
        is_etl = "etl job" in message
        if status == 409:
            if method.upper() == "GET":
                return ErrGETConflict
            if is_etl:
                return ErrETLAlreadyExists
            return ErrBckAlreadyExists if provider and not names_object else None
        if is_etl:
            return ErrETLNotFound
        if provider is None or found is None:
            return None
        if names_object:
            return ErrObjNotFound
        return ErrRemoteBckNotFound if provider.is_remote() or "@" in found[1] else ErrBckNotFound
