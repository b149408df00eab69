"""Counters of nodes, as the cluster tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

# What the last word of a counter's name counts: a server leaves out what it has not counted yet.
_UNITS = frozenset(("n", "ns", "bps", "size", "time", "total", "util", "rsize", "wsize"))

# Names of the first generation, where they are not those of the counters.
_EARLIER = {
    "evict_n": "lru.evict.n",
    "evict_size": "lru.evict.size",
    "get_bw": "get.bps",
    "get_cold_total_size": "get.cold.size",
    "get_total_size": "get.size",
    "list_n": "lst.n",
    "put_bw": "put.bps",
    "put_total_size": "put.size",
    "version_change_n": "ver.change.n",
    "version_change_size": "ver.change.size",
}
_AVERAGES = {
    "get_avg_size": ("get.size", "get.n"),
    "get_cold_avg_size": ("get.cold.size", "get.cold.n"),
    "put_avg_size": ("put.size", "put.n"),
}


class NodeTracker(Mapping[str, int]):
    """Counters of a node: ``get.n`` is also the attribute ``get_n``.

    Attributes find every counter, also those that are of another group, and are 0 for what the node has not counted.

    Args:
        node_tracker: The counters, or those of another group.
    """

    _ends: ClassVar[tuple[str, ...]] = ("",)

    def __init__(self, node_tracker: Mapping[str, Any] | None = None) -> None:
        given = getattr(node_tracker, "_all", node_tracker) or {}
        self._all = {
            name: int(float(value.get("v", 0) if isinstance(value, Mapping) else value))
            for name, value in given.items()
        }
        self._shown = {name: n for name, n in self._all.items() if name.endswith(self._ends)}

    def __getitem__(self, name: str) -> int:
        return self._shown[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shown)

    def __len__(self) -> int:
        return len(self._shown)

    def __getattr__(self, name: str) -> float:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in _AVERAGES:
            size, number = (self._all.get(counter, 0) for counter in _AVERAGES[name])
            return size / number if number else 0
        counter = _EARLIER.get(name) or name.replace("_", ".")
        found = self._all.get(counter, self._all.get(name))
        if found is None and counter.rpartition(".")[2] not in _UNITS:
            raise AttributeError(f"{type(self).__name__} has no counter {name!r}")
        return found or 0

    def as_dict(self) -> dict[str, int]:
        """The counters of the group, by their names."""
        return dict(self._shown)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"


class NodeThroughput(NodeTracker):
    """Counters of bytes and of bytes per second."""

    _ends = (".bps", ".size")


class NodeLatency(NodeTracker):
    """Counters of nanoseconds."""

    _ends = (".ns", ".ns.total")


class NodeCounter(NodeTracker):
    """Counters of events."""

    _ends = (".n",)


class ClusterPerformance(dict[str, Any]):
    """Counters of all targets, by their ids: as the servers send them, and in groups as earlier clients had them."""

    def _group(self, kind: type[NodeTracker]) -> dict[str, Any]:
        return {node: kind(stats.get("tracker")) for node, stats in self.items()}

    @property
    def throughput(self) -> dict[str, NodeThroughput]:
        """Bytes, and bytes per second."""
        return self._group(NodeThroughput)

    @property
    def latency(self) -> dict[str, NodeLatency]:
        """Nanoseconds."""
        return self._group(NodeLatency)

    @property
    def counters(self) -> dict[str, NodeCounter]:
        """Events."""
        return self._group(NodeCounter)

    def as_dict(self) -> dict[str, Any]:
        """The three groups."""
        return {
            "throughput": self.throughput,
            "latency": self.latency,
            "counters": self.counters,
        }
