from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import polycall
from http_servers import Peer, Server, response
from observed_project import observed_project
from polycall.registry.observers.trace import Trace
from waiting_threads import until_it_waits
from wasi.here import write_project
from wasi.runs import BIN, Folder, Run

CHAIN = ("app:ask", "app:relay", "app:to-python", "hello")


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # A process has one global provider, which cannot be set twice; each test has its own.
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    yield reader
    provider.shutdown()


@pytest.fixture
def registry(
    tmp_path: Path, exporter: InMemorySpanExporter, reader: InMemoryMetricReader
) -> Iterator[polycall.Registry]:
    with polycall.load(observed_project(tmp_path), telemetry=True) as registry:
        registry.function("py:upper")(str.upper)
        yield registry


def _attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def _chain(spans: tuple[ReadableSpan, ...]) -> list[str]:
    """Returns the names from the root down, following the parents."""
    names: list[str] = []
    parent: int | None = None
    while below := [span for span in spans if (span.parent.span_id if span.parent else None) == parent]:
        (span,) = below
        names.append(span.name)
        parent = span.context.span_id if span.context else None
    return names


def test_spans_nest_as_the_calls_nest(registry: polycall.Registry, exporter: InMemorySpanExporter) -> None:
    registry.call(*CHAIN)
    spans = exporter.get_finished_spans()
    assert _chain(spans) == ["app:ask", "app:relay", "app:to-python", "py:upper"]
    assert len({span.context.trace_id for span in spans if span.context}) == 1
    languages = {span.name: _attributes(span)["polycall.language"] for span in spans}
    assert languages == {"app:ask": "lua", "app:relay": "wasm", "app:to-python": "lua", "py:upper": "python"}
    assert [_attributes(span)["polycall.depth"] for span in spans] == [4, 3, 2, 1]
    assert all(_attributes(span)["code.function.name"] == span.name for span in spans)
    assert len({_attributes(span)["polycall.call_id"] for span in spans}) == 1
    assert all(span.status.status_code is trace.StatusCode.UNSET for span in spans)


def test_an_async_call_hangs_below_the_span_of_its_task(
    registry: polycall.Registry, exporter: InMemorySpanExporter
) -> None:
    tracer = trace.get_tracer("test")

    async def task(name: str) -> None:
        with tracer.start_as_current_span(name):
            assert await registry.call_async(*CHAIN) == {"ok": "HELLO"}
            assert trace.get_current_span().get_span_context().is_valid

    async def tasks() -> None:
        await asyncio.gather(*(task(f"task {number}") for number in range(4)))

    asyncio.run(tasks())
    spans = exporter.get_finished_spans()
    traces = {span.context.trace_id for span in spans if span.context}
    assert len(traces) == 4
    for one in traces:
        names = _chain(tuple(span for span in spans if span.context and span.context.trace_id == one))
        assert names[0].startswith("task ")
        assert names[1:] == ["app:ask", "app:relay", "app:to-python", "py:upper"]


def test_a_span_of_a_python_function_hangs_below_the_call(
    registry: polycall.Registry, exporter: InMemorySpanExporter
) -> None:
    @registry.function("py:own")
    def own() -> polycall.Value:
        with trace.get_tracer("test").start_as_current_span("inside"):
            return registry.call("app:same", 1)

    registry.call("app:ask", "py:own")
    assert _chain(exporter.get_finished_spans()) == ["app:ask", "py:own", "inside", "app:same"]


def test_a_failed_call_has_the_status_of_an_error_and_leaves_no_span_active(
    registry: polycall.Registry, exporter: InMemorySpanExporter
) -> None:
    with pytest.raises(polycall.GuestError):
        registry.call("app:ask", "app:fail", "x")
    inner, outer = exporter.get_finished_spans()
    for span in (inner, outer):
        assert span.status.status_code is trace.StatusCode.ERROR
        assert span.status.description == "app:ask (lua) -> app:fail (lua): refused x"
        assert _attributes(span)["error.type"] == "guest_error"
    assert not trace.get_current_span().get_span_context().is_valid


