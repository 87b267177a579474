"""Who watches calls: the log, latencies, traces and OpenTelemetry."""

__all__ = ["CALL_LOG"]

CALL_LOG = "polycall.call"
"""The log of calls: one DEBUG record for each that has ended."""
