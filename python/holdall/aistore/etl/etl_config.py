"""Which ETL a request passes through."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..const import QPARAM_ETL_ARGS, QPARAM_ETL_NAME, QPARAM_ETL_PIPELINE
from .etl import Etl


@dataclass
class ETLConfig:
    """An ETL, or several one after the other, and its arguments.

    Attributes:
        name: The ETL's name, or an `Etl`, which may be a pipeline: ``first >> second``.
        args: Arguments of the transformer, as a text or a dictionary.
    """

    name: str | Etl | None = None
    args: str | dict[str, Any] | None = None

    def update_qparams(self, params: dict[str, str]) -> None:
        """Add what a request needs to its parameters; nothing without a name."""
        if not self.name:
            return
        if isinstance(self.name, Etl):
            params[QPARAM_ETL_NAME] = self.name.name
            if self.name.pipeline:
                params[QPARAM_ETL_PIPELINE] = ",".join(self.name.pipeline)
        else:
            params[QPARAM_ETL_NAME] = self.name
        if self.args:
            is_text = isinstance(self.args, str)
            params[QPARAM_ETL_ARGS] = (
                str(self.args) if is_text else json.dumps(self.args, separators=(",", ":"))
            )
