"""Messages of the AuthN service."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator
from typing import Any, Dict, List, Optional, Union  # noqa: UP035

from .._model import Model, RootModel
from ..types import BucketModel
from .access_attr import AccessAttr

# `List` and `Dict`, because the managers and models here have methods named `list` and `dict`.

_NANOSECONDS = 1_000_000_000


class LoginMsg(Model):
    """A password, and for how many seconds the token is to live; None for the service's default."""

    password: str
    expires_in: Optional[Union[int, float]] = None  # noqa: UP007, UP045

    def as_dict(self) -> Dict[str, Any]:  # noqa: UP006
        """As the service wants it: the life in nanoseconds."""
        life = None if self.expires_in is None else int(self.expires_in * _NANOSECONDS)
        return {"password": self.password, "expires_in": life}

    def __repr_args__(self) -> List[tuple[str, Any]]:  # noqa: UP006
        return [("password", "***"), ("expires_in", self.expires_in)]


class TokenMsg(Model):
    """A token."""

    token: str

    def __repr_args__(self) -> List[tuple[str, Any]]:  # noqa: UP006
        return [("token", "***")]


class ClusterInfo(Model):
    """A cluster that the service knows: its id, its alias, the URLs of its gateways."""

    id: str
    alias: Optional[str] = None  # noqa: UP045
    urls: List[str] = []  # noqa: UP006, RUF012


class ClusterList(Model):
    """Clusters by their ids."""

    clusters: Dict[str, ClusterInfo] = {}  # noqa: UP006, RUF012


class ClusterPermission(Model):
    """What is allowed on a whole cluster; ``perm`` is a number as text."""

    id: str
    perm: str

    def describe(self) -> str:
        """The names of the permissions."""
        return AccessAttr.describe(int(self.perm))

    def __str__(self) -> str:
        return f"ClusterPermission(id={self.id}, perm={self.describe()})"


class BucketPermission(Model):
    """What is allowed on one bucket, whose namespace has the cluster's id; ``perm`` is a number as text."""

    bck: BucketModel
    perm: str

    def describe(self) -> str:
        """The names of the permissions."""
        return AccessAttr.describe(int(self.perm))

    def __str__(self) -> str:
        return f"BucketPermission(bck={self.bck}, perm={self.describe()})"


class RoleInfo(Model):
    """A role: permissions under a name."""

    name: str
    desc: str
    clusters: Optional[List[ClusterPermission]] = None  # noqa: UP006, UP045
    buckets: Optional[List[BucketPermission]] = None  # noqa: UP006, UP045
    admin: bool = False

    def __str__(self) -> str:
        def shown(permissions: Any) -> str:
            return "None" if permissions is None else ", ".join(map(str, permissions))

        return (
            f"RoleInfo(name={self.name}, desc={self.desc}, clusters=[{shown(self.clusters)}], "
            f"buckets=[{shown(self.buckets)}], admin={self.admin})"
        )


class RolesList(RootModel[List[RoleInfo]]):  # noqa: UP006
    """Roles, in the service's order."""

    @property
    def roles(self) -> List[RoleInfo]:  # noqa: UP006
        """The roles as a plain list."""
        return self.root

    def __iter__(self) -> Iterator[RoleInfo]:
        return iter(self.root)

    def __getitem__(self, item: Any) -> Any:
        return self.root[item]

    def __len__(self) -> int:
        return len(self.root)

    def __str__(self) -> str:
        return "\n".join(str(role) for role in self.root)


class UserInfo(Model):
    """A user. The service never tells passwords; they are here to be sent."""

    id: str
    password: Optional[str] = None  # noqa: UP045
    roles: RolesList

    def dict(self, **options: Any) -> Dict[str, Any]:  # noqa: UP006
        """As the service wants it: the password as ``pass``."""
        out = self.model_dump(**options)
        if out.get("password") is not None:
            out["pass"] = out.pop("password")
        return out

    def __repr_args__(self) -> List[tuple[str, Any]]:  # noqa: UP006
        password = None if self.password is None else "***"
        return [("id", self.id), ("password", password), ("roles", self.roles)]


class UserMap(RootModel[Dict[str, UserInfo]]):  # noqa: UP006
    """Users by their names."""

    @property
    def users(self) -> Dict[str, UserInfo]:  # noqa: UP006
        """The users as a plain dictionary."""
        return self.root

    def items(self) -> ItemsView[str, UserInfo]:
        """Names and users."""
        return self.root.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self.root)

    def __getitem__(self, item: str) -> UserInfo:
        return self.root[item]

    def __len__(self) -> int:
        return len(self.root)

    def __str__(self) -> str:
        return "\n".join(str(user) for user in self.root.values())


UsersList = UserMap
"""The name that `UserMap` had."""
