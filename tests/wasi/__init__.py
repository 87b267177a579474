"""Guests of real toolchains, run by polycall and by wasmtime's own WASI: what both do must be the same."""
