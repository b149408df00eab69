"""Archives that batches are answered with, taken apart."""
