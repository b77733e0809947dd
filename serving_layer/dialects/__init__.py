"""Vendors' own protocols, spoken by this server: their clients work with its URL alone."""
