"""The AWS infrastructure, one stack a concern."""
