"""Alerts of the live flow: what is seen of it, rules evaluated on that, and what is kept of both."""
