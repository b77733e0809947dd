"""Alerts at the front door: the commands `fiblake alerts`, and what parts are made of."""
