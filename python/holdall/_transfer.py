"""Moving objects: to and from files, between stores, one by one and in numbers.

All of it goes through one engine: parts side by side, every part of one version, checked against the checksums that
services state, published whole or not at all, within the limits of the process (`set_limits`).
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, overload

from . import _holdall
from ._foreign import as_store
from .exceptions import InvalidArgumentError, TransferError
from .store import LocalStore, from_url

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from typing import IO, TypeAlias, TypeVar, Unpack

    from ._types import (
        Buffer,
        CopyOptions,
        DownloadOptions,
        ManyOptions,
        PutInput,
        ReadOptions,
        SyncOptions,
        UploadOptions,
    )

    T = TypeVar("T")
    PathInput: TypeAlias = str | os.PathLike[str]
    Patterns: TypeAlias = str | Iterable[str]
    Compare: TypeAlias = Literal["size_and_time", "size", "etag", "checksum"]
    OnError: TypeAlias = Literal["raise", "return"]

__all__ = [
    "Limits",
    "Outcome",
    "Snapshot",
    "SyncAction",
    "SyncPlan",
    "TransferReport",
    "TransferResult",
    "copy_prefix",
    "copy_prefix_async",
    "download",
    "download_async",
    "download_prefix",
    "download_prefix_async",
    "get_limits",
    "move",
    "move_async",
    "plan_sync",
    "plan_sync_async",
    "read_into",
    "read_into_async",
    "set_limits",
    "sync",
    "sync_async",
    "upload",
    "upload_async",
    "upload_dir",
    "upload_dir_async",
]

_PROGRESS_SECONDS = 0.1


# What comes out


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far a transfer is; what `progress` is called with."""

    objects: int
    """Objects known so far, whatever became of them."""
    objects_done: int
    """Objects that are in their place."""
    objects_failed: int
    """Objects that failed."""
    bytes: int
    """Bytes of the objects known so far."""
    bytes_done: int
    """Bytes that are in their place."""
    bytes_resumed: int
    """Of these, bytes that an earlier, interrupted transfer had moved."""
    retries: int
    """Requests that were repeated."""
    elapsed: timedelta
    """Time since the start."""
    finished: bool
    """Whether this is the last call, however the transfer ended."""

    @property
    def rate(self) -> float:
        """Bytes per second since the start, not counting what an earlier transfer had moved."""
        moved = max(0, self.bytes_done - self.bytes_resumed)
        return moved / max(self.elapsed.total_seconds(), 1e-9)

    @property
    def remaining(self) -> timedelta | None:
        """Time left at the present rate; None before anything has moved."""
        left = max(0, self.bytes - self.bytes_done)
        return timedelta(seconds=left / self.rate) if self.rate > 0 else None


