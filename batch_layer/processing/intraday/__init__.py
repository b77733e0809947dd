"""Intraday silver: minute bars resampled into bars of 5m 15m 1h 2h 4h, a session at a time."""
