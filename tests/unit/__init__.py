"""One piece at a time, no disk, no server."""
