"""fsspec's own suites for file systems, on memory, local files and S3."""

from __future__ import annotations

import uuid

import pytest
from conftest import s3_settings
from fsspec.implementations.local import LocalFileSystem, make_path_posix
from fsspec.tests import abstract

from holdall.fsspec import FsspecStore


class _Common(abstract.AbstractFixtures):
    @pytest.fixture
    def local_fs(self):
        return LocalFileSystem(auto_mkdir=True)

    @pytest.fixture
    def local_join(self):
        import os

        return os.path.join

    @pytest.fixture
    def local_path(self, tmp_path):
        return make_path_posix(str(tmp_path / "local-side"))

    @pytest.fixture
    def supports_empty_directories(self):
        return False


class MemoryFixtures(_Common):
    @pytest.fixture
    def fs(self):
        return FsspecStore("memory", skip_instance_cache=True)

    @pytest.fixture
    def fs_path(self):
        return "root"


class LocalFixtures(_Common):
    @pytest.fixture
    def fs(self):
        return FsspecStore("file", skip_instance_cache=True)

    @pytest.fixture
    def fs_path(self, tmp_path):
        return make_path_posix(str(tmp_path / "store-side"))

    @pytest.fixture
    def supports_empty_directories(self):
        return True


class S3Fixtures(_Common):
    @pytest.fixture
    def fs(self):
        return FsspecStore(
            "s3",
            config=s3_settings(),
            client_options={"allow_http": True},
            skip_instance_cache=True,
        )

    @pytest.fixture
    def fs_path(self, fs):
        path = f"test-bucket/fsspec-{uuid.uuid4().hex}"
        yield path
        if fs.exists(path):
            fs.rm(path, recursive=True)


class TestMemoryCopy(abstract.AbstractCopyTests, MemoryFixtures):
    pass


class TestMemoryGet(abstract.AbstractGetTests, MemoryFixtures):
    pass


class TestMemoryPut(abstract.AbstractPutTests, MemoryFixtures):
    pass


class TestMemoryPipe(abstract.AbstractPipeTests, MemoryFixtures):
    pass


class TestMemoryOpen(abstract.AbstractOpenTests, MemoryFixtures):
    pass


class TestLocalCopy(abstract.AbstractCopyTests, LocalFixtures):
    pass


class TestLocalGet(abstract.AbstractGetTests, LocalFixtures):
    pass


class TestLocalPut(abstract.AbstractPutTests, LocalFixtures):
    pass


class TestLocalPipe(abstract.AbstractPipeTests, LocalFixtures):
    pass


class TestLocalOpen(abstract.AbstractOpenTests, LocalFixtures):
    pass


class TestS3Copy(abstract.AbstractCopyTests, S3Fixtures):
    pass


class TestS3Get(abstract.AbstractGetTests, S3Fixtures):
    pass


class TestS3Put(abstract.AbstractPutTests, S3Fixtures):
    pass


class TestS3Pipe(abstract.AbstractPipeTests, S3Fixtures):
    pass


class TestS3Open(abstract.AbstractOpenTests, S3Fixtures):
    pass
