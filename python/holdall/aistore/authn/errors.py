"""What the AuthN service refuses."""

from ..errors import APIRequestError


class AuthNError(APIRequestError):
    """The service refused a request."""


class ErrRoleNotFound(AuthNError):
    """There is no such role."""


class ErrRoleAlreadyExists(AuthNError):
    """There is such a role already."""


class ErrUserNotFound(AuthNError):
    """There is no such user."""


class ErrUserAlreadyExists(AuthNError):
    """There is such a user already."""


class ErrClusterNotFound(AuthNError):
    """The service does not know the cluster."""


class ErrClusterAlreadyRegistered(AuthNError):
    """The service knows the cluster, or the alias, already."""


class ErrUserInvalidCredentials(AuthNError):
    """The user's name or password is wrong."""
