"""Results as a table, and as data."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from .harness import CEILING, Result

HEADER = f"{'workload':<36}{'holdall':>12}{'obstore':>12}{'ratio':>9}{CEILING:>12}"


def _cell(result: Result, who: str) -> str:
    value = result.value(who)
    if value is None:
        return "-"
    if result.rate:
        return f"{value:.2f} GB/s"
    if value >= 100_000:
        return f"{value / 1000:.0f} ms"
    return f"{value:.2f} µs" if value < 100 else f"{value:.0f} µs"


def line(result: Result) -> str:
    """Return one line of the table."""
    ratio = "-" if result.ratio is None else f"{result.ratio:.1f} x"
    cells = [_cell(result, who) for who in ("holdall", "obstore")]
    return f"{result.name:<36}{cells[0]:>12}{cells[1]:>12}{ratio:>9}{_cell(result, CEILING):>12}"


def machine() -> dict[str, object]:
    """Describe where the numbers come from."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [row for row in info.read_text().splitlines() if row.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "holdall": version("holdall"),
        "obstore": version("obstore"),
    }


def summary(results: list[Result]) -> str:
    """Return what is slower than the peer, by name."""
    slower = [result.name for result in results if result.ratio is not None and result.ratio < 0.95]
    return "slower than obstore: " + (", ".join(slower) if slower else "nothing")


def as_json(results: list[Result]) -> str:
    """Return all numbers and the description of the machine."""
    rows = [
        {
            "workload": result.name,
            "unit": "GB/s" if result.rate else "µs",
            **{who: result.value(who) for who in result.times},
            "ratio": result.ratio,
            "rounds": {who: times for who, times in result.times.items()},
        }
        for result in results
    ]
    return json.dumps({"machine": machine(), "results": rows}, indent=2, ensure_ascii=False)
