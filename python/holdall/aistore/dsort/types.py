"""How far dSort jobs are."""

from __future__ import annotations

from typing import List, Optional  # noqa: UP035

from .._model import Model, field
from ..types import BucketModel


class TimeStats(Model):
    """How long something took, in milliseconds, as decimal texts."""

    total_ms: str
    count: str
    min_ms: str
    max_ms: str
    avg_ms: str


class ThroughputStats(Model):
    """How fast something went, in bytes per second, as decimal texts."""

    total: str
    count: str
    min_throughput: str
    max_throughput: str
    avg_throughput: str


class DetailedStats(TimeStats, ThroughputStats):
    """How long and how fast."""


class PhaseInfo(Model):
    """What all phases of a job tell."""

    started_time: str
    end_time: str
    elapsed: int
    running: bool
    finished: bool


class LocalExtraction(PhaseInfo):
    """The first phase: shards are read."""

    total_count: str
    extracted_count: str
    extracted_size: str
    extracted_record_count: str
    extracted_to_disk_count: str
    extracted_to_disk_size: str
    single_shard_stats: Optional[DetailedStats] = None  # noqa: UP045


class MetaSorting(PhaseInfo):
    """The second phase: records are put in order."""

    sent_stats: Optional[TimeStats] = None  # noqa: UP045
    recv_stats: Optional[TimeStats] = None  # noqa: UP045


class ShardCreation(PhaseInfo):
    """The last phase: shards are written."""

    to_create: str
    created_count: str
    moved_shard_count: str
    req_stats: Optional[TimeStats] = None  # noqa: UP045
    resp_stats: Optional[TimeStats] = None  # noqa: UP045
    local_send_stats: Optional[DetailedStats] = None  # noqa: UP045
    local_recv_stats: Optional[DetailedStats] = None  # noqa: UP045
    single_shard_stats: Optional[DetailedStats] = None  # noqa: UP045


class DsortMetrics(Model):
    """All phases, and what went wrong."""

    local_extraction: LocalExtraction
    meta_sorting: MetaSorting
    shard_creation: ShardCreation
    aborted: Optional[bool] = None  # noqa: UP045
    archived: Optional[bool] = None  # noqa: UP045
    description: Optional[str] = None  # noqa: UP045
    warnings: Optional[List[str]] = None  # noqa: UP006, UP045
    errors: Optional[List[str]] = None  # noqa: UP006, UP045
    extended: Optional[bool] = None  # noqa: UP045


class JobInfo(Model):
    """What one target tells of a job. Durations are in nanoseconds."""

    id: str
    src_bck: BucketModel = field(alias="src-bck")
    dst_bck: BucketModel = field(alias="dst-bck")
    started_time: Optional[str] = None  # noqa: UP045
    finish_time: Optional[str] = None  # noqa: UP045
    extracted_duration: Optional[int] = field(None, alias="started_meta_sorting")  # noqa: UP045
    sorting_duration: Optional[int] = field(None, alias="started_shard_creation")  # noqa: UP045
    creation_duration: Optional[int] = field(None, alias="finished_shard_creation")  # noqa: UP045
    objects: str = field(alias="loc-objs")
    bytes: str = field(alias="loc-bytes")
    metrics: DsortMetrics = field(alias="Metrics")
    aborted: bool
    archived: bool
