"""The relational store: what changes by transaction (keys, alerts, outbox, audit)."""
