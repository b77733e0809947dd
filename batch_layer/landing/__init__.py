"""Landing: what vendors answered, verbatim, so that bronze can be made anew without them."""

from batch_layer.landing.answer import Answer
from batch_layer.landing.objects import land, landed, read

__all__ = ["Answer", "land", "landed", "read"]
