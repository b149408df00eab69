"""File systems of fsspec in memory, on the disk and in S3."""

from __future__ import annotations

import uuid
from typing import Any

from conftest import s3_settings

from holdall.fsspec import FsspecStore

KINDS = ["memory", "file", "s3"]


def place_of(request: Any, tmp_path: Any) -> tuple[FsspecStore, str]:
    """Return a file system of the kind that is the parameter of a fixture, and a directory of its own, cleared at its end."""
    if request.param == "memory":
        return FsspecStore("memory", skip_instance_cache=True), "dir"
    if request.param == "file":
        return FsspecStore("file", skip_instance_cache=True), f"{tmp_path}/dir"
    fs = FsspecStore(
        "s3",
        config=s3_settings(),
        client_options={"allow_http": True},
        skip_instance_cache=True,
    )
    path = f"test-bucket/fsspec-{uuid.uuid4().hex}"

    def clear() -> None:
        fs.invalidate_cache()
        if fs.exists(path):
            fs.rm(path, recursive=True)

    request.addfinalizer(clear)
    return fs, path
