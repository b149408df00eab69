"""Stores that tests run against.

Real services are started by `services/up`; a test that needs one that is not there is skipped, and says which.
"""

from __future__ import annotations

import os
import signal
import uuid

import pytest

import holdall
from holdall.store import LocalStore, MemoryStore, S3Store

# Shells start what runs in the background with Ctrl-C ignored; tests send it to themselves.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def s3_settings() -> dict[str, str]:
    """Return the settings of the S3 service, or skip the test."""
    endpoint = os.environ.get("HOLDALL_TEST_S3_ENDPOINT")
    if not endpoint:
        pytest.skip("no S3 service: run services/up and source .services/env")
    return {
        "endpoint": endpoint,
        "access_key_id": "holdall",
        "secret_access_key": "holdall-secret",
        "region": "us-east-1",
    }


@pytest.fixture
def s3_store():
    """Return a store on the S3 service, in a key space of its own."""
    store = S3Store(
        "test-bucket",
        prefix=f"python-{uuid.uuid4().hex}",
        config=s3_settings(),
        client_options={"allow_http": True},
    )
    yield store
    holdall.delete_prefix(store)


@pytest.fixture(params=["memory", "local", "s3"])
def store(request, tmp_path):
    """Return a store of each kind in turn."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "local":
        return LocalStore(tmp_path)
    return request.getfixturevalue("s3_store")
