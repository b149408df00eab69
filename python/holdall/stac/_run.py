"""Running jobs: natively where a client is ours, in Python where it is the caller's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import warnings
from asyncio import QueueFull
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ._url import url_of
from .client import Client, Clients, _stream
from .config import Config
from .messages import (
    ErrorAssetDownload,
    FinishAssetDownload,
    OpenUrl,
    SkipAssetDownload,
    StartAssetDownload,
    WriteChunk,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdall._holdall import StacClients, StacHints

    from .types import MessageQueue

__all__ = ["Job", "run_jobs", "run_native"]


@dataclass
class Job:
    """One asset to be moved, and what came of it."""

    key: str | None
    owner_id: str | None
    href: str
    target: str
    hints: StacHints | None = None
    others: Sequence[tuple[str, StacHints | None]] = ()
    """Where else the bytes are, with what is known of access to each place, in the order in which they are tried."""

    media_type: str | None = None
    size: int | None = None
    checksum: str | None = None
    same_as: int | None = field(default=None, init=False)
    announced: bool = field(default=False, init=False)
    """Whether somebody else tells when it begins and ends."""

    # What came of it; of the class until then, as there may be many thousands.
    error: Exception | None = field(default=None, init=False)
    bytes: int = field(default=0, init=False)
    skipped: bool = field(default=False, init=False)
    digest: str | None = field(default=None, init=False)
    server_media_type: str | None = field(default=None, init=False)

    @cached_property
    def path(self) -> Path:
        """The target as a path, for messages and for clients of the caller."""
        return Path(self.target)


async def run_jobs(
    jobs: list[Job],
    clients: Clients,
    config: Config,
    messages: MessageQueue | None,
    max_concurrent: int,
    stream: bool | None,
    compare_source: bool = False,
) -> None:
    """Run jobs and note what came of each.

    Raises:
        Exception: with ``config.fail_fast``, the first failure; everything else has ended then.
    """
    groups: dict[int, tuple[Client, list[Job]]] = {}
    for job in jobs:
        if job.same_as is not None:
            continue
        if job.error is not None:
            if config.fail_fast:
                raise job.error
            continue
        try:
            client = clients.present(job.href) or await clients.get_client(job.href)
        except Exception as error:
            if config.fail_fast:
                raise
            # Nothing has begun, so there is nothing to tell; stac-asset's users count on that.
            job.error = error
            continue
        group = groups.get(id(client))
        if group is None:
            group = groups[id(client)] = (client, [])
        group[1].append(job)
    running = []
    for client, own in groups.values():
        core = client._core() if isinstance(client, Client) else None
        if core is not None:
            running.append(run_native(core, own, config, messages, max_concurrent, compare_source))
        else:
            running.append(_run_python(client, own, config, messages, max_concurrent, stream))
    if len(running) == 1:
        await running[0]
    elif running:
        tasks = [asyncio.ensure_future(one) for one in running]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
    for job in jobs:
        if job.same_as is not None:
            first = jobs[job.same_as]
            job.error, job.bytes, job.digest = first.error, first.bytes, first.digest
            job.skipped = True
            if job.error is None and messages is not None:
                await messages.put(SkipAssetDownload(key=job.key or "", path=job.path))


async def run_native(
    core: StacClients,
    jobs: list[Job],
    config: Config,
    messages: MessageQueue | None,
    max_concurrent: int,
    compare_source: bool = False,
) -> None:
    """Run jobs in the native half."""
    options = config._run_json(max_concurrent, compare_source=compare_source)
    run = core.run(jobs, options, messages is not None)
    result = run.result()
    if messages is None:
        suspicions = await result
    else:
        teller = asyncio.ensure_future(_tell(run, jobs, messages))
        try:
            suspicions = await result
        except Exception:
            # It has ended, and what happened until then is told.
            await teller
            raise
        except BaseException:
            teller.cancel()
            await asyncio.gather(teller, return_exceptions=True)
            raise
        await teller
    for suspicion in suspicions:
        warnings.warn(str(suspicion), stacklevel=2)


async def _tell(run: Any, jobs: list[Job], messages: MessageQueue) -> None:
    while (events := await run.events()) is not None:
        for at, name, *facts in events:
            job = jobs[at]
            match name:
                case "start" if not job.announced:
                    await messages.put(_start(job))
                case "open":
                    url, size = facts
                    del url  # holds no signature: the href is what was asked for
                    await messages.put(OpenUrl(url=url_of(job.href), size=size))
                case "write":
                    with contextlib.suppress(QueueFull):
                        messages.put_nowait(WriteChunk(href=job.href, path=job.path, size=facts[0]))
                case "finish" if not job.announced:
                    await messages.put(
                        FinishAssetDownload(key=job.key or "", href=job.href, path=job.path)
                    )
                case "skip" if not job.announced:
                    await messages.put(SkipAssetDownload(key=job.key or "", path=job.path))
                case "error" if not job.announced:
                    await _tell_error(job, facts[0], messages)


def _start(job: Job) -> StartAssetDownload:
    return StartAssetDownload(
        key=job.key or "", owner_id=job.owner_id, href=job.href, path=job.path
    )


async def _tell_error(job: Job, error: Exception, messages: MessageQueue | None) -> None:
    if messages is None:
        return
    await messages.put(
        ErrorAssetDownload(key=job.key or "", href=job.href, path=job.path, error=error)
    )


async def _run_python(
    client: Client,
    jobs: list[Job],
    config: Config,
    messages: MessageQueue | None,
    max_concurrent: int,
    stream: bool | None,
) -> None:
    limit = asyncio.Semaphore(max(1, max_concurrent))

    async def one(job: Job) -> None:
        async with limit:
            try:
                await _one_python(client, job, config, messages, stream)
            except Exception as error:
                if config.fail_fast:
                    raise
                job.error = error

    tasks = [asyncio.ensure_future(one(job)) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _one_python(
    client: Client,
    job: Job,
    config: Config,
    messages: MessageQueue | None,
    stream: bool | None,
) -> None:
    if "://" in job.target:
        await _one_python_into_store(client, job, config, messages, stream)
        return
    path = job.path
    if not config.overwrite and path.exists() and await _is_complete(job, config):
        job.skipped, job.bytes = True, path.stat().st_size
        if messages is not None and not job.announced:
            await messages.put(SkipAssetDownload(key=job.key or "", path=path))
        return
    if not path.parent.exists():
        if not config.make_directory:
            raise FileNotFoundError(f"output directory does not exist: {path.parent}")
        path.parent.mkdir(parents=True, exist_ok=True)
    if messages is not None and not job.announced:
        await messages.put(_start(job))
    try:
        await client.download_href(
            job.href,
            path,
            clean=config.clean,
            content_type=job.media_type,
            messages=messages,
            **_stream(client.download_href, stream),
        )
        await _check(job, config)
    except Exception as error:
        if not job.announced:
            await _tell_error(job, error, messages)
        raise
    job.bytes = path.stat().st_size
    if messages is not None and not job.announced:
        await messages.put(FinishAssetDownload(key=job.key or "", href=job.href, path=path))


async def _one_python_into_store(
    client: Client,
    job: Job,
    config: Config,
    messages: MessageQueue | None,
    stream: bool | None,
) -> None:
    """Have the client write a local file, and put that into the store."""
    from holdall._holdall import StacClients

    core = StacClients(Config()._client_json(client_override="filesystem"))
    if not config.overwrite and await _is_in_store(job, config):
        job.skipped = True
        if messages is not None and not job.announced:
            await messages.put(SkipAssetDownload(key=job.key or "", path=job.path))
        return
    if messages is not None and not job.announced:
        await messages.put(_start(job))
    try:
        with tempfile.TemporaryDirectory(prefix="holdall-stac-") as folder:
            local = Path(folder) / (PurePosixPath(job.target).name or "asset")
            await client.download_href(
                job.href,
                local,
                clean=config.clean,
                content_type=job.media_type,
                messages=messages,
                **_stream(client.download_href, stream),
            )
            second = replace(job, href=str(local), hints=None, others=())
            own = config.copy()
            own.overwrite, own.fail_fast = True, False
            await run_native(core, [second], own, None, 1)
    except Exception as error:
        if not job.announced:
            await _tell_error(job, error, messages)
        raise
    if second.error is not None:
        if not job.announced:
            await _tell_error(job, second.error, messages)
        raise second.error
    job.bytes, job.digest = second.bytes, second.digest
    if messages is not None and not job.announced:
        await messages.put(FinishAssetDownload(key=job.key or "", href=job.href, path=job.path))


async def _is_in_store(job: Job, config: Config) -> bool:
    """Return whether the object is there, with the length and the checksum that the asset states."""
    from holdall._holdall import StacClients

    target = Config(store_config=config.target_config)
    try:
        size, _ = await StacClients(target._client_json()).head(job.target)
    except FileNotFoundError:
        return False
    if config.verify and await _wrong(job, job.target, target) is not None:
        return False
    job.bytes = size or 0
    return True


async def _check(job: Job, config: Config) -> None:
    """Compare what a client of the caller wrote with what the asset says; what is wrong does not stay."""
    if not config.verify:
        return
    error = await _wrong(job, str(job.path.absolute()), Config(client_override="filesystem"))
    if error is not None:
        if config.clean:
            job.path.unlink(missing_ok=True)
        raise error


async def _wrong(job: Job, href: str, plain: Config) -> Exception | None:
    """Return what keeps the file at an href from being what the asset says."""
    if job.size is None and job.checksum is None:
        return None
    from holdall._holdall import StacClients, stac_is_checksum

    asset: dict[str, Any] = {"href": href}
    if job.size is not None:
        asset["file:size"] = job.size
    # One that nothing can be compared with is passed over, as it is for our own clients.
    if job.checksum is not None and stac_is_checksum(job.checksum):
        asset["file:checksum"] = job.checksum
    document = {"type": "Feature", "stac_version": "1.1.0", "id": "", "assets": {"": asset}}
    core = StacClients(plain._client_json(client_override=plain.client_override))
    rows = await core.info(json.dumps(document), None, plain._plan_json(None), "content")
    *_, error, _files = rows[0]
    return error if isinstance(error, Exception) else None


async def _is_complete(job: Job, config: Config) -> bool:
    if not config.verify:
        return True
    href, plain = str(job.path.absolute()), Config(client_override="filesystem")
    return await _wrong(job, href, plain) is None
