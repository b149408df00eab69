"""Messages of earlier generations of the SDK, which `holdall.aistore.types` has by their names."""

from __future__ import annotations

from typing import Any

from ._model import Model, field
from .types import InitETLArgs, Snode

SUCCESSORS = {
    "DiskInfo": "NodeStats",
    "DiskInfoV322": "NodeStats",
    "InitCodeETLArgs": "ETLSpecMsg",
    "InitSpecETLArgs": "ETLSpecMsg",
    "NodeCapacity": "NodeStats",
    "NodeCapacityV322": "NodeStats",
    "NodeStatsV322": "NodeStats",
}
"""What has taken their places."""


class DiskInfoV322(Model):
    """The file system of a mountpath."""

    used: str = ""
    avail: str = ""
    pct_used: float = 0.0
    disks: list[str] = field(default_factory=list)
    fs: str = ""


class DiskInfo(DiskInfoV322):
    """The file system of a mountpath, and its label."""

    mountpath_label: str = ""


class NodeCapacityV322(Model):
    """How full the mountpaths of a node are."""

    mountpaths: dict[str, DiskInfoV322] = field(alias="MountPaths", default_factory=dict)
    pct_max: float = 0.0
    pct_avg: float = 0.0
    pct_min: float = 0.0
    cs_err: str = ""


class NodeCapacity(NodeCapacityV322):
    """How full the mountpaths of a node are, and how much they hold in all."""

    mountpaths: dict[str, DiskInfo] = field(alias="MountPaths", default_factory=dict)  # type: ignore[assignment]
    total_used: int = 0
    total_avail: int = 0


class NodeStatsV322(Model):
    """State and counters of a node."""

    snode: Snode | None = None
    tracker: dict[str, Any] = field(default_factory=dict)
    capacity: NodeCapacityV322 = field(default_factory=NodeCapacityV322)
    rebalance_snap: dict[str, Any] | None = None
    status: str = ""
    deployment: str = ""
    ais_version: str = ""
    build_time: str = ""
    k8s_pod_name: str = ""
    sys_info: dict[str, Any] = field(default_factory=dict)
    smap_version: str = ""


_RENAMED = {"etl_name": "name", "communication_type": "comm_type", "timeout": "init_timeout"}


class _EarlierInit(InitETLArgs):
    """A transformer that is to be started, with the names of 1.10 beside those of 1.25."""

    arg_type: str = ""

    def __init__(self, **data: Any) -> None:
        super().__init__(**{_RENAMED.get(key, key): value for key, value in data.items()})

    @property
    def etl_name(self) -> str:
        """The transformer's name."""
        return self.name

    @property
    def communication_type(self) -> str:
        """How it is spoken to."""
        return self.comm_type

    @property
    def timeout(self) -> str | None:
        """How long its start may take."""
        return self.init_timeout


class InitSpecETLArgs(_EarlierInit):
    """A transformer that is to be started, with the pod that runs it."""

    spec: str

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        sent = {
            "name": self.name,
            "init_timeout": self.init_timeout,
            "obj_timeout": self.obj_timeout,
            "communication": f"{self.comm_type}://",
            "spec": self.spec,
        }
        return {**sent, "argument": self.arg_type} if self.arg_type else sent


class InitCodeETLArgs(_EarlierInit):
    """A transformer that is to be started, with its code. Clusters of our days take classes instead: `Etl.init_class`."""

    runtime: str
    dependencies: str = ""
    functions: dict[str, str] = field(default_factory=dict)
    code: str = ""
    chunk_size: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it was sent."""
        sent: dict[str, Any] = {
            "id": self.name,
            "runtime": self.runtime,
            "communication": f"{self.comm_type}://",
            "timeout": self.init_timeout,
            "funcs": self.functions,
            "code": self.code,
            "dependencies": self.dependencies,
            "argument": self.arg_type,
        }
        return {**sent, "chunk_size": self.chunk_size} if self.chunk_size else sent
