"""The serving layer: one answer from the lake, over HTTP and on a page."""
