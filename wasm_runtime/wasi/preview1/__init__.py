"""WASI preview 1 for core modules (``wasi_snapshot_preview1``), over what WASI 0.2 has here: a file for each concept."""
