"""The migrations, in order: each brings the tables from one revision to the next."""
