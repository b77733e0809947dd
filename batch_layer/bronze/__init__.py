"""Bronze: unadjusted daily bars as they were received, and the splits beside them."""
