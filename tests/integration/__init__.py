"""Several pieces on real parts: disk, DuckDB, S3, HTTP."""
