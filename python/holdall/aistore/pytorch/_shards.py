"""Shards, member by member."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from tarfile import TarError
from typing import Any

from ..._holdall import _ArchiveMembers
from ..batch.batch import Batch
from ..bucket import Bucket
from ..etl.etl_config import ETLConfig
from ..list_object_flag import ListObjectFlag
from ._ahead import ahead

# Members that are fetched with one request.
_MEMBERS = 64

_FORMATS = (".tar.gz", ".tgz", ".tar.lz4", ".zip", ".tar")


def bucket_of(shard: Any) -> Bucket:
    """The bucket of an object."""
    return Bucket(shard.bucket_name, client=shard._client, provider=shard.bucket_provider)


def member_names(bucket: Bucket, shard: str) -> list[str]:
    """The members of a shard, by their names within it, in the order of a listing."""
    entries = bucket.list_objects_iter(prefix=shard, props="name", flags=[ListObjectFlag.ARCH_DIR])
    above = f"{shard}/"
    return [entry.name[len(above) :] for entry in entries if entry.name.startswith(above)]


def _format(name: str) -> str:
    return next((kind for kind in _FORMATS if name.endswith(kind)), ".tar")


def whole(shard: Any, etl_name: str | None) -> Iterator[tuple[str, bytes]]:
    """All files of a shard, in its order, as they arrive.

    Raises:
        TarError: When it is no archive, or is damaged.
    """
    reader = shard.get_reader(etl=ETLConfig(etl_name)) if etl_name else shard.get_reader()
    with reader.as_file() as file:
        members = _ArchiveMembers(file, _format(shard.name))
        while True:
            try:
                member = next(members)
            except StopIteration:
                return
            except ValueError as error:
                raise TarError(f"Error opening tar file {shard.name}: {error}") from error
            yield member


def in_order(shard: Any, names: list[str]) -> Iterator[bytes]:
    """The contents of members in the order of `names`, whatever that of the shard is."""
    early: dict[str, bytes] = {}
    members = whole(shard, None)
    for name in names:
        while name not in early:
            found, content = next(members, (None, b""))
            if found is None:
                raise TarError(f"{shard.name} has no member {name} any more")
            early[found] = content
        yield early.pop(name)
    if not names:
        # No archive has no members either: reading tells.
        for _ in members:
            pass


def some(shard: Any, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Some members of a shard, by name."""
    source = iter(names)
    batches = iter(lambda: list(islice(source, _MEMBERS)), [])

    def fetch(wanted: list[str]) -> list[tuple[str, bytes]]:
        batch = Batch(shard._client, bucket=bucket_of(shard), cont_on_err=False)
        for name in wanted:
            batch.add(shard, archpath=name)
        return [(out.archpath or "", content) for out, content in batch.get()]

    for pairs in ahead(batches, fetch, 2):
        yield from pairs
