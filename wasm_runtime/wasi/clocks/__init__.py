"""``wasi:clocks``."""
