"""Messages of the interface, and what is made of replies."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from .._holdall import BucketEntry, _ais_place
from . import const
from ._model import Model, RootModel, field
from .errors import NoTargetError
from .list_object_flag import ListObjectFlag
from .namespace import Namespace
from .performance import (
    ClusterPerformance,
    NodeCounter,
    NodeLatency,
    NodeThroughput,
    NodeTracker,
)

__all__ = [
    "ActionMsg",
    "AggregatedJobSnap",
    "ArchiveMultiObj",
    "BlobMsg",
    "BsummCtrlMsg",
    "BucketEntry",
    "BucketList",
    "BucketModel",
    "ClusterPerformance",
    "CopyBckMsg",
    "CreateNBIMsg",
    "ETLDetails",
    "ETLInfo",
    "ETLInitMsg",
    "ETLNodeLogs",
    "ETLObjError",
    "ETLRuntimeSpec",
    "ETLSpecMsg",
    "EnvVar",
    "InitETLArgs",
    "JobArgs",
    "JobQuery",
    "JobSnap",
    "JobSnapshot",
    "JobStats",
    "JobStatus",
    "ListObjectsMsg",
    "MptCompletedPart",
    "NBIInfo",
    "NetInfo",
    "NodeCounter",
    "NodeLatency",
    "NodeStats",
    "NodeThroughput",
    "NodeTracker",
    "PrefetchMsg",
    "PromoteAPIArgs",
    "Smap",
    "Snode",
    "TCBckMsg",
    "TCMultiObj",
    "TransformBckMsg",
]


class ActionMsg(Model):
    """A control request: what to do, with what."""

    action: str
    name: str = ""
    value: Any = None


def action(action: str, value: Any = None, name: str = "") -> dict[str, Any]:
    """`ActionMsg` as it is sent."""
    return {"action": action, "name": name, "value": value}


class NetInfo(Model):
    """Where a node listens."""

    node_hostname: str = ""
    daemon_port: str = ""
    direct_url: str = ""


class Snode(Model):
    """A node of the cluster."""

    daemon_id: str
    daemon_type: str = ""
    public_net: NetInfo | None = None
    intra_control_net: NetInfo | None = None
    intra_data_net: NetInfo | None = None
    flags: int = 0
    id_digest: int = 0

    def in_maint_or_decomm(self) -> bool:
        """Whether it is being repaired or taken out of the cluster, and has no objects to give."""
        return self.flags & 0b1100 != 0


class Smap(Model):
    """The cluster map: targets, proxies, and which proxy is the primary one."""

    tmap: dict[str, Snode]
    pmap: dict[str, Snode]
    proxy_si: Snode
    version: int = 0
    uuid: str = ""
    creation_time: str = ""

    def get_target_for_object(self, uname: str) -> Snode:
        """The target that has the object of this unique name.

        Raises:
            NoTargetError: the map has no target in service.
        """
        nodes = [node for node in self.tmap.values() if not node.in_maint_or_decomm()]
        if not nodes:
            raise NoTargetError(len(self.tmap))
        return nodes[_ais_place(uname, [node.id_digest for node in nodes])]


class BucketList:
    """A page of a listing."""

    __slots__ = ("ContinuationToken", "Entries", "Flags", "UUID")

    def __init__(
        self,
        UUID: str,
        ContinuationToken: str,
        Flags: int,
        Entries: list[BucketEntry] | None = None,
    ) -> None:
        self.UUID = UUID
        self.ContinuationToken = ContinuationToken
        self.Flags = Flags
        self.Entries = Entries

    @property
    def uuid(self) -> str:
        """The listing's id, to ask for its next page."""
        return self.UUID

    @property
    def continuation_token(self) -> str:
        """Where the next page begins; empty when there is none."""
        return self.ContinuationToken

    @property
    def flags(self) -> int:
        """Flags of the listing."""
        return self.Flags

    @property
    def entries(self) -> list[BucketEntry]:
        """The entries."""
        return self.Entries if self.Entries is not None else []

    def get_entries(self) -> list[BucketEntry]:
        """The entries."""
        return self.entries

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BucketList):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"BucketList(UUID={self.UUID!r}, ContinuationToken={self.ContinuationToken!r}, "
            f"Flags={self.Flags}, Entries={self.Entries!r})"
        )


