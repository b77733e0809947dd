"""The WebSocket API: what changes in the realtime view, told to many at once."""
