"""Tells OpenTelemetry of calls: a span for each frame, and two instruments. The extra ``polycall[otel]``.

Names follow the semantic conventions where these have one (``code.function.name``, ``error.type``); the rest begins
with ``polycall.``. Spans and measurements go to the providers that the application has set up; without any, the API
drops them.
"""

from __future__ import annotations

from collections.abc import Sequence

from polycall.interop.observer import Ended, Finish, ObservedCall
from polycall.interop.values import Value
from polycall.registry.observers.latencies import BUCKET_SECONDS

try:
    from opentelemetry import context as active
    from opentelemetry import metrics, trace
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "telemetry=True needs the package opentelemetry-api; install it by: pip install 'polycall[otel]'",
        name=error.name,
    ) from error

__all__ = ["Telemetry"]

_SCOPE = "polycall"


class Telemetry:
    """The observer behind ``polycall.load(..., telemetry=True)``.

    A span is the active one while its call runs. That is how spans nest, also those that a registered Python function
    opens itself, and those of a task that awaits `Registry.call_async`.
    """

    def __init__(self) -> None:
        self._tracer = trace.get_tracer(_SCOPE)
        meter = metrics.get_meter(_SCOPE)
        self._active = meter.create_up_down_counter(
            "polycall.call.active", unit="{call}", description="Calls that run or wait for an instance."
        )
        self._duration = meter.create_histogram(
            "polycall.call.duration",
            unit="s",
            description="How long calls took.",
            explicit_bucket_boundaries_advisory=BUCKET_SECONDS,
        )

    def start(self, context: ObservedCall, arguments: Sequence[Value]) -> Finish:
        """Opens the span of a call; returns what closes it and measures the call."""
        what = {"code.function.name": context.entry_id, "polycall.language": context.language}
        where = {"polycall.call_id": context.call_id, "polycall.frame_id": context.frame_id}
        span = self._tracer.start_span(context.entry_id, attributes={**what, **where, "polycall.depth": context.depth})
        self._active.add(1, what)
        token = active.attach(
            trace.set_span_in_context(span)
        )  # last: were it left behind, later calls would nest in it

        def finish(ended: Ended) -> None:
            failure = {} if ended.error is None else {"error.type": ended.outcome}
            try:
                self._active.add(-1, what)
                # While the span is still the active one, so that a measurement can point to it as an exemplar.
                self._duration.record(ended.seconds, {**what, **failure})
            finally:
                active.detach(token)
                if ended.error is not None:
                    span.set_attributes(failure)
                    span.set_status(trace.StatusCode.ERROR, str(ended.error))
                span.end()

        return finish

    def waited(self, context: ObservedCall, what: str, seconds: float) -> None:
        """Adds an event to the span of the call, which is the active one."""
        trace.get_current_span().add_event(
            "polycall.wait", {"polycall.wait.for": what, "polycall.wait.seconds": seconds}
        )
