"""Alerts over HTTP, and what the command does with them too: rules, firings, destinations.

Whatever is asked, is asked for one owner: `Holdings` is made for one, and knows of no other's.
"""
