"""The client of the AuthN service."""

from __future__ import annotations

import logging
from typing import Any

from .._twin import Steps, inner, twin
from ..const import HTTP_METHOD_POST, URL_PATH_AUTHN_USERS
from ..request_client import RequestClient
from ..session_manager import SessionManager
from .cluster_manager import ClusterManager
from .response_handler import AuthNResponseHandler
from .role_manager import RoleManager
from .token_manager import TokenManager
from .types import LoginMsg, TokenMsg
from .user_manager import UserManager

logger = logging.getLogger(__name__)


class AuthNClient:
    """A client of an AuthN service.

    Args:
        endpoint: URL of the service; its usual port is 52001.
        skip_verify: Whether the service's certificate may be anything.
        ca_cert: A PEM file with the authority of its certificate.
        timeout: Seconds, one number, or one for connecting and one for reading; None for no limit.
        retry: How refused requests are repeated, as ``urllib3.Retry``.
        token: The token to show; `login` gets one.
        retry_config: How broken connections are repeated as well; a ``RetryConfig``.
        client_cert: A PEM file with the client's certificate and key, or two files.
        max_pool_size: Most connections that are kept.
    """

    def __init__(
        self,
        endpoint: str,
        skip_verify: bool = False,
        ca_cert: str | None = None,
        timeout: float | tuple[float, float] | None = None,
        retry: Any = None,
        token: str | None = None,
        *,
        retry_config: Any = None,
        client_cert: str | tuple[str, str] | None = None,
        max_pool_size: int = 10,
    ) -> None:
        if retry is None and retry_config is not None:
            retry = retry_config.http_retry
        session_manager = SessionManager(
            retry=retry,
            ca_cert=ca_cert,
            skip_verify=skip_verify,
            client_cert=client_cert,
            max_pool_size=max_pool_size,
        )
        self._request_client = RequestClient(
            endpoint=endpoint,
            session_manager=session_manager,
            timeout=timeout,
            token=token,
            response_handler=AuthNResponseHandler(),
            retry_config=retry_config,
        )

    @property
    def client(self) -> RequestClient:
        """The client that sends the requests; it has the token."""
        return self._request_client

    @twin
    def login(self, username: str, password: str, expires_in: float | None = None) -> Steps[str]:
        """Log in, and show the new token from then on.

        Args:
            username: The user.
            password: The user's password.
            expires_in: Seconds that the token is to live; None for the service's default, 0 for its longest.

        Returns:
            The token, for clients of the cluster.

        Raises:
            ValueError: When the password is blank.
            ErrUserInvalidCredentials: When user or password are wrong.
        """
        if not password.strip():
            raise ValueError("Password cannot be empty or spaces only")
        message = yield self.client.ask_model(
            HTTP_METHOD_POST,
            path=f"{URL_PATH_AUTHN_USERS}/{username}",
            json=LoginMsg(password=password, expires_in=expires_in).as_dict(),
            res_model=TokenMsg,
        )
        self.client.token = message.token
        logger.info("Logged in as %s", username)
        return str(message.token)

    login_async = login.later()

    @twin
    def logout(self) -> Steps[None]:
        """Revoke the token that is shown, and show none from then on.

        Raises:
            ValueError: When there is none.
        """
        token = self.client.token
        if not token:
            raise ValueError("Must be logged in first (no token)")
        yield from inner(self.token_manager().revoke, token=token)
        self.client.token = None

    logout_async = logout.later()

    def cluster_manager(self) -> ClusterManager:
        """The clusters that the service knows."""
        return ClusterManager(client=self._request_client)

    def role_manager(self) -> RoleManager:
        """The roles."""
        return RoleManager(client=self._request_client)

    def user_manager(self) -> UserManager:
        """The users."""
        return UserManager(client=self._request_client)

    def token_manager(self) -> TokenManager:
        """The tokens."""
        return TokenManager(client=self._request_client)
