"""Members of several shards side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..archive_config import ArchiveConfig
from ..bucket import Bucket
from ..dataset.data_shard import DataShard
from ..etl.etl_config import ETLConfig
from ._ahead import ahead
from ._resumable import Resumable
from ._shards import in_order, member_names
from ._turns import Worker, in_turn


class AISMultiShardStream(Resumable):
    """Members of several shards, or of several series of shards, side by side: tuples of contents, one of each series. It
    ends with the shortest.

    Members come in the order of their names. Workers take turns, so that the order is the same for any number of them. An
    epoch can be continued where it was left, as of `AISBaseIterDataset`.

    Args:
        data_sources: The series.
        batch_size: Samples of a batch, where that cannot be found out; see `AISDataLoader`.
    """

    def __init__(self, data_sources: list[DataShard], *, batch_size: int | None = None) -> None:
        super().__init__(batch_size)
        self._data_sources = data_sources

    def __iter__(self) -> Iterator[tuple[bytes, ...]]:
        series = [
            self._get_shard_objects_iterator(source.bucket, source.prefix, source.etl_name)
            for source in self._data_sources
        ]
        # Each worker reads all: what belongs together is known by its place alone.
        samples = zip(*series, strict=False)
        own = in_turn(samples, Worker.this(), self._start, self._skip, self.batch_size)
        return self._delivered(own)

    def _get_shard_objects_iterator(
        self, bucket: Bucket, prefix: str = "", etl_name: str | None = None
    ) -> Iterator[bytes]:
        for entry in bucket.list_objects_iter(prefix=prefix, props="name"):
            shard: Any = bucket.object(entry.name)
            names = member_names(bucket, entry.name)
            if not etl_name:
                yield from in_order(shard, names)
                continue
            etl = ETLConfig(name=etl_name)

            def transformed(name: str, shard: Any = shard, etl: ETLConfig = etl) -> bytes:
                config = ArchiveConfig(archpath=name)
                return bytes(shard.get_reader(etl=etl, archive_config=config).read_all())

            yield from ahead(names, transformed, 4)
