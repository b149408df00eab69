"""Users."""

from __future__ import annotations

from typing import List  # noqa: UP035

from .._twin import Steps, inner, twin
from ..const import (
    HTTP_METHOD_DELETE,
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    URL_PATH_AUTHN_USERS,
)
from ..request_client import RequestClient
from .errors import ErrUserNotFound
from .role_manager import RoleManager
from .types import RolesList, UserInfo, UserMap


class UserManager:
    """The users of the service.

    Args:
        client: The client that sends the requests.
    """

    def __init__(self, client: RequestClient) -> None:
        self._client = client
        self._role_manager = RoleManager(client)

    @property
    def client(self) -> RequestClient:
        """The client that sends the requests."""
        return self._client

    @twin
    def get(self, username: str) -> Steps[UserInfo]:
        """One user.

        Raises:
            ErrUserNotFound: When there is none of that name.
        """
        return (
            yield self.client.ask_model(
                HTTP_METHOD_GET, path=f"{URL_PATH_AUTHN_USERS}/{username}", res_model=UserInfo
            )
        )

    get_async = get.later()

    @twin
    def delete(self, username: str, missing_ok: bool = False) -> Steps[None]:
        """Delete a user.

        Raises:
            ErrUserNotFound: When there is none of that name, and that is not ``missing_ok``.
        """
        try:
            yield self.client.ask(HTTP_METHOD_DELETE, path=f"{URL_PATH_AUTHN_USERS}/{username}")
        except ErrUserNotFound:
            if not missing_ok:
                raise

    delete_async = delete.later()

    @twin
    def create(self, username: str, roles: List[str], password: str) -> Steps[UserInfo]:  # noqa: UP006
        """Make a user.

        Args:
            username: The name.
            roles: Names of roles, which must be there.
            password: The password.

        Raises:
            ErrRoleNotFound: When there is no such role.
            ErrUserAlreadyExists: When there is such a user.
        """
        found = yield from self._roles(roles)
        user = UserInfo(id=username, password=password, roles=found)
        yield self.client.ask(HTTP_METHOD_POST, path=URL_PATH_AUTHN_USERS, json=user.dict())
        return (yield from inner(self.get, username))

    create_async = create.later()

    @twin
    def list(self) -> Steps[UserMap]:
        """All users, by their names."""
        return (
            yield self.client.ask_model(
                HTTP_METHOD_GET, path=URL_PATH_AUTHN_USERS, res_model=UserMap
            )
        )

    list_async = list.later()

    @twin
    def update(
        self,
        username: str,
        password: str | None = None,
        roles: List[str] | None = None,  # noqa: UP006
    ) -> Steps[UserInfo]:
        """Change a user's password, roles, or both; what is not given stays.

        Raises:
            ValueError: When neither is given.
            ErrUserNotFound: When there is no such user.
        """
        if not (password or roles):
            raise ValueError("You must change either the password or roles for a user.")
        found = yield from self._roles(roles or [])
        user = UserInfo(id=username, password=password, roles=found)
        yield self.client.ask(
            HTTP_METHOD_PUT, path=f"{URL_PATH_AUTHN_USERS}/{username}", json=user.dict()
        )
        return (yield from inner(self.get, username))

    update_async = update.later()

    def _roles(self, names: List[str]) -> Steps[RolesList]:  # noqa: UP006
        roles = []
        for name in names:
            roles.append((yield from inner(self._role_manager.get, name)))
        return RolesList.model_validate(roles)
