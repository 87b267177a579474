"""``wasi:filesystem``."""
