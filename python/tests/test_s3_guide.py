"""The Python of docs/s3.md, as it is written there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("boto3", reason="boto3 is not installed")
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "s3.md"


def test_the_guide_runs():
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    try:
        for block in blocks:
            exec(compile(block, str(GUIDE), "exec"), names)
    finally:
        if server := names.get("server"):
            server.close()  # type: ignore[attr-defined]
