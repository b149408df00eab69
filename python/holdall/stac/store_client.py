"""The client for every other store: ``gs://``, ``az://``, ``ais://``, ..."""

from __future__ import annotations

from .client import _NativeClient
from .config import Config

__all__ = ["StoreClient"]


class StoreClient(_NativeClient):
    """Reads from any store that holdall knows, with the credentials of the environment and ``Config.store_config``."""

    name = "store"

    @classmethod
    async def from_config(cls, config: Config) -> StoreClient:
        """Create a client from a config."""
        client = cls()
        client._config = config.copy()
        return client
