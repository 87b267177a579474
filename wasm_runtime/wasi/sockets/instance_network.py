"""``wasi:sockets/instance-network``."""

from __future__ import annotations

from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.wasi.sockets.network import Network, NetworkInterface

__all__ = ["InstanceNetwork"]


class InstanceNetwork(HostInterface):
    """The interface."""

    name = "wasi:sockets/instance-network@0.2.12"
    wit = """
        use network.{network};
        instance-network: func() -> network;
    """
    uses = (NetworkInterface,)

    def instance_network(self, _store: GuestStore) -> Network:
        """Returns what stands for the network."""
        return Network()  # nothing that a call opens: a libc keeps it for the life of its instance
