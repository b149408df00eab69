"""Shards to read."""

from __future__ import annotations

from dataclasses import dataclass

from ..client import Client
from ..provider import Provider


@dataclass
class DataShard:
    """The shards of a bucket whose names have a prefix.

    Attributes:
        client_url: The endpoint of the cluster.
        bucket_name: The bucket.
        provider: Its provider.
        prefix: What names of shards begin with.
        etl_name: An ETL that members pass through.
    """

    client_url: str
    bucket_name: str
    provider: str | Provider = Provider.AIS
    prefix: str = ""
    etl_name: str | None = None

    def __post_init__(self) -> None:
        self.client = Client(self.client_url)
        self.bucket = self.client.bucket(bck_name=self.bucket_name, provider=self.provider)
