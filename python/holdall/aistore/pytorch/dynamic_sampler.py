"""Batches by size in bytes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from ._sources import positive
from ._torch import data, torch
from .base_map_dataset import AISBaseMapDataset

logger = logging.getLogger(__name__)

SATURATION_FACTOR = 0.8
"""How full the last batch must be to be kept with ``drop_last``."""


class DynamicBatchSampler(data.Sampler):  # type: ignore[misc, type-arg]
    """Batches with as many samples as fit into a number of bytes, in order. Empty samples are left out with a warning.

    Sizes come from the listing; those of an `ObjectGroup` cost a request per object.

    Args:
        data_source: The data set.
        max_batch_size: Most bytes of a batch.
        drop_last: Whether the last batch is left out when it is not full enough.
        allow_oversized_samples: Whether a sample that is larger than a batch becomes one alone; otherwise it is left out
            with a warning.
        saturation_factor: How full, from 0 to 1, is full enough.
        shuffle: Whether samples come in random order: by torch's random numbers, or by the seed of the `AISDataLoader`
            that has this sampler.

    Raises:
        ValueError: When the factor is not between 0 and 1, or no batch could have a byte.
    """

    def __init__(
        self,
        data_source: AISBaseMapDataset,
        max_batch_size: float,
        drop_last: bool = False,
        allow_oversized_samples: bool = False,
        saturation_factor: float = SATURATION_FACTOR,
        shuffle: bool = False,
    ) -> None:
        if not 0 <= saturation_factor <= 1:
            raise ValueError("`saturation_factor` must be between 0 and 1")
        positive(max_batch_size, "max_batch_size", type(self).__name__)
        self._data_source = data_source
        self._samples_list = data_source.get_obj_list()
        self._max_batch_size = max_batch_size
        self._drop_last = drop_last
        self._allow_oversized_samples = allow_oversized_samples
        self._saturation_factor = saturation_factor
        self._shuffle = shuffle
        self.generator: torch.Generator | None = None

    def _order(self) -> Iterable[int]:
        if not self._shuffle:
            return range(len(self))
        order: list[int] = torch.randperm(len(self), generator=self.generator).tolist()
        return order

    def _size(self, index: int) -> int | None:
        """The sample's size; None when it cannot be in a batch with others."""
        sample = self._samples_list[index]
        props = sample.props_cached
        size = int(props.size if props is not None else sample.props.size)
        if size == 0:
            logger.warning("Sample %s cannot be processed as it has a size of 0 bytes", sample.name)
            return None
        if size > self._max_batch_size and not self._allow_oversized_samples:
            logger.warning(
                "Sample %s cannot be processed as it is larger than the max batch size: %d bytes > %d bytes",
                sample.name,
                size,
                self._max_batch_size,
            )
            return None
        return size

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        total = 0
        for index in self._order():
            size = self._size(index)
            if size is None:
                continue
            if size > self._max_batch_size:
                yield [index]
                continue
            if total + size > self._max_batch_size:
                yield batch
                batch, total = [], 0
            batch.append(index)
            total += size
            if total == self._max_batch_size:
                yield batch
                batch, total = [], 0
        if batch and (
            not self._drop_last or total / self._max_batch_size > self._saturation_factor
        ):
            yield batch

    def __len__(self) -> int:
        """The number of samples: that of batches depends on their order."""
        return len(self._samples_list)
