"""wasmtime, as polycall uses it: native calls, stores, interruption, limits, traps, compiled code on disk."""