@dataclass(frozen=True, slots=True)
class TransferReport:
    """What came of the transfer of one object."""

    bytes: int
    """Length in bytes; 0 for copies made by the service, which does not tell."""
    server_side: bool
    """Whether the service made the copy, with no byte passing through this process."""
    resumed_bytes: int
    """Bytes that an earlier, interrupted transfer had moved."""
    checksum: str | None
    """The checksum of the source that the content was found to have, as ``"crc32c:1a2b3c4d"``."""
    e_tag: str | None
    """The entity tag of the new object or file (of the source, when a Python object was written to)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object of many."""

    action: Literal["copy", "move", "delete"]
    """What was to be done."""
    source: str
    """The key in the source, relative to the prefix or directory that was given."""
    target: str
    """The key in the target, relative to the prefix or directory that was given."""
    size: int
    """Length in bytes, as the listing said."""
    report: TransferReport | None
    """What came of it; None when it failed."""
    error: Exception | None
    """Why it failed; None when it did not."""

    @property
    def ok(self) -> bool:
        """Whether it went well."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class TransferResult:
    """What became of many objects. Iterating gives the outcomes."""

    outcomes: list[Outcome]
    """One per object that was to be copied, moved or deleted, in the order in which they ended. With ``on_outcome``, which
    was called with all of them, only failures, the first thousand."""
    skipped: int = 0
    """Objects that a synchronisation found to be the same."""
    skipped_bytes: int = 0
    """Their length in bytes."""
    _told: _Told | None = field(default=None, repr=False)

    @property
    def objects(self) -> int:
        """How many objects were to be copied, moved or deleted."""
        return len(self.outcomes) if self._told is None else self._told.objects

    @property
    def objects_failed(self) -> int:
        """How many of them failed."""
        return len(self.failed) if self._told is None else self._told.failed

    @property
    def ok(self) -> bool:
        """Whether everything went well."""
        return self.objects_failed == 0

    @property
    def done(self) -> list[Outcome]:
        """The outcomes that went well."""
        return [outcome for outcome in self.outcomes if outcome.ok]

    @property
    def failed(self) -> list[Outcome]:
        """The outcomes that did not."""
        return [outcome for outcome in self.outcomes if not outcome.ok]

    @property
    def bytes(self) -> int:
        """Bytes of the objects that were copied or moved."""
        return sum(map(_moved, self.outcomes)) if self._told is None else self._told.bytes

    def raise_for_errors(self) -> None:
        """Raise `TransferError`, which carries this result, when something failed."""
        failed = self.failed
        if failed:
            text = _failed_text(failed, self.objects_failed, self.objects)
            raise TransferError(text, self) from failed[0].error

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)


@dataclass(frozen=True, slots=True)
class SyncAction:
    """One step of a synchronisation."""

    action: Literal["copy", "delete"]
    """What is to be done."""
    path: str
    """The key, relative to both source and target."""
    size: int
    """Length in bytes."""
    reason: Literal["missing", "different", "odd_key", "broken_link", "unreadable"] | None
    """Why an object is copied; None for deletions; ``"odd_key"``, ``"broken_link"`` and ``"unreadable"`` where nothing can be
    done, see `SyncPlan.refused`."""


_REFUSALS: dict[str | None, str] = {
    "odd_key": "no path can hold the key {!r}",
    "broken_link": "the symbolic link {!r} leads nowhere",
    "unreadable": "the file system does not let us look at {!r}",
}


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a synchronisation would do: data that can be printed, kept as JSON, changed, and followed (`sync(plan=…)`)."""

    source: str
    """The URL of the source, without credentials."""
    target: str
    """The URL of the target, without credentials."""
    actions: list[SyncAction] = field(default_factory=list)
    """Copies and deletions, in the order of the keys. Copies come first when the plan is followed."""
    skipped: int = 0
    """Objects that are the same."""
    skipped_bytes: int = 0
    """Their length in bytes."""
    refused: list[SyncAction] = field(default_factory=list)
    """What would have to be done, and cannot be: no path can hold the key, a symbolic link leads nowhere, or the file system
    does not let us look into a directory. Each is a failure when the plan is followed;
    `exclude` leaves them out of a plan."""

    @property
    def copies(self) -> list[SyncAction]:
        """The objects to be copied."""
        return [action for action in self.actions if action.action == "copy"]

    @property
    def deletions(self) -> list[SyncAction]:
        """The objects to be deleted."""
        return [action for action in self.actions if action.action == "delete"]

    @property
    def bytes(self) -> int:
        """Bytes to be copied."""
        return sum(action.size for action in self.copies)

    def to_json(self, *, indent: int | None = None) -> str:
        """Write the plan as JSON."""
        return json.dumps(asdict(self), indent=indent)

    @classmethod
    def from_json(cls, text: str) -> SyncPlan:
        """Read a plan that `to_json` has written."""
        data = json.loads(text)
        try:
            actions = [SyncAction(**one) for one in data["actions"]]
            refused = [SyncAction(**one) for one in data.get("refused", [])]
            return cls(**data | {"actions": actions, "refused": refused})
        except (TypeError, KeyError) as error:
            raise ValueError(f"this is not the JSON of a SyncPlan: {error}") from error

    def __str__(self) -> str:
        lines = [f"{one.action:6} {one.size:>15,} {one.path}" for one in self.actions]
        lines += [
            f"cannot {one.action} {one.size:,} bytes, {_REFUSALS[one.reason].format(one.path)}"
            for one in self.refused
        ]
        refused = f", {len(self.refused)} that cannot be done" if self.refused else ""
        lines.append(
            f"{self.source} -> {self.target}: {len(self.copies)} to copy ({self.bytes:,} bytes), "
            f"{len(self.deletions)} to delete, {self.skipped} unchanged{refused}"
        )
        return "\n".join(lines)

    def __iter__(self) -> Iterator[SyncAction]:
        return iter(self.actions)


@dataclass(frozen=True, slots=True)
class Limits:
    """What all transfers of the process may use at once."""

    memory: int
    """Bytes of objects held in memory."""
    requests: int
    """Requests in flight."""
    requests_per_host: int
    """Requests in flight to one bucket, container or host."""
    rate: int | None
    """Bytes per second, read and written together; None without a limit."""


