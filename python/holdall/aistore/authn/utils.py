"""Refusals of an AuthN service, for programs that read replies themselves."""

from __future__ import annotations

from typing import NoReturn

from .._earlier import Told, warn
from .response_handler import AuthNResponseHandler


def raise_authn_error(text: str) -> NoReturn:
    """Raise the exception for a reply's text.

    Raises:
        AuthNError: or the class below it that says what is missing or in the way.
    """
    warn("raise_authn_error", "AuthNResponseHandler")
    raise AuthNResponseHandler().parse_error(Told(text))
