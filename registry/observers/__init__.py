"""Who watches calls: the log, latencies, traces and OpenTelemetry."""
