"""A made-up market: random walks with listings, delistings, halts, splits and dividends."""
