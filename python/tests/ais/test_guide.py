"""The guide to AIStore runs as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "aistore.md"


def test_the_guide_runs():
    if not GUIDE.exists():
        pytest.skip("the documentation is not beside the package")
    pytest.importorskip("fsspec")
    from holdall import compat

    code = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    try:
        exec(compile(code, str(GUIDE), "exec"), {"__name__": "guide"})
    finally:
        compat.uninstall("aistore")
