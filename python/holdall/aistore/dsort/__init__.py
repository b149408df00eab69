"""dSort: shards sorted, shuffled or regrouped into new shards, by the cluster."""

from .core import Dsort
from .ekm import ExternalKeyMap
from .framework import DsortAlgorithm, DsortFramework, DsortShardsGroup

__all__ = ["Dsort", "DsortAlgorithm", "DsortFramework", "DsortShardsGroup", "ExternalKeyMap"]
