"""Names to addresses, without holding up who asks: in threads, because the system's resolver cannot be stopped.

A look-up that nobody waits for any more goes on in its thread until the resolver gives up. So the threads are bounded,
for the process and for each who asks: one whose names never answer does not take all of them.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from polycall.interop.addresses import Address, is_local_name, unmapped
from polycall.interop.forks import new_lock, watch_forks

__all__ = ["LookUp", "name_lookups"]

_MOST_THREADS = 64
_MOST_EACH = 8
_MOST_ADDRESSES = 100
_HERE: tuple[Address, ...] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


class LookUp:
    """A look-up that goes on, or is over.

    Attributes:
        name: What is looked up.
        owner: Who asks.
        done: Whether it is over.
        error: Why it failed, as of `socket.gaierror`; None if it did not.
    """

    def __init__(self, name: str, owner: str) -> None:
        self.name = name
        self.owner = owner
        self.done = False
        self.error: int | None = None
        self._addresses: tuple[Address, ...] = ()
        self._lock = new_lock()
        self._calls: list[Callable[[], None]] = []

    @property
    def addresses(self) -> tuple[Address, ...]:
        """What was found, in the order of preference; IPv4-mapped ones are IPv4."""
        return self._addresses

    def watch(self, call: Callable[[], None]) -> Callable[[], None]:
        """Has something called, in another thread, when it is over; returns what calls that off."""
        with self._lock:
            if not self.done:
                self._calls.append(call)
        return lambda: self._call_off(call)

    def _call_off(self, call: Callable[[], None]) -> None:
        with self._lock:
            if call in self._calls:
                self._calls.remove(call)

    def resolve(self) -> None:
        """Asks the system's resolver, for as long as that takes."""
        try:
            self.found(_resolved(self.name))
        except socket.gaierror as error:
            self.failed(error.errno if error.errno is not None else socket.EAI_FAIL)
        except (OSError, UnicodeError):
            self.failed(socket.EAI_FAIL)
        except BaseException:  # whatever a replaced resolver does: who waits must hear of the end
            self.failed(socket.EAI_FAIL)
            raise

    def found(self, addresses: tuple[Address, ...]) -> None:
        """Ends it."""
        self._addresses = addresses
        self._finish()

    def failed(self, error: int) -> None:
        """Ends it without a result."""
        self.error = error
        self._finish()

    def _finish(self) -> None:
        with self._lock:
            self.done = True
            calls, self._calls = self._calls, []
        for call in calls:
            call()


def _resolved(name: str) -> tuple[Address, ...]:
    found: dict[Address, None] = {}
    for *_, address in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM):
        if isinstance(address[0], str):  # a number where Python was built without IPv6
            found[unmapped(ip_address(address[0]))] = None
    return tuple(found)[:_MOST_ADDRESSES]


class NameLookups:
    """The look-ups of a process. Shared by threads."""

    def __init__(self) -> None:
        self._lock = new_lock()
        # By who asks, who is next first: a guest may have thousands, and each is found without a look at the others.
        self._waiting: OrderedDict[str, OrderedDict[LookUp, None]] = OrderedDict()
        self._running: Counter[str] = Counter()
        watch_forks(self)

    def begin(self, name: str, owner: str) -> LookUp:
        """Begins a look-up.

        Args:
            name: As of `parse_host`: no address.
            owner: Who asks; few look-ups of each run at a time.
        """
        look_up = LookUp(name, owner)
        if is_local_name(name):
            look_up.found(_HERE)  # nothing to ask anybody
            return look_up
        with self._lock:
            self._waiting.setdefault(owner, OrderedDict())[look_up] = None
        self._start_more()
        return look_up

    def give_up(self, look_up: LookUp) -> None:
        """Says that nobody waits for a look-up any more: one that waits for a thread will not begin."""
        with self._lock:
            waiting = self._waiting.get(look_up.owner)
            if waiting is not None:
                waiting.pop(look_up, None)
                if not waiting:
                    del self._waiting[look_up.owner]

    def _start_more(self) -> None:
        while (look_up := self._next()) is not None:
            thread = threading.Thread(target=self._run, args=(look_up,), name="polycall name look-up", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads, or the process ends
                self._over(look_up)
                look_up.failed(socket.EAI_AGAIN)

    def _next(self) -> LookUp | None:
        with self._lock:
            if self._running.total() >= _MOST_THREADS:
                return None
            owner = next((each for each in self._waiting if self._running[each] < _MOST_EACH), None)
            if owner is None:
                return None
            waiting = self._waiting.pop(owner)
            look_up, _ = waiting.popitem(last=False)
            if waiting:
                self._waiting[owner] = waiting  # behind the others: each has its turn
            self._running[owner] += 1
            return look_up

    def _run(self, look_up: LookUp) -> None:
        try:
            look_up.resolve()
        finally:
            self._over(look_up)
            self._start_more()

    def _over(self, look_up: LookUp) -> None:
        with self._lock:
            self._running[look_up.owner] -= 1
            self._running += Counter()  # forgets who has none

    def after_fork(self) -> None:
        """Forgets the threads that a forked child does not have."""
        self._waiting = OrderedDict()
        self._running = Counter()


_LOOKUPS = NameLookups()
"""By process, as the resolver is."""


def name_lookups() -> NameLookups:
    """Returns those of this process."""
    return _LOOKUPS
