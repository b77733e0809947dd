"""A market-data vendor on this machine: Massive's REST and flat files, from a lake's bronze."""

from batch_layer.local_vendor.access import Access
from batch_layer.local_vendor.rate import Rate
from batch_layer.local_vendor.reference import Listing, Reference
from batch_layer.local_vendor.request_log import Logged
from batch_layer.local_vendor.restatement import Restatement
from batch_layer.local_vendor.story import Rename, Reuse, Story, read_story
from batch_layer.local_vendor.vendor import LocalVendor

__all__ = [
    "Access",
    "Listing",
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
