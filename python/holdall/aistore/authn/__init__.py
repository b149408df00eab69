"""AuthN: the service that knows users, their roles, the clusters, and gives tokens.

>>> from holdall.aistore.authn import AuthNClient
>>> authn = AuthNClient("http://localhost:52001", token="...")
>>> authn.role_manager()  # doctest: +ELLIPSIS
<holdall.aistore.authn.role_manager.RoleManager object at ...>
"""

from .access_attr import AccessAttr
from .authn_client import AuthNClient
from .cluster_manager import ClusterManager
from .role_manager import RoleManager
from .token_manager import TokenManager
from .user_manager import UserManager

__all__ = [
    "AccessAttr",
    "AuthNClient",
    "ClusterManager",
    "RoleManager",
    "TokenManager",
    "UserManager",
]
