"""PyTorch, which only this package needs."""

try:
    import torch
    import torch.utils.data as data
except ImportError as error:
    raise ImportError("holdall.aistore.pytorch needs PyTorch: pip install torch") from error

__all__ = ["data", "torch"]
