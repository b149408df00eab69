"""Data sets in shards, in the layout of WebDataset: written from folders of files, and described for reading."""

from .config_attribute import ConfigAttribute
from .data_attribute import DataAttribute
from .data_shard import DataShard
from .dataset_config import DatasetConfig
from .label_attribute import LabelAttribute

__all__ = ["ConfigAttribute", "DataAttribute", "DataShard", "DatasetConfig", "LabelAttribute"]
