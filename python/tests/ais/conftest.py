"""A server, and a client of ours for it.

The same tests run against a real cluster whose address is in ``HOLDALL_TEST_AIS_ENDPOINT``.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from holdall import aistore
from holdall.aistore import Bucket, Client


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the cluster: a server of our own, unless another is named."""
    if named := os.environ.get("HOLDALL_TEST_AIS_ENDPOINT"):
        yield named
        return
    promoted = tmp_path_factory.mktemp("promote")
    with aistore.serve(promote_root=promoted) as server:
        yield server.url


@pytest.fixture(scope="session")
def client(endpoint: str) -> Client:
    return Client(endpoint)


@pytest.fixture
def bucket(client: Client) -> Iterator[Bucket]:
    """A new bucket, gone at the end of the test."""
    made = client.bucket(f"test-{uuid.uuid4().hex[:12]}").create()
    yield made
    made.delete(missing_ok=True)
