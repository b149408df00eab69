"""The interface of clients, and which client reads an href."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import secrets
from abc import ABC, abstractmethod
from asyncio import Lock, QueueFull
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from holdall._holdall import StacClients, stac_client_name

from ._url import url_of
from .config import Config
from .messages import OpenUrl, WriteChunk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from yarl import URL

    from .types import MessageQueue, PathLikeObject

__all__ = ["Client", "Clients", "get_client_classes"]

T = TypeVar("T", bound="Client")

#: The methods that the native half stands for, unless a subclass has its own.
_READING = ("open_url", "open_href", "download_href")


def _native(method: Any) -> Any:
    """Mark a method whose work the native half can do."""
    method._holdall_native = True
    return method


_knows_stream: dict[Any, bool] = {}


def _takes_stream(function: Any) -> bool:
    known = _knows_stream.get(function)
    if known is None:
        parameters = inspect.signature(function).parameters
        kinds = [parameter.kind for parameter in parameters.values()]
        known = "stream" in parameters or inspect.Parameter.VAR_KEYWORD in kinds
        _knows_stream[function] = known
    return known


def _stream(method: Any, stream: bool | None) -> dict[str, Any]:
    """Return the argument ``stream`` for methods that know it; those of old subclasses do not."""
    return {"stream": stream} if _takes_stream(getattr(method, "__func__", method)) else {}


@contextlib.asynccontextmanager
async def reading(chunks: Any) -> AsyncIterator[AsyncIterator[bytes]]:
    """Yield what a client reads, and end its reading with the block: also when the bytes have no place to go.

    A method that returns an iterator in place of yielding itself is awaited.
    """
    if inspect.isawaitable(chunks):
        chunks = await chunks
    try:
        yield chunks
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


class Client(ABC):
    """An abstract base class for all clients.

    Subclasses implement `open_url`; files are written by this class, under a temporary name first.
    """

    name: str
    """The name of this client."""

    @classmethod
    async def from_config(cls: type[T], config: Config) -> T:
        """Create a client using the provided configuration.

        Needed because some client setups require async operations.
        """
        return cls()

    def __init__(self) -> None:  # noqa: B027
        pass

    @abstractmethod
    async def open_url(
        self,
        url: URL,
        content_type: str | None = None,
        messages: MessageQueue | None = None,
        stream: bool | None = None,
    ) -> AsyncIterator[bytes]:
        """Open a url and yield an iterator over its bytes.

        This is the core method that all clients must implement.

        Args:
            url: The input url
            content_type: The expected content type, to be checked by the client implementations
            messages: An optional queue to use for progress reporting
            stream: If enabled, it iterates over the bytes of the response; otherwise, it reads the entire file into
                memory

        Yields:
            Chunks of the read file
        """
        if False:  # makes this an asynchronous generator
            yield b""

    @_native
    async def open_href(
        self,
        href: str,
        content_type: str | None = None,
        messages: MessageQueue | None = None,
        stream: bool | None = None,
    ) -> AsyncIterator[bytes]:
        """Open a href and yield an iterator over its bytes.

        Args:
            href: The input href
            content_type: The expected content type
            messages: An optional queue to use for progress reporting
            stream: As in `open_url`

        Yields:
            Chunks of the read file
        """
        chunks = self.open_url(
            url_of(href),
            content_type=content_type,
            messages=messages,
            **_stream(self.open_url, stream),
        )
        async with reading(chunks) as body:
            async for chunk in body:
                yield chunk

    @_native
    async def download_href(
        self,
        href: str,
        path: PathLikeObject,
        clean: bool = True,
        content_type: str | None = None,
        messages: MessageQueue | None = None,
        stream: bool | None = None,
    ) -> None:
        """Download a file to the local filesystem. It has its name when it is whole, and not before.

        Args:
            href: The input href
            path: The output file path
            clean: If an error occurs, delete what was received
            content_type: The expected content type
            messages: An optional queue to use for progress reporting
            stream: As in `open_url`
        """
        target = Path(path)
        partial = target.with_name(f".{target.name[:40]}.{secrets.token_hex(8)}.part")
        # The file is opened first, as a missing directory is nothing that a server has to be asked about; and here, as a thread
        # would go on to make it for somebody who is cancelled.
        with partial.open("wb") as file:
            try:
                chunks = self.open_href(
                    href,
                    content_type=content_type,
                    messages=messages,
                    **_stream(self.open_href, stream),
                )
                async with reading(chunks) as body:
                    async for chunk in body:
                        await asyncio.to_thread(file.write, chunk)
                        if messages:
                            message = WriteChunk(href=href, path=target, size=len(chunk))
                            with contextlib.suppress(QueueFull):
                                messages.put_nowait(message)
                file.close()
                await asyncio.to_thread(os.replace, partial, target)
            except BaseException:
                if clean:
                    partial.unlink(missing_ok=True)
                raise

    async def href_exists(self, href: str) -> bool:
        """Return true if the href exists."""
        try:
            await self.assert_href_exists(href)
        except Exception:
            return False
        return True

    async def assert_href_exists(self, href: str) -> None:
        """Assert that a href exists.

        The default implementation naïvely opens the href and reads one chunk. Clients may implement specialized
        behavior.

        Raises:
            Exception: The underlying error when trying to open the file.
        """
        async with reading(self.open_href(href)) as body:
            async for _ in body:
                break

    async def close(self) -> None:  # noqa: B027
        """Close this client; those that hold nothing have nothing to do."""

    async def __aenter__(self: T) -> T:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        return None

    def _core(self) -> StacClients | None:
        """Return the native half that does all of this client's reading, if there is one."""
        return None


