"""Bars for transfers, drawn by tqdm or rich.

>>> import holdall
>>> from holdall.progress import tqdm
>>> store = holdall.store.MemoryStore()
>>> report = holdall.upload(store, "a", b"hello", progress=tqdm(desc="a", disable=True))

A bar is for one transfer and closes with it. In a ``with`` block it stays until the block ends, and counts on from
transfer to transfer.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

    from ._transfer import Snapshot

__all__ = ["rich", "tqdm"]


class _Hook:
    """What bars have in common: transfers that follow each other, and an end."""

    def __init__(self) -> None:
        self._held = False
        self._bytes_before = 0
        self._done_before = 0

    def __call__(self, now: Snapshot) -> None:
        """Draw how far a transfer is."""
        self._draw(self._bytes_before + now.bytes, self._done_before + now.bytes_done, now)
        if not now.finished:
            return
        if self._held:
            self._bytes_before += now.bytes
            self._done_before += now.bytes_done
        else:
            self.close()

    def __enter__(self) -> Self:
        self._held = True
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _draw(self, total: int, done: int, now: Snapshot) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Take the bar off, or leave it as it is: as its library was told."""
        raise NotImplementedError


class tqdm(_Hook):
    """A bar of tqdm.

    Args:
        kwargs: arguments of ``tqdm.tqdm``, such as ``desc``, ``leave``, ``disable``, ``position``.

    Raises:
        ImportError: tqdm is not installed.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        try:
            from tqdm.auto import tqdm as bar
        except ImportError as error:
            raise ImportError(
                "holdall.progress.tqdm needs tqdm, which is not installed: pip install tqdm"
            ) from error
        options = {"unit": "B", "unit_scale": True, "unit_divisor": 1024, "total": 0}
        self._bar = bar(**options | kwargs)

    def _draw(self, total: int, done: int, now: Snapshot) -> None:
        bar = self._bar
        bar.total, bar.n = total, done
        # What an earlier run had moved says nothing about the speed of this one.
        bar.initial = now.bytes_resumed
        if now.objects > 1:
            bar.set_postfix_str(f"{now.objects_done}/{now.objects} objects", refresh=False)
        bar.refresh()

    def close(self) -> None:
        """Close the bar; a second time does nothing."""
        self._bar.close()


class rich(_Hook):
    """A bar of rich.

    Args:
        progress: a ``rich.progress.Progress`` that is shown already, to which a line is added; by default one is made.
        description: what stands before the bar.
        kwargs: arguments of ``Progress``, when one is made.

    Raises:
        ImportError: rich is not installed.
    """

    def __init__(self, progress: Any = None, description: str = "", **kwargs: Any) -> None:
        super().__init__()
        try:
            from rich import progress as parts
        except ImportError as error:
            raise ImportError(
                "holdall.progress.rich needs rich, which is not installed: pip install rich"
            ) from error
        if progress is not None and kwargs:
            raise TypeError(f"{', '.join(kwargs)}: not together with a Progress that is there")
        self._own = progress is None
        if progress is None:
            columns = (
                parts.TextColumn("{task.description}"),
                parts.BarColumn(),
                parts.DownloadColumn(binary_units=True),
                parts.TransferSpeedColumn(),
                parts.TimeRemainingColumn(),
            )
            progress = parts.Progress(*columns, **kwargs)
            progress.start()
        self._progress = progress
        self._task = progress.add_task(description, total=None)

    def _draw(self, total: int, done: int, now: Snapshot) -> None:
        self._progress.update(self._task, total=total, completed=done)

    def close(self) -> None:
        """Stop the display, if it is ours; a second time does nothing."""
        if self._own:
            self._progress.stop()
        else:
            self._progress.stop_task(self._task)
