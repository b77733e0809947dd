"""Jobs of AWS Batch that rebuild silver: how they are submitted, and what becomes of them."""
