"""From a refusal of the AuthN service to an exception."""

from __future__ import annotations

from typing import Any

from ..response_handler import ResponseHandler
from . import errors

# The last word that a message contains decides: "user u: role r does not exist" is about the user.
_BY_STATUS: dict[int, list[tuple[str, type[errors.AuthNError]]]] = {
    401: [("invalid credentials", errors.ErrUserInvalidCredentials)],
    404: [
        ("cluster ", errors.ErrClusterNotFound),
        ("role ", errors.ErrRoleNotFound),
        ("user ", errors.ErrUserNotFound),
    ],
    409: [
        ("cluster ", errors.ErrClusterAlreadyRegistered),
        ("role ", errors.ErrRoleAlreadyExists),
        ("user ", errors.ErrUserAlreadyExists),
    ],
}


class AuthNResponseHandler(ResponseHandler):
    """Tells the refusals of an AuthN service apart by their status and words."""

    @property
    def exc_class(self) -> type[errors.AuthNError]:
        """The exception of what is not told apart."""
        return errors.AuthNError

    def parse_error(self, r: Any) -> errors.AuthNError:
        """The exception for a reply."""
        kind = self.exc_class
        for words, special in _BY_STATUS.get(r.status_code, []):
            if words in r.text:
                kind = special
        return kind(r.status_code, r.text, r.request.url or "", r.request)
