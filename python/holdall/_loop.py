"""The event loop on which asynchronous credential providers run.

Providers may be asked from synchronous calls and from any thread, so they get a loop of their own, in a daemon thread
that starts with the first of them.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_owner: int | None = None


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop, _owner
    with _lock:
        # A forked child has the parent's loop object but not its thread.
        if _loop is None or _owner != os.getpid():
            _loop = asyncio.new_event_loop()
            _owner = os.getpid()
            threading.Thread(target=_loop.run_forever, name="holdall-loop", daemon=True).start()
        return _loop


def wait_for(awaitable: Awaitable[Any], loop: asyncio.AbstractEventLoop | None = None) -> Any:
    """Run an awaitable to its end, on `loop` where it is given, and return its result."""

    async def run() -> Any:
        return await awaitable

    return _run_on(loop or _running_loop(), run())


def _run_on(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop of another thread and return its result, unless the loop ends before it has begun."""
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        while True:
            try:
                return future.result(timeout=1)
            except TimeoutError:
                if future.done():
                    raise
                if loop.is_closed():
                    raise RuntimeError("the event loop was closed before it was asked") from None
    finally:
        # One that never began would be warned of.
        if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
            coroutine.close()


async def _take(iterator: Any, size: int) -> list[Any]:
    taken, length = [], 0
    while length < size:
        try:
            chunk = await anext(iterator)
        except StopAsyncIteration:
            break
        taken.append(chunk)
        length += memoryview(chunk).nbytes
    return taken


def take(loop: asyncio.AbstractEventLoop, iterator: Any, size: int) -> list[Any]:
    """Take buffers from an asynchronous iterator until they have `size` bytes; called off the loop's thread."""
    return _run_on(loop, _take(iterator, size))
