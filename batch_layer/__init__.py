"""The batch layer: from source files and vendors to bronze, from bronze to silver."""
