"""A market-data vendor on this machine: Massive's REST, flat files and socket, from a lake."""

from batch_layer.local_vendor.access import Access
from batch_layer.local_vendor.live_faults import LiveFault
from batch_layer.local_vendor.live_market import LiveMarket
from batch_layer.local_vendor.live_socket import LiveSocket
from batch_layer.local_vendor.rate import Rate
from batch_layer.local_vendor.reference import Listing, Reference
from batch_layer.local_vendor.request_log import Logged
from batch_layer.local_vendor.restatement import Restatement
from batch_layer.local_vendor.story import Rename, Reuse, Story, read_story
from batch_layer.local_vendor.vendor import LocalVendor

__all__ = [
    "Access",
    "Listing",
    "LiveFault",
    "LiveMarket",
    "LiveSocket",
    "LocalVendor",
    "Logged",
    "Rate",
    "Reference",
    "Rename",
    "Restatement",
    "Reuse",
    "Story",
    "read_story",
]
