"""Content in shared memory."""

from __future__ import annotations

import contextlib
from multiprocessing import shared_memory
from typing import Any


class ParallelBuffer:
    """Content in shared memory, which other processes can open by its name. It is gone when it is closed.

    Args:
        shm: the memory.
        size: bytes of content in it.
    """

    def __init__(self, shm: shared_memory.SharedMemory, size: int) -> None:
        self._shm: shared_memory.SharedMemory | None = shm
        self._size = size
        whole: Any = shm.buf
        self._buf: memoryview = whole[:size]

    @property
    def buf(self) -> memoryview:
        """The content, without a copy."""
        return self._buf

    @property
    def name(self) -> str:
        """The memory's name."""
        if self._shm is None:
            raise ValueError("the buffer is closed")
        return self._shm.name

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return self.tobytes()

    def tobytes(self) -> bytes:
        """A copy of the content."""
        return bytes(self._buf)

    def close(self) -> None:
        """Give the memory back. Views of it must be gone."""
        shm = self._shm
        if shm is None:
            return
        self._shm = None
        self._buf.release()
        shm.close()
        shm.unlink()

    def __enter__(self) -> ParallelBuffer:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, BufferError, FileNotFoundError):
            self.close()