def test_the_instruments_count_and_measure(registry: polycall.Registry, reader: InMemoryMetricReader) -> None:
    active: list[dict[str, int]] = []
    registry.function("py:look")(lambda: active.append(_points(reader, "polycall.call.active", "value")))
    registry.call("app:ask", "py:look")
    for _ in range(3):
        with pytest.raises(polycall.GuestError):
            registry.call("app:fail", "x")
    assert active == [{"app:ask": 1, "py:look": 1}]
    assert _points(reader, "polycall.call.active", "value") == {"app:ask": 0, "py:look": 0, "app:fail": 0}
    durations = {"app:ask": 1, "py:look": 1, "app:fail guest_error": 3}
    assert _points(reader, "polycall.call.duration", "count") == durations


def _points(reader: InMemoryMetricReader, name: str, figure: str) -> dict[str, int]:
    data = reader.get_metrics_data()
    assert data is not None
    (scope,) = data.resource_metrics[0].scope_metrics
    (metric,) = [metric for metric in scope.metrics if metric.name == name]
    return {_label(point.attributes): getattr(point, figure) for point in metric.data.data_points}


def _label(attributes: Any) -> str:
    return " ".join(filter(None, [attributes["code.function.name"], attributes.get("error.type")]))


def test_without_the_package_the_error_says_what_to_install(tmp_path: Path) -> None:
    script = f"""
import sys
sys.modules["opentelemetry"] = None
import polycall
polycall.load({str(observed_project(tmp_path))!r}).close()
polycall.load({str(tmp_path)!r}, telemetry=True)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.stderr.rstrip().endswith(
        "ModuleNotFoundError: telemetry=True needs the package opentelemetry-api; "
        "install it by: pip install 'polycall[otel]'"
    )


def test_a_meter_that_fails_leaves_no_span_open(
    tmp_path: Path, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def add(self, *_arguments: object) -> None:
            raise RuntimeError("no")

        record = add

    class Meter:
        def create_histogram(self, *_arguments: object, **_options: object) -> Failing:
            return Failing()

        def create_up_down_counter(self, *_arguments: object, **_options: object) -> Counter:
            return Counter()

    class Counter:
        def add(self, *_arguments: object) -> None: ...

    monkeypatch.setattr(metrics, "get_meter", lambda _scope: Meter())
    with polycall.load(observed_project(tmp_path), telemetry=True) as registry:
        assert [registry.call("app:same", number) for number in range(2)] == [0, 1]
    assert not trace.get_current_span().get_span_context().is_valid
    assert [span.parent for span in exporter.get_finished_spans()] == [None, None]


def test_what_a_guest_waited_for_is_told_and_nothing_of_what_it_read(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    script = """
    var { Fields, OutgoingRequest } = wasi.http.types, [[folder]] = wasi.filesystem.preopens.getDirectories();
    folder.openAt({}, "file.txt", {}, { read: true }).read(100, 0);
    var request = new OutgoingRequest(Fields.fromList([["x-key", bytes("SECRET")]]));
    request.setScheme({ tag: "HTTP" });
    request.setAuthority("127.0.0.1:" + port);
    request.setPathWithQuery("/SECRET?SECRET");
    var future = wasi.http.outgoingHandler.handle(request, undefined);
    wait(future);
    future.get().val.val.status();
    """
    (tmp_path / "project").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file.txt").write_text("SECRET", "utf-8")
    run = Run(BIN / "js-script.wasm", (("evaluate", ("",)),), folders=(Folder(tmp_path / "data"),))
    write_project(tmp_path / "project", run)
    observer, guest = Trace(), threading.get_ident()

    def late(peer: Peer) -> None:
        peer.request()
        until_it_waits(guest)
        peer.send(response("SECRET"))

    with (
        Server(late) as server,
        polycall.load(tmp_path / "project", telemetry=True) as registry,
    ):
        answer = registry.call("app:evaluate", f"var port = {server.port}; {script}", observer=observer)
        assert answer == {"ok": "200"}
        waits = {"/data/file.txt", f"an HTTP response of 127.0.0.1:{server.port}"}
    (span,) = exporter.get_finished_spans()
    events = [dict(event.attributes or {}) for event in span.events if event.name == "polycall.wait"]
    assert waits <= {event["polycall.wait.for"] for event in events}
    assert all(float(str(event["polycall.wait.seconds"])) >= 0 for event in events)
    assert waits <= observer.calls[0].waits.keys()
    assert "SECRET" not in f"{events} {observer.calls[0].waits}"