def _failed_text(failed: list[Outcome], count: int, total: int) -> str:
    first = "; ".join(str(outcome.error) for outcome in failed[:3])
    more = f"; and {count - 3} more" if count > 3 else ""
    return f"{count} of {total} objects failed: {first}{more}"


def _moved(outcome: Outcome) -> int:
    return outcome.size if outcome.ok and outcome.action != "delete" else 0


def _report(value: Any) -> TransferReport:
    return TransferReport(*value)


def _outcome(value: Any) -> Outcome:
    action, source, target, size, report, error = value
    return Outcome(action, source, target, size, report and TransferReport(*report), error)


_FAILURES_KEPT = 1000


@dataclass(slots=True)
class _Told:
    """Outcomes that somebody was told of, in numbers."""

    objects: int = 0
    failed: int = 0
    bytes: int = 0


class _Teller:
    """Calls `on_outcome`, counts, and keeps the first failures."""

    def __init__(self, on_outcome: Callable[[Outcome], object]) -> None:
        if not callable(on_outcome):
            raise TypeError(f"on_outcome is called with an Outcome: {on_outcome!r} cannot be")
        self.on_outcome = on_outcome
        self.told = _Told()
        self.failures: list[Outcome] = []

    def __call__(self, values: list[Any]) -> None:
        for value in values:
            outcome = _outcome(value)
            self.told.objects += 1
            self.told.bytes += _moved(outcome)
            if not outcome.ok:
                self.told.failed += 1
                if len(self.failures) < _FAILURES_KEPT:
                    self.failures.append(outcome)
            self.on_outcome(outcome)


def _teller(options: dict[str, Any]) -> _Teller | None:
    on_outcome = options.pop("on_outcome", None)
    return None if on_outcome is None else _Teller(on_outcome)


def _result(value: Any, on_error: str, teller: _Teller | None) -> TransferResult:
    done, skipped, skipped_bytes, broken = value
    if teller is None:
        result = TransferResult([_outcome(one) for one in done], skipped, skipped_bytes)
    else:
        result = TransferResult(teller.failures, skipped, skipped_bytes, teller.told)
    if broken is not None:
        if not result.objects:
            raise broken
        text = f"not all objects could be found, {result.objects} were dealt with before: {broken}"
        raise TransferError(text, result) from broken
    if on_error == "raise":
        result.raise_for_errors()
    return result


# Waiting, with somebody who looks on


def _snapshot(operation: _holdall.Operation, finished: bool) -> Snapshot:
    now = operation.snapshot()
    return Snapshot(*now[:7], timedelta(seconds=now[7]), finished)


class _Watch:
    """Calls `progress`, and knows whether it has raised."""

    def __init__(
        self,
        operation: _holdall.Operation,
        progress: Callable[[Snapshot], object],
        interval: float,
    ) -> None:
        if not callable(progress):
            raise TypeError(f"progress is called with a Snapshot: {progress!r} cannot be")
        if not interval > 0:
            raise ValueError(f"progress_interval is a positive number of seconds, not {interval!r}")
        self.operation, self.progress, self.interval = operation, progress, interval
        self.raised = False

    def tell(self, finished: bool = False) -> None:
        try:
            self.progress(_snapshot(self.operation, finished))
        except BaseException:
            self.raised = True
            raise

    def end(self) -> None:
        """Tell of an end that is not a good one: the error that led there is the one to report."""
        if not self.raised:
            with suppress(Exception):
                self.tell(finished=True)


def _wait(
    operation: _holdall.Operation,
    convert: Callable[[Any], T],
    progress: Callable[[Snapshot], object] | None,
    interval: float,
    teller: _Teller | None = None,
) -> T:
    if progress is None:
        return convert(operation.wait(None, 0, teller))
    watch = _Watch(operation, progress, interval)
    try:
        watch.tell()
        value = operation.wait(watch.tell, interval, teller)
    except BaseException:
        watch.end()
        raise
    watch.tell(finished=True)
    return convert(value)


def _start(
    operation: _holdall.Operation,
    convert: Callable[[Any], T],
    progress: Callable[[Snapshot], object] | None,
    interval: float,
    teller: _Teller | None = None,
) -> Coroutine[Any, Any, T]:
    if progress is None and teller is None:
        return operation.start(convert)
    watch = None if progress is None else _Watch(operation, progress, interval)
    return _watched(operation, operation.start(lambda value: value), convert, watch, teller)


