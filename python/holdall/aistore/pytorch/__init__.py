"""Data sets of PyTorch over AIStore.

| class | samples |
|---|---|
| `AISMapDataset` | objects by number |
| `AISParallelMapDataset` | objects by number, each read in parts |
| `AISIterDataset` | objects one after the other |
| `AISBatchIterDataset` | the same, many with one request |
| `AISShardReader` | samples of shards in the layout of WebDataset |
| `AISMultiShardStream` | members of several shards side by side |

All go through workers that are forked or spawned. What iterates gives the same samples in the same order for any number of
workers; `AISDataLoader` goes on in the middle of an epoch. The data pipes of AIStore's first generation are in
`holdall.aistore.pytorch.aisio`.
"""

from typing import Any

from .base_iter_dataset import AISBaseIterDataset
from .base_map_dataset import AISBaseMapDataset
from .batch_iter_dataset import AISBatchIterDataset
from .dynamic_sampler import DynamicBatchSampler
from .iter_dataset import AISIterDataset
from .loader import AISDataLoader
from .map_dataset import AISMapDataset
from .multishard_dataset import AISMultiShardStream
from .parallel_map_dataset import AISParallelMapDataset
from .shard_reader import AISShardReader

__all__ = [
    "AISBaseIterDataset",
    "AISBaseMapDataset",
    "AISBatchIterDataset",
    "AISDataLoader",
    "AISIterDataset",
    "AISMapDataset",
    "AISMultiShardStream",
    "AISParallelMapDataset",
    "AISShardReader",
    "DynamicBatchSampler",
]

_PIPES = frozenset(("AISFileLister", "AISFileLoader", "AISSourceLister"))


def __getattr__(name: str) -> Any:
    # Not every PyTorch has data pipes.
    if name in _PIPES:
        from . import aisio

        return getattr(aisio, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
