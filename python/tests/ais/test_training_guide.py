"""The guide to training data runs as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "training.md"


def test_the_guide_runs() -> None:
    if not GUIDE.exists():
        pytest.skip("the documentation is not beside the package")
    pytest.importorskip("torch", reason="PyTorch is not installed")
    code = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    names: dict[str, object] = {}
    try:
        exec(compile(code, str(GUIDE), "exec"), names)
    finally:
        server = names.get("server")
        if server is not None:
            server.close()  # type: ignore[attr-defined]
