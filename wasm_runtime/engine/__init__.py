"""wasmtime, as polycall uses it: native calls, stores, interruption, limits, traps, compiled code on disk."""

from __future__ import annotations

__all__ = ["DEFAULT_CACHE_BYTES"]

DEFAULT_CACHE_BYTES = 1024**3
"""How much compiled code is kept on disk where ``max_cache_bytes`` is not declared."""