class BucketModel(Model):
    """Name, provider and namespace of a bucket."""

    name: str
    provider: str
    namespace: Namespace | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it is sent, without what is not set."""
        return self.model_dump(exclude_none=True)

    def get_path(self) -> str:
        """The unique name: ``ais/@#/name/``."""
        namespace = self.namespace.get_path() if self.namespace else "@#"
        return f"{self.provider}/{namespace}/{self.name}/"


class BsummCtrlMsg(Model):
    """A summary that is asked for."""

    uuid: str
    prefix: str
    cached: bool
    present: bool


class JobArgs(Model):
    """A job that is started, stopped or asked for."""

    id: str = ""
    kind: str = ""
    daemon_id: str = ""
    bucket: BucketModel | None = None
    buckets: list[BucketModel] | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "ID": self.id,
            "Kind": self.kind,
            "DaemonID": self.daemon_id,
            "Bck": self.bucket,
            "Buckets": self.buckets,
        }


class JobQuery(Model):
    """Jobs that are asked for."""

    active: bool = False
    kind: str = ""
    target: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        return {"kind": self.kind, "node": self.target, "show_active": self.active}


class JobStatus(Model):
    """How a job is doing: `end_time` is in nanoseconds since 1970, 0 while it runs."""

    uuid: str = ""
    err: str = ""
    end_time: int = 0
    aborted: bool = False


class JobStats(Model):
    """What a job has done: objects and bytes; those of its own, those that it sent, those that it received."""

    objects: int = field(0, alias="loc-objs")
    bytes: int = field(0, alias="loc-bytes")
    out_objects: int = field(0, alias="out-objs")
    out_bytes: int = field(0, alias="out-bytes")
    in_objects: int = field(0, alias="in-objs")
    in_bytes: int = field(0, alias="in-bytes")


