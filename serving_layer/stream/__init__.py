"""Streams of live prices and bars over WebSocket."""
