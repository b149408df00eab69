"""Data pipes over AIStore: URLs of objects, and their contents. Deprecated: the data sets of this package are quicker.

They are pipes of ``torch.utils.data``, and so of torchdata up to 0.9. Each is also a method of other pipes:
``pipe.ais_list_files(url=…)``, ``pipe.ais_load_files(url=…)``, ``pipe.ais_list_sources(…)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .._earlier import warn
from ..ais_source import AISSource
from ..client import Client
from ..etl.etl_config import ETLConfig
from .utils import parse_url, unparse_url

try:
    from torch.utils.data import IterDataPipe, functional_datapipe
    from torch.utils.data.datapipes.utils.common import StreamWrapper
except ImportError as error:
    raise ImportError(
        "data pipes need a PyTorch that has them (torch.utils.data.IterDataPipe); data sets of "
        "holdall.aistore.pytorch, such as AISIterDataset, need any: pip install torch"
    ) from error


@functional_datapipe("ais_list_files")
class AISFileListerIterDataPipe(IterDataPipe):  # type: ignore[misc, type-arg]
    """The URLs of all objects below the URLs that a pipe gives, such as ``ais://bucket/prefix``.

    Args:
        source_datapipe: Gives the URLs.
        url: The endpoint of the cluster.
        length: How many there are, where that is known.
    """

    def __init__(self, source_datapipe: Iterable[str], url: str, length: int = -1) -> None:
        warn(type(self).__name__, "Bucket.list_urls")
        self.source_datapipe = source_datapipe
        self.length = length
        self.client = Client(url)

    def __iter__(self) -> Iterator[str]:
        for url in self.source_datapipe:
            provider, bucket, prefix = parse_url(url)
            for entry in self.client.bucket(bucket, provider).list_objects_iter(prefix=prefix):
                yield unparse_url(provider, bucket, entry.name)

    def __len__(self) -> int:
        if self.length == -1:
            raise TypeError(f"{type(self).__name__} instance doesn't have valid length")
        return self.length


@functional_datapipe("ais_load_files")
class AISFileLoaderIterDataPipe(IterDataPipe):  # type: ignore[misc, type-arg]
    """Pairs of an object's URL and its content as a file object, for the URLs that a pipe gives.

    Args:
        source_datapipe: Gives the URLs.
        url: The endpoint of the cluster.
        length: Not looked at, as ever: there are as many as there are URLs.
        etl_name: An ETL that objects pass through.
    """

    def __init__(
        self,
        source_datapipe: Iterable[str],
        url: str,
        length: int = -1,
        etl_name: str | None = None,
    ) -> None:
        warn(type(self).__name__, "AISIterDataset")
        self.source_datapipe: Any = source_datapipe
        self.length = length
        self.client = Client(url)
        self.etl_name = etl_name

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        etl = ETLConfig(self.etl_name) if self.etl_name else None
        for url in self.source_datapipe:
            reader = self.client.get_object_from_url(url).get_reader(etl=etl)
            yield url, StreamWrapper(reader.raw())

    def __len__(self) -> int:
        return len(self.source_datapipe)


@functional_datapipe("ais_list_sources")
class AISSourceLister(IterDataPipe):  # type: ignore[misc, type-arg]
    """The URLs to read the objects of buckets and groups by HTTP.

    Args:
        ais_sources: The buckets and groups.
        prefix: What names of objects must begin with.
        etl_name: An ETL that objects pass through.
    """

    def __init__(
        self, ais_sources: list[AISSource], prefix: str = "", etl_name: str | None = None
    ) -> None:
        warn(type(self).__name__, "AISSource.list_urls")
        self.sources = ais_sources
        self.prefix = prefix
        self.etl_name = etl_name

    def __iter__(self) -> Iterator[str]:
        etl = ETLConfig(self.etl_name) if self.etl_name else None
        for source in self.sources:
            yield from source.list_urls(prefix=self.prefix, etl=etl)


AISFileLister = AISFileListerIterDataPipe
AISFileLoader = AISFileLoaderIterDataPipe
