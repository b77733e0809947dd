"""The kernel every layer stands on: bars, sessions, keys, the object store, settings and errors."""