class JobSnap(Model):
    """A job on one target. Times are RFC 3339; that of the end is the year 1 while it runs."""

    id: str = ""
    kind: str = ""
    start_time: str = field("", alias="start-time")
    end_time: str = field("", alias="end-time")
    bucket: BucketModel | None = field(None, alias="bck")
    source_bck: BucketModel | None = field(None, alias="src-bck")
    destination_bck: BucketModel | None = field(None, alias="dst-bck")
    stats: JobStats | None = None
    aborted: bool = False
    is_idle: bool = False
    abort_err: str = field("", alias="abort-err")
    packed: int = field(0, alias="glob.id")

    @property
    def dest_bck(self) -> BucketModel | None:
        """The same as `destination_bck`."""
        return self.destination_bck

    @property
    def rebalance_id(self) -> str:
        """The number that rebalances have in place of counters."""
        return str(self.packed)

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing more to come."""
        return bool(self.end_time) and self.end_time != const.GO_ZERO_TIME

    def unpack_glob_id(self) -> tuple[int, int, int]:
        """Numbers of joggers, of workers, and of times that a channel was full."""
        joggers = self.packed & const.JOGGER_COUNT_MASK
        workers = (self.packed & const.WORKER_COUNT_MASK) >> const.WORKER_COUNT_SHIFT
        full = (self.packed & const.CHANNEL_COUNT_MASK) >> const.CHANNEL_COUNT_SHIFT
        return joggers, workers, full


JobSnapshot = JobSnap
"""The name until 1.10."""


class AggregatedJobSnap(RootModel[dict[str, list[JobSnap]]]):
    """A job on all targets, by their ids."""

    def list_snapshots(self) -> list[JobSnap]:
        """All snapshots."""
        return [snap for snaps in self.root.values() for snap in snaps]

    def get_num_workers(self) -> int:
        """Workers per target; 0 when nobody tells."""
        return next((snaps[0].unpack_glob_id()[1] for snaps in self.root.values() if snaps), 0)

    def all_idle(self) -> bool:
        """Whether there is nothing to do on any target, or nobody left to do it."""
        return all(s.is_idle or s.aborted or s.abort_err for s in self.list_snapshots())

    def any_aborted(self) -> bool:
        """Whether it was aborted on some target."""
        return any(s.aborted or s.abort_err for s in self.list_snapshots())

    def idle_or_aborted(self) -> bool:
        """Whether there is nothing to do, or it was aborted."""
        return self.all_idle() or self.any_aborted()

    def any_finished(self) -> bool:
        """Whether it has ended on some target."""
        return any(s.aborted or s.abort_err or s.has_ended for s in self.list_snapshots())


class CopyBckMsg(Model):
    """How objects are copied."""

    prefix: str = ""
    prepend: str = ""
    dry_run: bool = False
    force: bool = False
    latest: bool = False
    sync: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "prefix": self.prefix,
            "prepend": self.prepend,
            "dry_run": self.dry_run,
            "force": self.force,
            "latest-ver": self.latest,
            "synchronize": self.sync,
        }


class TransformBckMsg(Model):
    """How objects are transformed."""

    etl_name: str
    etl_pipeline: list[str] | None = None
    timeout: str = "5m"

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "id": self.etl_name,
            "request_timeout": self.timeout,
            "pipeline": self.etl_pipeline,
        }


class TCBckMsg(Model):
    """A copy or a transformation of many objects."""

    ext: dict[str, str] | None = None
    copy_msg: CopyBckMsg | None = None
    transform_msg: TransformBckMsg | None = None
    num_workers: int | None = None
    cont_on_err: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        sent: dict[str, Any] = {}
        if self.ext:
            sent["ext"] = self.ext
        if self.num_workers:
            sent["num-workers"] = self.num_workers
        if self.cont_on_err:
            sent["coer"] = self.cont_on_err
        for message in (self.copy_msg, self.transform_msg):
            sent.update(message.as_dict() if message else {})
        return sent


class ListObjectsMsg(Model):
    """A listing that is asked for."""

    prefix: str = ""
    page_size: int = 0
    uuid: str = ""
    props: str = ""
    continuation_token: str = ""
    flags: list[ListObjectFlag] = field(default_factory=list)
    target: str = ""
    start_after: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        sent: dict[str, Any] = {
            "prefix": self.prefix,
            "pagesize": self.page_size,
            "uuid": self.uuid,
            "props": self.props,
            "continuation_token": self.continuation_token,
            "flags": str(ListObjectFlag.join_flags(self.flags)),
            "target": self.target,
        }
        if self.start_after:
            sent["start_after"] = self.start_after
        return sent


class CreateNBIMsg(Model):
    """An inventory that is to be made."""

    name: str = ""
    names_per_chunk: int = 0
    force: bool = False
    prefix: str = ""
    props: str = ""
    flags: str = "0"

    def as_dict(self) -> dict[str, Any]:
        """As it is sent: what is not the default."""
        return self.model_dump(exclude_defaults=True)


class NBIInfo(Model):
    """An inventory. Times are in nanoseconds since 1970."""

    bucket: str = ""
    name: str = ""
    obj_name: str = ""
    size: int = 0
    prefix: str = ""
    started: int = 0
    finished: int = 0
    ntotal: int = 0
    smap_ver: int = 0
    chunks: int = 0
    nat: int = 0


def _selected(selection: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {**selection, **more}


class PrefetchMsg(Model):
    """Objects that the cluster is to fetch."""

    object_selection: dict[str, Any]
    continue_on_err: bool = False
    latest: bool = False
    blob_threshold: int | None = None
    num_workers: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        sent = _selected(self.object_selection, coer=self.continue_on_err)
        sent["latest-ver"] = self.latest
        if self.blob_threshold:
            sent["blob-threshold"] = self.blob_threshold
        if self.num_workers:
            sent["num-workers"] = self.num_workers
        return sent


class TCMultiObj(Model):
    """Objects that are to be copied or transformed."""

    to_bck: BucketModel
    tc_msg: TCBckMsg | None = None
    continue_on_err: bool = False
    object_selection: dict[str, Any]
    num_workers: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        sent = _selected(self.object_selection, **(self.tc_msg.as_dict() if self.tc_msg else {}))
        sent["tobck"] = self.to_bck.model_dump()
        sent["coer"] = self.continue_on_err
        if self.num_workers:
            sent["num-workers"] = self.num_workers
        return sent


class ArchiveMultiObj(Model):
    """Objects that are to become an archive."""

    archive_name: str
    to_bck: BucketModel
    mime: str | None = None
    include_source_name: bool = False
    allow_append: bool = False
    continue_on_err: bool = False
    object_selection: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        sent = _selected(
            self.object_selection,
            archname=self.archive_name,
            isbn=self.include_source_name,
            aate=self.allow_append,
            coer=self.continue_on_err,
            tobck=self.to_bck.model_dump(),
        )
        if self.mime:
            sent["mime"] = self.mime
        return sent


class BlobMsg(Model):
    """A large remote object that the cluster is to fetch."""

    chunk_size: int | None = None
    num_workers: int | None = None
    latest: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        sent: dict[str, Any] = {"latest-ver": self.latest}
        if self.chunk_size:
            sent["chunk-size"] = self.chunk_size
        if self.num_workers:
            sent["num-workers"] = self.num_workers
        return sent


class MptCompletedPart(Model):
    """A part of an upload."""

    part_number: int
    etag: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        return {"part-number": self.part_number, "etag": self.etag}


class PromoteAPIArgs(Model):
    """Files of the servers' machines that are to become objects."""

    target_id: str = ""
    source_path: str = ""
    object_name: str = ""
    recursive: bool = False
    overwrite_dest: bool = False
    delete_source: bool = False
    src_not_file_share: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "tid": self.target_id,
            "src": self.source_path,
            "obj": self.object_name,
            "rcr": self.recursive,
            "ovw": self.overwrite_dest,
            "dls": self.delete_source,
            "notshr": self.src_not_file_share,
        }


