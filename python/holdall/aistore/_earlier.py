"""Names and arguments of earlier generations of the SDK."""

from __future__ import annotations

import warnings
from typing import Any


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
