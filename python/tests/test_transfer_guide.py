"""The guide to transfers runs as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "transfers.md"


def test_the_guide_runs(monkeypatch, tmp_path):
    if not GUIDE.exists():
        pytest.skip("the documentation is not beside the package")
    pytest.importorskip("tqdm")
    import holdall

    before = holdall.get_limits()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    try:
        exec(compile(code, str(GUIDE), "exec"), {})
    finally:
        holdall.set_limits(memory=before.memory, requests=before.requests, rate=before.rate or 0)
