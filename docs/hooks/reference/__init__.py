"""Reference pages, made of the code each time the site is built: they cannot go stale."""
