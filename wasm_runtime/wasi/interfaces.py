"""Every WASI interface that polycall has."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.wasi.cli.environment import Environment
from polycall.wasm_runtime.wasi.cli.exit import Exit
from polycall.wasm_runtime.wasi.cli.stderr import Stderr
from polycall.wasm_runtime.wasi.cli.stdin import Stdin
from polycall.wasm_runtime.wasi.cli.stdout import Stdout
from polycall.wasm_runtime.wasi.cli.terminal_input import TerminalInputInterface
from polycall.wasm_runtime.wasi.cli.terminal_output import TerminalOutputInterface
from polycall.wasm_runtime.wasi.cli.terminal_stderr import TerminalStderr
from polycall.wasm_runtime.wasi.cli.terminal_stdin import TerminalStdin
from polycall.wasm_runtime.wasi.cli.terminal_stdout import TerminalStdout
from polycall.wasm_runtime.wasi.clocks.monotonic_clock import MonotonicClock
from polycall.wasm_runtime.wasi.clocks.wall_clock import WallClock
from polycall.wasm_runtime.wasi.filesystem.preopens import Preopens
from polycall.wasm_runtime.wasi.filesystem.types import Types as FilesystemTypes
from polycall.wasm_runtime.wasi.http.outgoing_handler import OutgoingHandler
from polycall.wasm_runtime.wasi.http.types import Types as HttpTypes
from polycall.wasm_runtime.wasi.io.error import Error
from polycall.wasm_runtime.wasi.io.poll import Poll
from polycall.wasm_runtime.wasi.io.streams import Streams
from polycall.wasm_runtime.wasi.random.insecure import Insecure
from polycall.wasm_runtime.wasi.random.insecure_seed import InsecureSeed
from polycall.wasm_runtime.wasi.random.random import Random
from polycall.wasm_runtime.wasi.sockets.instance_network import InstanceNetwork
from polycall.wasm_runtime.wasi.sockets.ip_name_lookup import IpNameLookup
from polycall.wasm_runtime.wasi.sockets.network import NetworkInterface
from polycall.wasm_runtime.wasi.sockets.tcp import Tcp
from polycall.wasm_runtime.wasi.sockets.tcp_create_socket import TcpCreateSocket
from polycall.wasm_runtime.wasi.sockets.udp import Udp
from polycall.wasm_runtime.wasi.sockets.udp_create_socket import UdpCreateSocket

__all__ = ["wasi_interfaces"]

_INTERFACES: tuple[type[HostInterface], ...] = (
    Error,
    Poll,
    Streams,
    Environment,
    Exit,
    Stdin,
    Stdout,
    Stderr,
    TerminalInputInterface,
    TerminalOutputInterface,
    TerminalStdin,
    TerminalStdout,
    TerminalStderr,
    WallClock,
    MonotonicClock,
    FilesystemTypes,
    Preopens,
    Random,
    Insecure,
    InsecureSeed,
    HttpTypes,
    OutgoingHandler,
    NetworkInterface,
    InstanceNetwork,
    IpNameLookup,
    Tcp,
    TcpCreateSocket,
    Udp,
    UdpCreateSocket,
)


def wasi_interfaces() -> list[HostInterface]:
    """Returns them."""
    return [interface() for interface in _INTERFACES]
