"""``wasi:random``."""
