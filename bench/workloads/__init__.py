"""Named workloads, measured side by side on holdall and on obstore."""

from . import files, http, listing, local, memory, startup, transfers

__all__ = ["files", "http", "listing", "local", "memory", "startup", "transfers"]
