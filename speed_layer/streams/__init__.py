"""Streams of events: in this process, and Kinesis (`kinesis_writer`, `kinesis_reader`)."""

from speed_layer.streams.in_process import InProcess
from speed_layer.streams.protocol import Stream

__all__ = ["InProcess", "Stream"]
