"""As a user: the command, the page, a fresh process."""
