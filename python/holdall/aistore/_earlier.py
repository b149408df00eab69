"""Names and arguments of earlier generations of the SDK."""

from __future__ import annotations

import json
import warnings
from typing import Any

from ._response import Request


def warn(name: str, successor: str) -> None:
    """Say what `name` is called now, to whoever called the function that calls this."""
    warnings.warn(f"{name} is deprecated: use {successor}", DeprecationWarning, stacklevel=3)


def etl_of(etl: Any, etl_name: str | None, where: str) -> Any:
    """The ETL of a call that may still have ``etl_name``, or have a name where an ``ETLConfig`` belongs."""
    if isinstance(etl, str):
        etl_name, etl = etl, None
    if etl_name is None:
        if etl is not None and not hasattr(etl, "update_qparams"):
            raise TypeError(
                f"{where}: etl must be an ETLConfig, not {type(etl).__name__}: use ETLConfig(name)"
            )
        return etl
    warnings.warn(
        f"{where}(etl_name=…) is deprecated: use {where}(etl=ETLConfig(…))",
        DeprecationWarning,
        stacklevel=4,
    )
    if etl is not None:
        raise ValueError("etl and etl_name exclude each other")
    from .etl.etl_config import ETLConfig

    return ETLConfig(name=etl_name)


class Told:
    """A reply that refuses, of which its text alone is known, with what handlers of responses look at."""

    def __init__(self, text: str) -> None:
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        said = said if isinstance(said, dict) else {}
        status = said.get("status", said.get("status_code"))
        self.status_code = status if isinstance(status, int) else 0
        self.text = str(said.get("message", text))
        self.request = Request(str(said.get("method", "")), str(said.get("url_path", "")))
