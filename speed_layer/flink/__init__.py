"""The Flink job: a project of its own, with its own pins."""
