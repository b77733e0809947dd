"""Alerts of the live flow: what is seen of it, the rules evaluated on it, and what is kept of both."""
