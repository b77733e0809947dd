"""Alerts, live: what is seen of the flow, the rules evaluated on it, and what is kept of both."""
