"""From folders of files to shards."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..const import DEFAULT_DATASET_MAX_COUNT, EXT_TAR
from ._shards import ShardWriter
from .config_attribute import ConfigAttribute

logger = logging.getLogger(__name__)


class DatasetConfig:
    """What samples consist of.

    Args:
        primary_attribute: The part whose files say which samples there are; a `DataAttribute`.
        secondary_attributes: The other parts, found by the names of those files.
    """

    def __init__(
        self,
        primary_attribute: ConfigAttribute,
        secondary_attributes: list[ConfigAttribute] | None = None,
    ) -> None:
        self.primary_attribute = primary_attribute
        self.secondary_attributes = secondary_attributes or []

    def write_shards(self, skip_missing: bool, **kwargs: Any) -> None:
        """Write the samples into numbered tars, in the order of their files' names. What is missing is logged.

        Args:
            skip_missing: Whether samples that lack a part are left out.
            **kwargs: ``pattern``, what the shards' names begin with (``dataset``); ``maxcount``, most samples of a
                shard (100,000); ``maxsize``, bytes after which a new one begins (3e9); ``post``, called with the path
                of each shard that is finished; ``start_shard``, the first number; ``verbose``, whether each shard is
                logged; ``opener``, from a path to a file object; and of the tars: ``user``, ``group``, ``mode``,
                ``mtime``, ``compress``, ``format``, ``encoder``, ``keep_meta``. They mean what they mean to
                ``webdataset.ShardWriter``.
        """
        most = kwargs.setdefault("maxcount", DEFAULT_DATASET_MAX_COUNT)
        kwargs["pattern"] = f"{kwargs.get('pattern', 'dataset')}-%0{len(str(most))}d{EXT_TAR}"
        with ShardWriter(**kwargs) as shards:
            for sample, missing in self.generate_dataset(most):
                if missing:
                    fate = "Skipping sample" if skip_missing else "Including sample regardless"
                    logger.warning("Missing attributes: %s - %s.", ", ".join(missing), fate)
                    if skip_missing:
                        continue
                shards.write(sample)

    def generate_dataset(self, max_shard_items: int) -> Iterator[tuple[dict[str, Any], list[str]]]:
        """The samples, each with what it lacks; keys have as many digits as ``max_shard_items``."""
        parts = [self.primary_attribute, *self.secondary_attributes]
        primary: Any = self.primary_attribute
        digits = len(str(max_shard_items))
        for index, file in enumerate(sorted(Path(primary.path).glob(f"*.{primary.file_type}"))):
            sample: dict[str, Any] = {}
            missing = []
            for part in parts:
                key, data = part.get_data_for_entry(file.stem)
                # The label 0 is a label.
                if data is None or (isinstance(data, bytes | str) and not data):
                    missing.append(f"{file.stem} - {key}")
                else:
                    sample[key] = data
            sample["__key__"] = f"sample_{index:0{digits}d}"
            yield sample, missing
