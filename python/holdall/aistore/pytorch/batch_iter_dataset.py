"""Objects one after the other, many with one request."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ..client import Client
from ..enums import Colocation
from ..errors import BrokenStream, ReadTimeout
from ._ahead import ahead
from ._resumable import LeftOut
from ._sources import Prefixes, Sources, positive, progress
from .base_iter_dataset import AISBaseIterDataset

logger = logging.getLogger(__name__)

_MOST_REPEATS = 3
"""How often a batch is asked for again whose reply broke off or stood still, as it does when a target is gone; what comes
before a reply, the client repeats."""


class AISBatchIterDataset(AISBaseIterDataset):
    """Objects one after the other, by get-batch: pairs of name and content. The next request is under way while the
    objects of one are used up.

    Args:
        ais_source_list: Buckets and groups of objects, or one.
        client: The cluster's client.
        prefix_map: Prefixes, or one, that names of a source's objects must have.
        show_progress: Whether a bar is shown.
        max_batch_size: Most objects of a request.
        output_format: Format of the replies, as of `Batch`.
        streaming: Whether replies begin before everything is collected, as of `Batch`.
        colocation: A hint on where the objects are, as of `Batch`.
        partition_sources_by_worker: As of `AISBaseIterDataset`.
        cont_on_err: Whether objects that fail are logged and left out; otherwise the first one raises. An `AISDataLoader`
            gives the batch that would have had one without it, so that batches are the same for any number of workers;
            PyTorch's own takes the next samples of the same worker.
        **options: ``shuffle``, ``seed``, ``batch_size``, as of `AISBaseIterDataset`.
    """

    def __init__(
        self,
        ais_source_list: Sources,
        client: Client,
        prefix_map: Prefixes | None = None,
        show_progress: bool = False,
        max_batch_size: int = 32,
        output_format: str = ".tar",
        streaming: bool = True,
        colocation: Colocation = Colocation.NONE,
        partition_sources_by_worker: bool = False,
        cont_on_err: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(ais_source_list, prefix_map, partition_sources_by_worker, **options)
        positive(max_batch_size, "max_batch_size", type(self).__name__)
        self.client = client
        self.max_batch_size = max_batch_size
        self.output_format = output_format
        self.streaming = streaming
        self.colocation = colocation
        self.cont_on_err = cont_on_err
        self._show_progress = show_progress

    _only_names = True

    def _may_leave_out(self) -> bool:
        # What wraps the iterator expects samples.
        return self.cont_on_err and type(self).__iter__ is AISBatchIterDataset.__iter__

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        self._reset_iterator()
        own, worker = self._get_worker_iter_info()
        shown = progress(own, "AISBatchIterDataset", worker, self._show_progress)
        return self._delivered(self._samples(shown))

    def _samples(self, objects: Iterable[Any]) -> Iterator[tuple[str, bytes] | LeftOut]:
        source = iter(objects)
        batches = iter(lambda: list(islice(source, self.max_batch_size)), [])
        for pairs in ahead(batches, self._process_batch, 2):
            yield from pairs

    def _process_batch(self, batch_objects: list[Any]) -> list[tuple[str, bytes] | LeftOut]:
        left = _MOST_REPEATS
        while True:
            try:
                return self._read_batch(batch_objects)
            except (BrokenStream, ReadTimeout) as error:
                if not left:
                    raise
                left -= 1
                logger.debug("a batch is asked for once more: %s", error)

    def _read_batch(self, batch_objects: list[Any]) -> list[tuple[str, bytes] | LeftOut]:
        batch = self.client.batch(
            objects=batch_objects,
            output_format=self.output_format,
            streaming_get=self.streaming,
            colocation=self.colocation,
            cont_on_err=self.cont_on_err,
        )
        samples: list[tuple[str, bytes] | LeftOut] = []
        for out, content in batch.get():
            if not out.err_msg:
                samples.append((out.obj_name, content))
            elif self.cont_on_err:
                logger.warning("Skipping %s: %s", out.obj_name, out.err_msg)
                samples.append(LeftOut())
            else:
                raise RuntimeError(f"{out.obj_name}: {out.err_msg}")
        return samples
