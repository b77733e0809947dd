"""Alerts of the live flow: what is seen of it, rules on that, and what is kept of both."""
