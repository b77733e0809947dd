"""The realtime view: what the engine says of the present, for many readers."""

from speed_layer.views.choosing import open_view
from speed_layer.views.memory import MemoryView
from speed_layer.views.protocol import View

__all__ = ["MemoryView", "View", "open_view"]
