"""AIStore: a client with the interface of its official SDK, and a server for its API in this process.

>>> from holdall import aistore
>>> with aistore.serve() as server:
...     bucket = aistore.Client(server.url).bucket("shards").create()
...     _ = bucket.object("a.txt").get_writer().put_content(b"hello")
...     bucket.object("a.txt").get_reader().read_all()
b'hello'

Modules have the names of ``aistore.sdk``'s: ``aistore.sdk.X`` is ``holdall.aistore.X`` here, and
`holdall.compat.install` makes ``import aistore`` find them. Methods have asynchronous twins, named ``…_async``.
"""

from __future__ import annotations

from ._server import Auth, FaultCount, Server, Transformers, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .ais_source import AISSource
    from .archive_config import ArchiveConfig
    from .authn.authn_client import AuthNClient
    from .batch.batch import Batch
    from .blob_download_config import BlobDownloadConfig
    from .bucket import Bucket
    from .client import Client
    from .cluster import Cluster
    from .dataset.data_shard import DataShard
    from .etl.etl import Etl
    from .job import Job
    from .list_object_flag import ListObjectFlag
    from .namespace import Namespace
    from .obj.object import Object
    from .retry_config import ColdGetConf, RetryConfig
    from .wait_result import WaitResult

__all__ = [
    "AISSource",
    "ArchiveConfig",
    "Auth",
    "AuthNClient",
    "Batch",
    "BlobDownloadConfig",
    "Bucket",
    "Client",
    "Cluster",
    "ColdGetConf",
    "DataShard",
    "Etl",
    "FaultCount",
    "Job",
    "ListObjectFlag",
    "Namespace",
    "Object",
    "RetryConfig",
    "Server",
    "Transformers",
    "WaitResult",
    "serve",
]

_PLACES = {
    "AISSource": "ais_source",
    "ArchiveConfig": "archive_config",
    "AuthNClient": "authn.authn_client",
    "Batch": "batch.batch",
    "BlobDownloadConfig": "blob_download_config",
    "Bucket": "bucket",
    "Client": "client",
    "Cluster": "cluster",
    "ColdGetConf": "retry_config",
    "DataShard": "dataset.data_shard",
    "Etl": "etl.etl",
    "Job": "job",
    "ListObjectFlag": "list_object_flag",
    "Namespace": "namespace",
    "Object": "obj.object",
    "RetryConfig": "retry_config",
    "WaitResult": "wait_result",
}


def __getattr__(name: str) -> object:
    """Import a class when somebody asks for it: a server alone needs none."""
    from importlib import import_module

    if name == "__version__":
        # The generation of the SDK whose interface this is; programs compare it.
        return import_module(f"{__name__}.version").__version__
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{place}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