class _NativeClient(Client):
    """A client whose work is done by the native half, unless a subclass does it in Python."""

    name: str
    _config: Config | None = None
    _native_core: StacClients | None = None

    def _settings(self) -> str:
        """Return the settings of the native half."""
        return (self._config or Config())._client_json(client_override=type(self).name)

    def _is_native(self) -> bool:
        own = self.__dict__
        return all(
            name not in own and getattr(getattr(type(self), name), "_holdall_native", False)
            for name in _READING
        )

    def _get_core(self) -> StacClients:
        if self._native_core is None:
            self._native_core = StacClients(self._settings())
        return self._native_core

    def _core(self) -> StacClients | None:
        return self._get_core() if self._is_native() else None

    @_native
    async def open_href(
        self,
        href: str,
        content_type: str | None = None,
        messages: MessageQueue | None = None,
        stream: bool | None = None,
    ) -> AsyncIterator[bytes]:
        """Open a href and yield an iterator over its bytes; see `Client.open_href`."""
        if self._is_native():
            chunks = self._open(href, content_type, messages, stream)
        else:
            chunks = super().open_href(
                href, content_type, messages, **_stream(super().open_href, stream)
            )
        async with reading(chunks) as body:
            async for chunk in body:
                yield chunk

    @_native
    async def open_url(
        self,
        url: URL,
        content_type: str | None = None,
        messages: MessageQueue | None = None,
        stream: bool | None = None,
    ) -> AsyncIterator[bytes]:
        """Open a url and iterate over its bytes; see `Client.open_url`."""
        async for chunk in self._open(str(url), content_type, messages, stream):
            yield chunk

    async def _open(
        self,
        href: str,
        content_type: str | None,
        messages: MessageQueue | None,
        stream: bool | None,
    ) -> AsyncIterator[bytes]:
        body = await self._get_core().open(href, content_type)
        _warn(body.warning)
        if messages:
            await messages.put(OpenUrl(url=url_of(href), size=body.size))
        if stream is False:
            yield b"".join([chunk async for chunk in body])
            return
        async for chunk in body:
            yield chunk

    @_native
    async def download_href(
        self,
        href: str,
        path: PathLikeObject,
        clean: bool = True,
        content_type: str | None = None,
        messages: MessageQueue | None = None,
        stream: bool | None = None,
    ) -> None:
        """Download a file to the local filesystem; see `Client.download_href`."""
        if not self._is_native():
            await super().download_href(href, path, clean, content_type, messages, stream)
            return
        from ._run import Job, run_native

        config = (self._config or Config()).copy()
        config.clean, config.overwrite, config.make_directory = clean, True, False
        config.fail_fast = False
        job = Job(None, None, href, os.fspath(path), media_type=content_type)
        job.announced = True
        await run_native(self._get_core(), [job], config, messages, 1)
        if job.error is not None:
            raise job.error

    async def assert_href_exists(self, href: str) -> None:
        """Assert that the href exists."""
        if self._is_native():
            await self._get_core().assert_exists(href)
        else:
            await super().assert_href_exists(href)


def _warn(warning: Exception | None) -> None:
    if warning is not None:
        import warnings

        warnings.warn(str(warning), stacklevel=3)


class Clients:
    """An async-safe cache of clients."""

    lock: Lock
    clients: dict[str, Client]
    config: Config

    def __init__(self, config: Config, clients: list[Client] | None = None) -> None:
        self.lock = Lock()
        self.clients = {client.name: client for client in clients or ()}
        self.config = config
        self._given = set(self.clients)

    async def get_client(self, href: str) -> Client:
        """Get a client for the provided href.

        Args:
            href: The file href to download
        """
        # Whoever is there needs no lock.
        present = self.present(href)
        if present is not None:
            return present
        name = self.config.client_override or _client_name(href)
        async with self.lock:
            if name not in self.clients:
                client_class = _get_client_class_by_name(name)
                self.clients[name] = await client_class.from_config(self.config)
            return self.clients[name]

    def present(self, href: str) -> Client | None:
        """Return the client for an href, if there is one already."""
        return self.clients.get(self.config.client_override or _client_name(href))

    async def close_all(self) -> None:
        """Close the clients that were made here. Those that were given belong to their giver."""
        async with self.lock:
            for name, client in self.clients.items():
                if name not in self._given:
                    await client.close()


def _client_name(href: str) -> str:
    if "://" not in href:
        return "filesystem"
    return stac_client_name(href)


def _get_client_class_by_name(name: str) -> type[Client]:
    for client_class in get_client_classes():
        if getattr(client_class, "name", None) == name:
            return client_class
    raise ValueError(f"no client with name: {name}")


def get_client_classes() -> list[type[Client]]:
    """Return a list of all known subclasses of Client."""
    # The clients of this package are known when their modules are.
    from . import (
        earthdata_client,
        filesystem_client,
        http_client,
        planetary_computer_client,
        s3_client,
        store_client,
    )

    del (
        earthdata_client,
        filesystem_client,
        http_client,
        planetary_computer_client,
        s3_client,
        store_client,
    )
    found: list[type[Client]] = []

    def collect(cls: type[Client]) -> None:
        for subclass in cls.__subclasses__():
            if subclass is not _NativeClient and subclass not in found:
                found.append(subclass)
            collect(subclass)

    collect(Client)  # type: ignore[type-abstract]
    return found
