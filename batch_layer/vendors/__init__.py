"""Vendors of market data: how each is asked, and what its answers say."""
