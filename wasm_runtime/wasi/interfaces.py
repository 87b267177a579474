"""Every WASI interface that polycall has: each is loaded when a component first imports it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from polycall.wasm_runtime.component.host import HostInterface

__all__ = ["wasi_interface"]

_CLASSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "wasi:io/error": ("io.error", "Error"),
        "wasi:io/poll": ("io.poll", "Poll"),
        "wasi:io/streams": ("io.streams", "Streams"),
        "wasi:cli/environment": ("cli.environment", "Environment"),
        "wasi:cli/exit": ("cli.exit", "Exit"),
        "wasi:cli/stdin": ("cli.stdin", "Stdin"),
        "wasi:cli/stdout": ("cli.stdout", "Stdout"),
        "wasi:cli/stderr": ("cli.stderr", "Stderr"),
        "wasi:cli/terminal-input": ("cli.terminal_input", "TerminalInputInterface"),
        "wasi:cli/terminal-output": ("cli.terminal_output", "TerminalOutputInterface"),
        "wasi:cli/terminal-stdin": ("cli.terminal_stdin", "TerminalStdin"),
        "wasi:cli/terminal-stdout": ("cli.terminal_stdout", "TerminalStdout"),
        "wasi:cli/terminal-stderr": ("cli.terminal_stderr", "TerminalStderr"),
        "wasi:clocks/wall-clock": ("clocks.wall_clock", "WallClock"),
        "wasi:clocks/monotonic-clock": ("clocks.monotonic_clock", "MonotonicClock"),
        "wasi:filesystem/types": ("filesystem.types", "Types"),
        "wasi:filesystem/preopens": ("filesystem.preopens", "Preopens"),
        "wasi:random/random": ("random.random", "Random"),
        "wasi:random/insecure": ("random.insecure", "Insecure"),
        "wasi:random/insecure-seed": ("random.insecure_seed", "InsecureSeed"),
        "wasi:http/types": ("http.types", "Types"),
        "wasi:http/outgoing-handler": ("http.outgoing_handler", "OutgoingHandler"),
        "wasi:sockets/network": ("sockets.network", "NetworkInterface"),
        "wasi:sockets/instance-network": ("sockets.instance_network", "InstanceNetwork"),
        "wasi:sockets/ip-name-lookup": ("sockets.ip_name_lookup", "IpNameLookup"),
        "wasi:sockets/tcp": ("sockets.tcp", "Tcp"),
        "wasi:sockets/tcp-create-socket": ("sockets.tcp_create_socket", "TcpCreateSocket"),
        "wasi:sockets/udp": ("sockets.udp", "Udp"),
        "wasi:sockets/udp-create-socket": ("sockets.udp_create_socket", "UdpCreateSocket"),
    }
)
"""Name without a version to module and class. By name: to load all of them would slow every start down."""


def wasi_interface(name: str) -> HostInterface | None:
    """Returns the interface of a name without a version, or None."""
    if name not in _CLASSES:
        return None
    module, interface = _CLASSES[name]
    found: Any = getattr(import_module(f"polycall.wasm_runtime.wasi.{module}"), interface)
    made: HostInterface = found()
    return made
