"""``wasi:io``."""
