"""From bronze to silver: daily bars into bars of 3, 5, 8, 13, 21 and 34 sessions."""
