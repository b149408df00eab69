"""Servers, documents and credentials for the tests of `holdall.stac`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from .helpers import Server, make_item


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server of the test's own."""
    started = Server()
    yield started
    started.close()


@pytest.fixture
def other_server() -> Iterator[Server]:
    """Return another server, which is another origin."""
    started = Server()
    yield started
    started.close()


@pytest.fixture
def item(server: Server) -> dict[str, Any]:
    """Return an item with two assets on the server."""
    return make_item(
        "one",
        {
            "data": {
                "href": server.add("/data/image.tif", b"image" * 1000, "image/tiff"),
                "type": "image/tiff; application=geotiff",
                "roles": ["data"],
            },
            "meta": {
                "href": server.add("/data/meta.txt", b"meta", "text/plain"),
                "roles": ["metadata"],
            },
        },
    )


@pytest.fixture
def s3_environment(monkeypatch) -> dict[str, str]:
    """Set the environment up for the S3 service, and return its settings."""
    endpoint = os.environ.get("HOLDALL_TEST_S3_ENDPOINT")
    if not endpoint:
        pytest.skip("no S3 service: run services/up and source .services/env")
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "holdall",
        "AWS_SECRET_ACCESS_KEY": "holdall-secret",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings
