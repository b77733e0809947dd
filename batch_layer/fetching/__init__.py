"""From files and vendors into bronze."""
