"""Samples of shards in the layout of WebDataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ._shards import bucket_of, member_names, some, whole
from ._sources import Prefixes, Sources, progress
from ._turns import Worker, asked_at_once
from .base_iter_dataset import AISBaseIterDataset
from .utils import get_basename, get_extension

Contents = dict[str, bytes]


class AISShardReader(AISBaseIterDataset):
    """Samples of shards: pairs of a sample's name and its files' contents by their extensions. Files of a sample have its
    name up to their first dot.

    Every sample has all extensions that were seen so far; what it lacks is empty, so that batches can be put together.

    Args:
        bucket_list: The buckets of the shards, or one.
        prefix_map: Prefixes, or one, that names of a bucket's shards must have.
        etl_name: An ETL that shards pass through as a whole. Workers then take shards in turn, so the order depends on
            their number.
        show_progress: Whether a bar is shown for each shard.
        partition_sources_by_worker: As of `AISBaseIterDataset`.
        **options: ``shuffle`` (of shards), ``seed``, ``batch_size``, as of `AISBaseIterDataset`.
    """

    def __init__(
        self,
        bucket_list: Sources,
        prefix_map: Prefixes | None = None,
        etl_name: str | None = None,
        show_progress: bool = False,
        partition_sources_by_worker: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(bucket_list, prefix_map, partition_sources_by_worker, **options)
        self._etl_name = etl_name
        self._show_progress = show_progress
        self._observed_keys: dict[str, None] = {}

    class ZeroDict(dict[str, bytes]):
        """The files of a sample, with empty ones for those that it lacks."""

        def __init__(self, dict: Contents, keys: Iterable[str]) -> None:
            super().__init__(dict)
            for key in keys:
                self.setdefault(key, b"")

    def __len__(self) -> int:
        """The number of files in all shards, whose members are listed for it."""
        shards = self._create_objects_iter()
        return sum(len(member_names(bucket_of(shard), shard.name)) for shard in shards)

    def __iter__(self) -> Iterator[tuple[str, Contents]]:
        self._reset_iterator()
        self._observed_keys = {}
        worker = Worker.this()
        if self._etl_name or (self._partition_sources_by_worker and worker.count > 1):
            passed, self._start, self._skip = self._start + self._skip, 0, 0
            shards, name = self._get_worker_iter_info()
            # What is passed over are samples, not shards.
            self._skip = passed
            return self._delivered(self._of_whole_shards(shards, name, passed))
        everything: Any = self._obj_iterator
        return self._delivered(self._in_turn(everything, worker))

    def _of_whole_shards(
        self, shards: Iterable[Any], worker: str, passed: int
    ) -> Iterator[tuple[str, Contents]]:
        """The samples of this worker's own shards, without the first ones that are passed over."""
        for shard in shards:
            members = list(whole(shard, self._etl_name))
            samples = self._samples([name for name, _ in members])
            contents = dict(members)
            for name, files in self._shown(samples.items(), shard, worker):
                if passed:
                    passed -= 1
                    continue
                found = {extension: contents[file] for extension, file in files.items()}
                yield name, self.ZeroDict(found, self._observed_keys)

    def _in_turn(self, shards: Iterable[Any], worker: Worker) -> Iterator[tuple[str, Contents]]:
        """This worker's samples of all shards. Every worker knows what is in each, and fetches what is its own."""
        at_once = self.batch_size or (asked_at_once() if worker.count > 1 else 1)
        first, start, skip = 0, self._start, self._skip
        for shard in shards:
            samples = self._samples(member_names(bucket_of(shard), shard.name))
            own = []
            for place, name in enumerate(samples, start=first):
                if place < start or not worker.has((place - start) // at_once):
                    continue
                if skip:
                    skip -= 1
                    continue
                own.append(name)
            first += len(samples)
            # A shard without members may be none at all: reading tells.
            if own or not samples:
                yield from self._shown(self._fetched(shard, samples, own), shard, worker.name)

    def _fetched(
        self, shard: Any, samples: dict[str, dict[str, str]], own: list[str]
    ) -> Iterator[tuple[str, Contents]]:
        keys = dict(self._observed_keys)
        wanted = {file for name in own for file in samples[name].values()}
        members = (
            whole(shard, None)
            if len(own) == len(samples)
            else some(shard, [file for name in own for file in samples[name].values()])
        )
        found: Contents = {}
        for name in own:
            files = samples[name]
            for file in files.values():
                while file not in found:
                    member, content = next(members)
                    if member in wanted:
                        found[member] = content
            yield name, self.ZeroDict({kind: found.pop(f) for kind, f in files.items()}, keys)
        if not samples:
            # Says so when it is no archive.
            for _ in members:
                pass

    def _samples(self, members: Iterable[str]) -> dict[str, dict[str, str]]:
        """From samples to extensions to members; extensions are remembered."""
        samples: dict[str, dict[str, str]] = {}
        for member in members:
            extension = get_extension(member)
            if extension:
                self._observed_keys[extension] = None
                samples.setdefault(get_basename(member), {})[extension] = member
        return samples

    def _shown(self, items: Iterable[Any], shard: Any, worker: str) -> Iterable[Any]:
        return progress(items, shard.name, worker, self._show_progress)
