"""Lets botocore, and so boto3, follow AIStore's redirects.

A gateway answers requests for objects with the place of the target that has them (status 301, 302 or 307 and a
``Location``), which botocore takes for "another region" and gives up on. Importing this module makes its clients go there;
at most four times per request. Other redirects are handled as before. Import it before clients are made.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

_FOLLOWED = (301, 302, 307)
_MOST = 4
_PARAMETERS = ["self", "request_dict", "response", "operation", "kwargs"]


def _location(request_dict: Any, response: Any) -> str | None:
    """Where AIStore sends a request to; None for anything else."""
    if not isinstance(response, tuple) or not isinstance(request_dict, dict):
        return None
    reply = response[0]
    if reply.status_code not in _FOLLOWED:
        return None
    return {name.lower(): value for name, value in reply.headers.items()}.get("location")


def _following(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def redirect_from_error(
        self: Any, request_dict: Any, response: Any, operation: Any, **kwargs: Any
    ) -> Any:
        location = _location(request_dict, response)
        redirects = (
            request_dict.get("context", {}).get("s3_redirect") if location is not None else None
        )
        if redirects is None or redirects.get("ais_redirect_count", 0) >= _MOST:
            return original(
                self, request_dict=request_dict, response=response, operation=operation, **kwargs
            )
        redirects["ais_redirect_count"] = redirects.get("ais_redirect_count", 0) + 1
        request_dict["url"] = location
        # Seconds until the request is repeated.
        return 0

    redirect_from_error._ais = True  # type: ignore[attr-defined]
    return redirect_from_error


def _patch() -> None:
    try:
        utils: Any = importlib.import_module("botocore.utils")
    except ImportError as error:
        raise ImportError("there is no botocore to patch: pip install boto3") from error
    classes: list[tuple[str, Any]] = inspect.getmembers(utils, inspect.isclass)
    for name, redirector in classes:
        if "S3RegionRedirector" not in name:
            continue
        original = redirector.redirect_from_error
        if getattr(original, "_ais", False):
            continue
        if list(inspect.signature(original).parameters) != _PARAMETERS:
            raise RuntimeError(
                f"botocore.utils.{name}.redirect_from_error is not what this patch knows: this version of botocore "
                "is not supported"
            )
        redirector.redirect_from_error = _following(original)


_patch()
