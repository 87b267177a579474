"""``wasi:sockets``."""