async def _watched(
    operation: _holdall.Operation,
    awaitable: Coroutine[Any, Any, Any],
    convert: Callable[[Any], T],
    watch: _Watch | None,
    teller: _Teller | None,
) -> T:
    tasks: set[asyncio.Future[Any]] = {task := asyncio.ensure_future(awaitable)}
    if teller is not None:
        tasks.add(asyncio.ensure_future(_told(operation, teller)))
    try:
        while tasks:
            if watch is not None:
                watch.tell()
            timeout = None if watch is None else watch.interval
            ended, tasks = await asyncio.wait(
                tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            for one in ended:
                one.result()
        value = task.result()
    except BaseException:
        running = {task, *tasks}
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if watch is not None:
            watch.end()
        raise
    if watch is not None:
        watch.tell(finished=True)
    # Not before all outcomes have been told of: they are in the result.
    return convert(value)


async def _told(operation: _holdall.Operation, teller: _Teller) -> None:
    while outcomes := await operation.outcomes():
        teller(outcomes)


@atexit.register
def _settle() -> None:
    """Give uploads that were cancelled a moment to be aborted; what is left the next upload to the same place finds."""
    running, _ = _holdall._unsettled()
    if running:
        time.sleep(0.02)
    until = time.monotonic() + 2
    while _holdall._unsettled()[1] and time.monotonic() < until:
        time.sleep(0.005)


# One object


def _download(
    store: Any, path: PathInput, file: PathInput | IO[bytes], options: Any
) -> _holdall.Operation:
    ours = as_store(store)
    if not isinstance(file, str) and hasattr(file, "write"):
        return _holdall._download_to_writer(ours, path, file, options)
    name = os.fspath(file)
    if os.path.isdir(name) or name.endswith(("/", os.sep)):
        raise InvalidArgumentError(
            f"download {path} to {name}: that is a directory; give the name of the file"
        )
    return _holdall._download(ours, path, name, options)


def download(
    store: Any,
    path: PathInput,
    file: PathInput | IO[bytes],
    *,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[DownloadOptions],
) -> TransferReport:
    """Download an object to a file.

    The file appears under its name when it is whole and checked, not before; its directory is made where needed. Large
    objects arrive in parts, several at once, all of one version.

    Args:
        store: where the object is.
        path: the key.
        file: the name of the file; or an object with ``write``, which gets the bytes in order (the checksum is
            compared when all have been written).
        progress: is called with a `Snapshot`, on this thread, at once, every `progress_interval` and at the end. What
            it raises ends the transfer. `holdall.progress` has some that draw bars.
        progress_interval: seconds between two calls.
        options: see `holdall.DownloadOptions`. With an object to write to: those of `holdall.ReadOptions`.

    Raises:
        NotFoundError: there is no such object.
        AlreadyExistsError: the file exists and ``overwrite`` is False.
        CorruptReplyError: what arrives is not what the service states.
        PreconditionError: the object keeps changing.
    """
    operation = _download(store, path, file, options)
    return _wait(operation, _report, progress, progress_interval)


def download_async(
    store: Any,
    path: PathInput,
    file: PathInput | IO[bytes],
    *,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[DownloadOptions],
) -> Coroutine[Any, Any, TransferReport]:
    """Download an object to a file, to be awaited; see `download`. Cancelling it leaves no file."""
    operation = _download(store, path, file, options)
    return _start(operation, _report, progress, progress_interval)


def upload(
    store: Any,
    path: PathInput,
    file: PutInput,
    *,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[UploadOptions],
) -> TransferReport:
    """Upload a file, or what some other object holds.

    Readers see the old object or the new one, never a part. Large files go in parts, several at once; what cannot be
    completed is removed from the service.

    Args:
        store: where to write.
        path: the key.
        file: a path object **or str, the name of a local file**; bytes or any buffer; a file object, read from its
            present position; an iterable of buffers.
        progress: see `download`.
        progress_interval: seconds between two calls.
        options: see `holdall.UploadOptions`.

    Raises:
        NotFoundError: there is no such file.
        AlreadyExistsError: the object exists and ``overwrite`` is False.
        PreconditionError: the file changes while it is read.
        CorruptReplyError: what the service received is not what was sent.
    """
    operation = _holdall._upload(as_store(store), path, file, False, options)
    return _wait(operation, _report, progress, progress_interval)


def upload_async(
    store: Any,
    path: PathInput,
    file: PutInput,
    *,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[UploadOptions],
) -> Coroutine[Any, Any, TransferReport]:
    """Upload a file or what an object holds, an asynchronous iterable too, to be awaited; see `upload`.

    Cancelling it leaves the object as it was, and aborts what has begun with the service.
    """
    operation = _holdall._upload(as_store(store), path, file, True, options)
    return _start(operation, _report, progress, progress_interval)


def _copy(
    source: Any, from_: PathInput, target: Any, to: PathInput | None, moves: bool, options: Any
) -> _holdall.Operation:
    to = from_ if to is None else to
    return _holdall._copy(as_store(source), from_, as_store(target), to, moves, options)


def _copy_wait(
    source: Any,
    from_: PathInput,
    target: Any,
    to: PathInput | None,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Any,
) -> TransferReport:
    """Do what `holdall.copy` does between stores."""
    operation = _copy(source, from_, target, to, False, options)
    return _wait(operation, _report, progress, progress_interval)


def _copy_start(
    source: Any,
    from_: PathInput,
    target: Any,
    to: PathInput | None,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Any,
) -> Coroutine[Any, Any, TransferReport]:
    """Do what `holdall.copy_async` does between stores."""
    operation = _copy(source, from_, target, to, False, options)
    return _start(operation, _report, progress, progress_interval)


def move(
    source: Any,
    from_: PathInput,
    target: Any,
    to: PathInput | None = None,
    *,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[CopyOptions],
) -> TransferReport:
    """Move an object to another store, or to another key: copy it, check the copy, then delete it.

    Args:
        source: where the object is.
        from_: its key.
        target: where it goes.
        to: its key there; the same by default.
        progress: see `download`.
        progress_interval: seconds between two calls.
        options: see `holdall.CopyOptions`.

    Raises:
        InvalidArgumentError: source and target are the same object.
    """
    operation = _copy(source, from_, target, to, True, options)
    return _wait(operation, _report, progress, progress_interval)


def move_async(
    source: Any,
    from_: PathInput,
    target: Any,
    to: PathInput | None = None,
    *,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[CopyOptions],
) -> Coroutine[Any, Any, TransferReport]:
    """Move an object to another store, to be awaited; see `move`."""
    operation = _copy(source, from_, target, to, True, options)
    return _start(operation, _report, progress, progress_interval)


def read_into(
    store: Any,
    path: PathInput,
    buffer: Buffer,
    *,
    start: int | None = None,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[ReadOptions],
) -> int:
    """Read an object into memory of the caller: a numpy array, a bytearray, a memoryview, shared memory.

    Parts arrive side by side at their final place, without a copy in between. The buffer is held until the call ends:
    it cannot be resized meanwhile.

    Args:
        store: where the object is.
        path: the key.
        buffer: writable and C-contiguous, of any item type; it may be larger than the object.
        start: read from this byte on, as much as fits; without it the whole object has to fit.
        progress: see `download`.
        progress_interval: seconds between two calls.
        options: see `holdall.ReadOptions`. Checksums are of whole objects: with `start` none is compared.

    Returns:
        How many bytes were read. What the buffer holds after an error is undefined.

    Raises:
        InvalidArgumentError: the buffer is smaller than the object.
        PreconditionError: the object changed meanwhile.
    """
    operation = _holdall._read_into(as_store(store), path, buffer, start, options)
    return _wait(operation, int, progress, progress_interval)


def read_into_async(
    store: Any,
    path: PathInput,
    buffer: Buffer,
    *,
    start: int | None = None,
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[ReadOptions],
) -> Coroutine[Any, Any, int]:
    """Read an object into memory of the caller, to be awaited; see `read_into`.

    The buffer is held until the result has been taken; after a cancellation, until the transfer has heard of it.
    """
    operation = _holdall._read_into(as_store(store), path, buffer, start, options)
    return _start(operation, int, progress, progress_interval)


# Many objects


def _place(place: Any, mkdir: bool) -> Any:
    """Return the store that a store, a URL or a directory stands for."""
    if isinstance(place, (str, os.PathLike)):
        text = os.fspath(place)
        if "://" in text:
            return from_url(text)
        return LocalStore(text, mkdir=mkdir)
    return as_store(place)


def _check_on_error(on_error: str) -> str:
    if on_error not in ("raise", "return"):
        raise ValueError(f"on_error is 'raise' or 'return', not {on_error!r}")
    return on_error


def _many(
    source: Any,
    from_: PathInput | None,
    target: Any,
    to: PathInput | None,
    include: Patterns | None,
    exclude: Patterns | None,
    on_error: str,
    options: Any,
) -> tuple[_holdall.Operation, Callable[[Any], TransferResult], _Teller | None]:
    _check_on_error(on_error)
    teller = _teller(options)
    from_store, to_store = _place(source, False), _place(target, True)
    operation = _holdall._copy_prefix(
        from_store, from_, to_store, to, False, include, exclude, teller is not None, options
    )
    return operation, lambda value: _result(value, on_error, teller), teller


def download_prefix(
    store: Any,
    prefix: PathInput | None,
    directory: PathInput,
    *,
    include: Patterns | None = None,
    exclude: Patterns | None = None,
    on_error: OnError = "raise",
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[ManyOptions],
) -> TransferResult:
    """Download every object below a prefix into a directory.

    Args:
        store: where the objects are.
        prefix: whole segments that the keys start with; None for all objects. Keys without it become names of files.
        directory: where the files go; it is made where needed.
        include: take in keys that match this pattern, or one of these; alone, only these. `*` and `?` stay within a
            segment, `**` crosses segments, `[a-z]` and `{a,b}` are alternatives; a pattern without a slash looks at
            the last segment, one that begins with a slash at keys from the root on, one that ends with a slash at all
            that is in such directories. Keys are relative to the prefix.
        exclude: leave out keys that match, unless an inclusion takes them in.
        on_error: ``"raise"`` a `TransferError` with all outcomes when all objects have been tried and some failed,
            or ``"return"`` the result.
        progress: see `download`.
        progress_interval: seconds between two calls.
        options: see `holdall.ManyOptions`.
    """
    operation, convert, teller = _many(
        store, prefix, os.fspath(directory), None, include, exclude, on_error, options
    )
    return _wait(operation, convert, progress, progress_interval, teller)


def download_prefix_async(
    store: Any,
    prefix: PathInput | None,
    directory: PathInput,
    *,
    include: Patterns | None = None,
    exclude: Patterns | None = None,
    on_error: OnError = "raise",
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[ManyOptions],
) -> Coroutine[Any, Any, TransferResult]:
    """Download every object below a prefix into a directory, to be awaited; see `download_prefix`."""
    operation, convert, teller = _many(
        store, prefix, os.fspath(directory), None, include, exclude, on_error, options
    )
    return _start(operation, convert, progress, progress_interval, teller)


def upload_dir(
    store: Any,
    prefix: PathInput | None,
    directory: PathInput,
    *,
    include: Patterns | None = None,
    exclude: Patterns | None = None,
    on_error: OnError = "raise",
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[ManyOptions],
) -> TransferResult:
    """Upload every file below a directory.

    Args:
        store: where the objects go.
        prefix: what is put before their keys; None for nothing.
        directory: where the files are. Symbolic links are followed.
        include: see `download_prefix`; names are relative to the directory.
        exclude: see `download_prefix`.
        on_error: see `download_prefix`.
        progress: see `download`.
        progress_interval: seconds between two calls.
        options: see `holdall.ManyOptions`.

    Raises:
        StoreNotFoundError: there is no such directory.
    """
    operation, convert, teller = _many(
        os.fspath(directory), None, store, prefix, include, exclude, on_error, options
    )
    return _wait(operation, convert, progress, progress_interval, teller)


def upload_dir_async(
    store: Any,
    prefix: PathInput | None,
    directory: PathInput,
    *,
    include: Patterns | None = None,
    exclude: Patterns | None = None,
    on_error: OnError = "raise",
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[ManyOptions],
) -> Coroutine[Any, Any, TransferResult]:
    """Upload every file below a directory, to be awaited; see `upload_dir`."""
    operation, convert, teller = _many(
        os.fspath(directory), None, store, prefix, include, exclude, on_error, options
    )
    return _start(operation, convert, progress, progress_interval, teller)


def copy_prefix(
    source: Any,
    from_: PathInput | None,
    target: Any,
    to: PathInput | None,
    *,
    include: Patterns | None = None,
    exclude: Patterns | None = None,
    on_error: OnError = "raise",
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[ManyOptions],
) -> TransferResult:
    """Copy every object below a prefix to another prefix, of another store or the same.

    Args:
        source: where the objects are: a store, a URL, or a local directory.
        from_: what their keys start with, whole segments; None for all objects.
        target: where they go: a store, a URL, or a local directory.
        to: what their keys start with there; None for nothing.
        include: see `download_prefix`.
        exclude: see `download_prefix`.
        on_error: see `download_prefix`.
        progress: see `download`.
        progress_interval: seconds between two calls.
        options: see `holdall.ManyOptions`.

    Raises:
        InvalidArgumentError: the target is the source or lies inside it.
    """
    operation, convert, teller = _many(
        source, from_, target, to, include, exclude, on_error, options
    )
    return _wait(operation, convert, progress, progress_interval, teller)


def copy_prefix_async(
    source: Any,
    from_: PathInput | None,
    target: Any,
    to: PathInput | None,
    *,
    include: Patterns | None = None,
    exclude: Patterns | None = None,
    on_error: OnError = "raise",
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[ManyOptions],
) -> Coroutine[Any, Any, TransferResult]:
    """Copy every object below a prefix to another prefix, to be awaited; see `copy_prefix`."""
    operation, convert, teller = _many(
        source, from_, target, to, include, exclude, on_error, options
    )
    return _start(operation, convert, progress, progress_interval, teller)


# Synchronising


def _planning(
    source: Any,
    target: Any,
    compare: Compare,
    delete: bool,
    include: Patterns | None,
    exclude: Patterns | None,
) -> tuple[_holdall.Operation, Callable[[Any], SyncPlan]]:
    from_, to = _place(source, False), _place(target, True)
    operation = _holdall._plan(from_, None, to, None, compare, delete, include, exclude)

    def convert(steps: Any) -> SyncPlan:
        same = [size for kind, _, size, _ in steps if kind == "skip"]
        plan = SyncPlan(from_._url, to._url, skipped=len(same), skipped_bytes=sum(same))
        for action in (SyncAction(*step) for step in steps if step[0] != "skip"):
            (plan.refused if action.reason in _REFUSALS else plan.actions).append(action)
        return plan

    return operation, convert


def plan_sync(
    source: Any,
    target: Any,
    *,
    compare: Compare = "size_and_time",
    delete: bool = False,
    include: Patterns | None = None,
    exclude: Patterns | None = None,
) -> SyncPlan:
    """Compare two places and return what `sync` would do; nothing is changed.

    What cannot be done, because no path can hold a key or a symbolic link leads nowhere, is in the plan as `refused`.

    Args:
        source: a store, a URL, or a local directory.
        target: a store, a URL, or a local directory.
        compare: see `sync`.
        delete: see `sync`.
        include: see `download_prefix`.
        exclude: see `download_prefix`.
    """
    operation, convert = _planning(source, target, compare, delete, include, exclude)
    return _wait(operation, convert, None, _PROGRESS_SECONDS)


def plan_sync_async(
    source: Any,
    target: Any,
    *,
    compare: Compare = "size_and_time",
    delete: bool = False,
    include: Patterns | None = None,
    exclude: Patterns | None = None,
) -> Coroutine[Any, Any, SyncPlan]:
    """Compare two places and return what `sync` would do, to be awaited; see `plan_sync`."""
    operation, convert = _planning(source, target, compare, delete, include, exclude)
    return _start(operation, convert, None, _PROGRESS_SECONDS)


def _syncing(
    source: Any,
    target: Any,
    plan: SyncPlan | None,
    compare: Compare,
    delete: bool,
    include: Patterns | None,
    exclude: Patterns | None,
    on_error: OnError,
    options: Any,
) -> tuple[_holdall.Operation, Callable[[Any], TransferResult], _Teller | None]:
    _check_on_error(on_error)
    teller = _teller(options)
    tells = teller is not None
    from_, to = _place(source, False), _place(target, True)
    if plan is None:
        operation = _holdall._sync(
            from_, None, to, None, compare, delete, include, exclude, tells, options
        )
        return operation, lambda value: _result(value, on_error, teller), teller
    if delete or include is not None or exclude is not None or compare != "size_and_time":
        raise ValueError(
            "a plan says what is done: compare, delete, include and exclude go with plan_sync"
        )
    for name, planned, given in (
        ("source", plan.source, from_._url),
        ("target", plan.target, to._url),
    ):
        if planned != given:
            raise ValueError(f"the plan is for the {name} {planned}, not for {given}")
    actions: list[tuple[str, str, int, str | None]] = [
        (a.action, a.path, a.size, a.reason) for a in plan.actions + plan.refused
    ]
    operation = _holdall._follow(from_, None, to, None, actions, tells, options)

    def convert(value: Any) -> TransferResult:
        done, _, _, broken = value
        return _result((done, plan.skipped, plan.skipped_bytes, broken), on_error, teller)

    return operation, convert, teller


@overload
def sync(
    source: Any,
    target: Any,
    *,
    dry_run: Literal[True],
    compare: Compare = ...,
    delete: bool = ...,
    include: Patterns | None = ...,
    exclude: Patterns | None = ...,
) -> SyncPlan: ...
@overload
def sync(
    source: Any,
    target: Any,
    *,
    plan: SyncPlan | None = ...,
    dry_run: Literal[False] = ...,
    compare: Compare = ...,
    delete: bool = ...,
    include: Patterns | None = ...,
    exclude: Patterns | None = ...,
    on_error: OnError = ...,
    progress: Callable[[Snapshot], object] | None = ...,
    progress_interval: float = ...,
    **options: Unpack[SyncOptions],
) -> TransferResult: ...
def sync(
    source: Any,
    target: Any,
    *,
    plan: SyncPlan | None = None,
    dry_run: bool = False,
    compare: Compare = "size_and_time",
    delete: bool = False,
    include: Patterns | None = None,
    exclude: Patterns | None = None,
    on_error: OnError = "raise",
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[SyncOptions],
) -> TransferResult | SyncPlan:
    """Make a target like a source, copying only what differs.

    Listings of both sides are read side by side, in bounded memory, and copies begin at once.

    Args:
        source: a store, a URL, or a local directory.
        target: a store, a URL, or a local directory, which is made where needed.
        plan: what to do, from `plan_sync`, in place of a comparison.
        dry_run: return the plan, and change nothing.
        compare: when objects are the same: ``"size_and_time"`` (the same size, and the target is not older; times as
            precise as the target keeps them), ``"size"``, ``"etag"`` (the same size and entity tag, which copies
            inside one service have), or ``"checksum"`` (by MD5 entity tags or checksums of one kind where both sides
            have them, by reading otherwise).
        delete: delete in the target what the source does not have, after everything was copied without an error. What
            the filters leave out is not deleted. A source without any object is refused, unless it is a local
            directory.
        include: see `download_prefix`.
        exclude: see `download_prefix`.
        on_error: see `download_prefix`.
        progress: see `download`.
        progress_interval: seconds between two calls.
        options: see `holdall.SyncOptions`.

    Raises:
        InvalidArgumentError: the target is the source or lies inside it, or would be emptied.
        TransferError: some objects failed; ``error.result`` has all outcomes.
    """
    if dry_run:
        _refuse_with_dry_run(plan, options)
        return plan_sync(
            source, target, compare=compare, delete=delete, include=include, exclude=exclude
        )
    operation, convert, teller = _syncing(
        source, target, plan, compare, delete, include, exclude, on_error, options
    )
    return _wait(operation, convert, progress, progress_interval, teller)


def sync_async(
    source: Any,
    target: Any,
    *,
    plan: SyncPlan | None = None,
    compare: Compare = "size_and_time",
    delete: bool = False,
    include: Patterns | None = None,
    exclude: Patterns | None = None,
    on_error: OnError = "raise",
    progress: Callable[[Snapshot], object] | None = None,
    progress_interval: float = _PROGRESS_SECONDS,
    **options: Unpack[SyncOptions],
) -> Coroutine[Any, Any, TransferResult]:
    """Make a target like a source, to be awaited; see `sync`. `plan_sync_async` makes plans."""
    operation, convert, teller = _syncing(
        source, target, plan, compare, delete, include, exclude, on_error, options
    )
    return _start(operation, convert, progress, progress_interval, teller)


def _refuse_with_dry_run(plan: SyncPlan | None, options: Any) -> None:
    given = (["plan"] if plan is not None else []) + sorted(options)
    if given:
        raise ValueError(f"dry_run makes a plan, which does not depend on {', '.join(given)}")


# Limits


def set_limits(
    *,
    memory: int | None = None,
    requests: int | None = None,
    requests_per_host: int | None = None,
    rate: int | None = None,
) -> Limits:
    """Set what all transfers of the process may use at once; what is None stays. Returns the limits that hold then.

    Transfers that run keep to the limits that they began with.

    Args:
        memory: bytes of objects held in memory (default 256 MiB).
        requests: requests in flight (default 256).
        requests_per_host: requests in flight to one bucket, container or host (default 256).
        rate: bytes per second, read and written together; 0 for no limit (the default).
    """
    _holdall._set_limits(memory, requests, requests_per_host, rate)
    return get_limits()


def get_limits() -> Limits:
    """Return what all transfers of the process may use at once."""
    return Limits(*_holdall._limits())
