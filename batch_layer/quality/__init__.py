"""Quality: what sources brought and what was accepted of it, and what is odd in the bars."""
