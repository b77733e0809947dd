"""The client of a fiblake server, and the events that it streams."""

from fiblake.client.client import Client
from fiblake.client.events import Bar, Complete, Event, Gap, Price, Status, frame

__all__ = ["Bar", "Client", "Complete", "Event", "Gap", "Price", "Status", "frame"]
