"""Tokens."""

from __future__ import annotations

from .._twin import Steps, nap, twin
from ..const import HTTP_METHOD_DELETE, URL_PATH_AUTHN_TOKENS
from ..request_client import RequestClient
from .types import TokenMsg

# The service tells its clusters after it has answered. What is asked of them right away would still find the token good.
_TOLD_SECONDS = 0.1


class TokenManager:
    """The tokens of the service.

    Args:
        client: The client that sends the requests.
    """

    def __init__(self, client: RequestClient) -> None:
        self._client = client

    @property
    def client(self) -> RequestClient:
        """The client that sends the requests."""
        return self._client

    @twin
    def revoke(self, token: str) -> Steps[None]:
        """Make a token worthless, on every cluster.

        Raises:
            ValueError: When the token is empty.
        """
        if not token:
            raise ValueError("Token must be provided to revoke.")
        yield self.client.ask(
            HTTP_METHOD_DELETE,
            path=URL_PATH_AUTHN_TOKENS,
            json=TokenMsg(token=token).model_dump(),
        )
        yield nap(_TOLD_SECONDS)

    revoke_async = revoke.later()
