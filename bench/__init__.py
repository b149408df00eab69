"""Named workloads, measured side by side on holdall and on obstore."""
