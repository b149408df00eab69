"""Get-batch: many objects, members of archives and ranges of bytes with one request."""

from .batch import Batch, BatchResult
from .errors import MultipartDecodeError
from .types import MossIn, MossOut, MossReq, MossResp

__all__ = [
    "Batch",
    "BatchResult",
    "MossIn",
    "MossOut",
    "MossReq",
    "MossResp",
    "MultipartDecodeError",
]
