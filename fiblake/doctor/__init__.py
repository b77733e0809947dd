"""`fiblake doctor`: what of a running system is well, what is not, and what to do about it."""
