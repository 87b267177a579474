"""Whatever a guest does with sockets, in whatever order: results of the specified form, or an end of the call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from effort import times
from polycall.interop.errors import LimitError, TrapError
from polycall.wasm_runtime.component.host import HostFunction, HostInterface
from polycall.wasm_runtime.spec import WasiLimitsSpec, WasiNetworkSpec
from polycall.wasm_runtime.wasi.io.error import IoError
from polycall.wasm_runtime.wasi.io.poll import Poll, Pollable
from polycall.wasm_runtime.wasi.io.streams import InputStream, OutputStream, Streams
from polycall.wasm_runtime.wasi.sockets.datagrams import IncomingDatagramStream, OutgoingDatagramStream
from polycall.wasm_runtime.wasi.sockets.error_codes import ERROR_CODES
from polycall.wasm_runtime.wasi.sockets.tcp import Tcp, TcpSocket
from polycall.wasm_runtime.wasi.sockets.udp import Udp, UdpSocket
from polycall.wasm_runtime.wit.check_values import compile_check
from polycall.wasm_runtime.wit.signature import Signature
from socket_guests import SocketGuest, at

RULES = WasiNetworkSpec(allow=("loopback",), listen=("loopback",))
PORTS = (0, 9, 48_321, 48_322)
HOSTS = ("127.0.0.1", "0.0.0.0", "10.0.0.1", "255.255.255.255", "224.0.0.1", "::1", "::", "::ffff:127.0.0.1", "ff02::1")
OWNERS: Mapping[type, tuple[type[HostInterface], str]] = {
    TcpSocket: (Tcp, "tcp-socket"),
    UdpSocket: (Udp, "udp-socket"),
    IncomingDatagramStream: (Udp, "incoming-datagram-stream"),
    OutgoingDatagramStream: (Udp, "outgoing-datagram-stream"),
    InputStream: (Streams, "input-stream"),
    OutputStream: (Streams, "output-stream"),
    Pollable: (Poll, "pollable"),
}
BLOCKING = ("block", "blocking-")
addresses = st.builds(at, st.sampled_from(HOSTS), st.sampled_from(PORTS))
ARGUMENTS: Mapping[str, st.SearchStrategy[Any]] = {
    "local-address": addresses,
    "remote-address": addresses,
    "shutdown-type": st.sampled_from(["receive", "send", "both"]),
    "value": st.sampled_from([0, 1, 200]),
    "len": st.sampled_from([0, 1, 100_000]),
    "contents": st.binary(max_size=100),
    "max-results": st.sampled_from([0, 1, 2**64 - 1]),
    "datagrams": st.lists(
        st.fixed_dictionaries({"data": st.binary(max_size=10), "remote-address": st.none() | addresses}), max_size=20
    ),
}


def functions_of(kind: type) -> dict[str, HostFunction]:
    interface, resource = OWNERS[kind]
    prefix = f"[method]{resource}."
    found = {name.removeprefix(prefix): each for name, each in interface().functions().items() if prefix in name}
    return {name: each for name, each in found.items() if not name.startswith(BLOCKING) and "splice" not in name}


FUNCTIONS = {kind: functions_of(kind) for kind in OWNERS}


def fits(signature: Signature | None, value: Any) -> list[Any]:
    """Says that a result has the form of its type; returns the resources in it."""
    assert signature is not None
    if signature.result is not None and not {"own", "error"} & set(re.findall("[a-z]+", str(signature.result))):
        compile_check(signature.result)(value)
    if isinstance(value, dict) and set(value) == {"err"}:
        error = value["err"]
        if isinstance(error, dict):
            ((case, payload),) = error.items()
            assert (case, type(payload)) in (("closed", bool), ("last-operation-failed", IoError))
        else:
            assert error in ERROR_CODES
        return []
    if "result<" in str(signature.result):
        assert set(value) == {"ok"}
        value = value["ok"]
    return [each for each in (value if isinstance(value, list) else [value]) if type(each) in OWNERS]


@settings(max_examples=times(150, 30))
@given(st.data())
def test_any_order_of_calls(data: st.DataObject) -> None:
    guest = SocketGuest(RULES, limits=WasiLimitsSpec(max_open_sockets=6))
    held: list[Any] = [guest.tcp(), guest.udp(bound=False)]
    try:
        for _ in range(data.draw(st.integers(1, 30))):
            step = data.draw(st.sampled_from(["call", "call", "call", "call", "drop", "open"]))
            if step == "open" and len(held) < 6:
                held.append(guest.tcp(data.draw(st.sampled_from(["ipv4", "ipv6"]))))
            elif step == "drop" and len(held) > 1:
                held.pop(data.draw(st.integers(0, len(held) - 1))).drop()
            elif held:
                held += call(guest, data, data.draw(st.sampled_from(held)))
    except (TrapError, LimitError):  # a datagram without a permit, say: the end of the call
        pass
    finally:
        guest.session.close()
    assert not guest.session._kept
    assert not any(guest.session._counts.values())


def call(guest: SocketGuest, data: st.DataObject, resource: Any) -> list[Any]:
    name = data.draw(st.sampled_from(sorted(FUNCTIONS[type(resource)])))
    function = FUNCTIONS[type(resource)][name]
    assert function.signature is not None
    values: list[Any] = []
    for parameter, _ in function.signature.params[1:]:
        if parameter == "network":
            values.append(guest.network)
        elif name == "stream":
            values.append(data.draw(st.none() | addresses))
        elif parameter == "value" and name == "set-keep-alive-enabled":
            values.append(data.draw(st.booleans()))
        else:
            values.append(data.draw(ARGUMENTS[parameter]))
    return fits(function.signature, function.implementation(guest.store, resource, *values))
