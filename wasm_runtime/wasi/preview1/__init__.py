"""WASI preview 1 for core modules (``wasi_snapshot_preview1``), over the parts of WASI 0.2: a file for each concept."""
