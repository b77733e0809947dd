"""Backups: the relational database dumped, the lake told object by object, and both verified."""
