"""Alerts of the live flow: what is seen of it, in an order that is the same whenever it is told."""
