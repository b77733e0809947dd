"""The speed layer: live trades into bars of the present."""
