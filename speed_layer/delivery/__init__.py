"""Telling what is in the outbox: to webhooks, to SNS, and in the log."""
