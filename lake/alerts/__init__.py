"""Alert rules and their evaluation, pure: what the live service and the dry-run share."""
