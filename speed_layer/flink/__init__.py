"""The Flink job: a project of its own, with its own pins; it runs where the rest is not installed."""
