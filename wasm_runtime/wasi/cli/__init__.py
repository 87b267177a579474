"""``wasi:cli``."""