class ETLInfo(Model):
    """A transformer, and what it has done."""

    id: str = ""
    xaction_id: str = ""
    stage: str = ""
    obj_count: int = 0
    in_bytes: int = 0
    out_bytes: int = 0


class InitETLArgs(Model):
    """A transformer that is to be started."""

    name: str
    comm_type: str
    init_timeout: str | None = None
    obj_timeout: str | None = None
    direct_put: bool = False


class EnvVar(Model):
    """A variable of a transformer's environment."""

    name: str
    value: str

    def __init__(self, **data: Any) -> None:
        if "value" in data:
            data["value"] = str(data["value"])
        super().__init__(**data)

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        return {"name": self.name, "value": self.value}


class ETLRuntimeSpec(Model):
    """What a transformer runs: an image, a command, an environment."""

    image: str
    command: list[str] | None = None
    env: list[EnvVar] | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        sent: dict[str, Any] = {"image": self.image}
        if self.command is not None:
            sent["command"] = self.command
        if self.env is not None:
            sent["env"] = [variable.as_dict() for variable in self.env]
        return sent


class ETLSpecMsg(InitETLArgs):
    """A transformer that is to be started, with what it runs."""

    runtime: ETLRuntimeSpec

    def as_dict(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "name": self.name,
            "communication": f"{self.comm_type}://",
            "init_timeout": self.init_timeout,
            "obj_timeout": self.obj_timeout,
            "support_direct_put": self.direct_put,
            "runtime": self.runtime.as_dict(),
        }


class ETLInitMsg(Model):
    """How a transformer was started.

    ``spec`` is a pod: the server's, or one that says what ``runtime`` says, for programs that read pods.
    """

    name: str
    communication: str = ""
    init_timeout: str | None = None
    obj_timeout: str | None = None
    code: bytes | None = None
    spec: bytes | None = None
    dependencies: bytes | None = None
    chunk_size: int = 0
    runtime: ETLRuntimeSpec | str | None = None

    def model_post_init(self, context: Any, /) -> None:
        if self.code is not None:
            self.code = base64.b64decode(self.code)
        if self.spec is not None:
            self.spec = base64.b64decode(self.spec)
        elif isinstance(self.runtime, ETLRuntimeSpec):
            self.spec = json.dumps(self._pod(self.runtime), indent=2).encode()

    def _pod(self, runtime: ETLRuntimeSpec) -> dict[str, Any]:
        # JSON is YAML, which programs read it as.
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": self.name,
                "annotations": {
                    "communication_type": self.communication,
                    "wait_timeout": self.init_timeout,
                },
            },
            "spec": {"containers": [{"name": "server", **runtime.as_dict()}]},
        }


class ETLObjError(Model):
    """What went wrong with one object."""

    obj_name: str
    msg: str
    ecode: int


class ETLDetails(Model):
    """A transformer: how it was started, and what went wrong."""

    init_msg: ETLInitMsg
    obj_errors: list[ETLObjError] | None = None


class ETLNodeLogs(Model):
    """What a transformer wrote on one target."""

    target_id: str = ""
    logs: str = ""


class NodeStats(Model):
    """State and counters of a node."""

    snode: Snode | None = None
    tracker: dict[str, Any] = field(default_factory=dict)
    capacity: dict[str, Any] = field(default_factory=dict)
    status: str = ""
    deployment: str = ""
    ais_version: str = ""
    build_time: str = ""
    k8s_pod_name: str = ""
    smap_version: str = ""


def __getattr__(name: str) -> Any:
    # Of earlier generations, and hardly asked for.
    from . import _earlier_types
    from ._earlier import warn

    successor = _earlier_types.SUCCESSORS.get(name)
    if successor is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn(f"types.{name}", f"types.{successor}")
    return getattr(_earlier_types, name)
