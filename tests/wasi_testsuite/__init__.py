"""The WASI project's own test suite, run against polycall."""
