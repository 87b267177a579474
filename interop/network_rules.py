"""Which places on the network a guest may call, listen at, and ask for by name: the one gate for addresses.

A rule is ``[scheme://]host[:port]``, ``*.domain[:port]``, an address or a range of them, or a word. What is judged is
the address that will be connected to; a name only counts as what that address was found by. Nothing here touches the
network.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from polycall.interop.addresses import Address, Place, is_local_name, parse_host, place_of, unmapped
from polycall.interop.ids import suggestion
from polycall.interop.records import record

__all__ = ["SCHEMES", "WORDS", "NetworkRules", "Rule", "check_listen_rule", "check_rule"]

WORDS = ("public", "private", "loopback", "link-local", "multicast", "all")
"""What a rule can say instead of a host."""

SCHEMES = ("tcp", "udp", "http", "https")
"""What a rule can stand for; ``tcp`` stands for ``http`` and ``https`` too, which are spoken over it."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LISTENING = ("tcp", "udp")
_DEFAULT = ("public",)
_BY_DEFAULT = "without {}.allow, only what is public may be called"
_NEVER_BY_NAME = frozenset({"link-local", "multicast", "unspecified"})
_LONGEST_RULE = 300

_Network = IPv4Network | IPv6Network


@record
class Rule:
    """One rule. Of `word`, `name` and `network` one is given.

    Attributes:
        text: As it was declared.
        scheme: What it stands for; empty for everything.
        port: The only one, or None for every port.
        word: One of `WORDS`.
        name: A name, or the domain below which names are if it begins with a dot.
        network: A range of addresses.
    """

    text: str
    scheme: str
    port: int | None
    word: str = ""
    name: str = ""
    network: _Network | None = None

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Reads a rule.

        Raises:
            ValueError: It is none; the text says what was expected instead.
        """
        return _parse(text)

    def covers(self, scheme: str, port: int) -> bool:
        """Says whether it speaks about a protocol and a port."""
        fits = not self.scheme or self.scheme == scheme or (self.scheme == "tcp" and scheme in _DEFAULT_PORTS)
        return fits and self.port in (None, port)

    def names(self, name: str) -> bool:
        """Says whether it is about a name."""
        if self.name[:1] == ".":
            return name.endswith(self.name) and len(name) > len(self.name)
        return bool(self.name) and name == self.name

    def allows(self, names: Collection[str], place: Place) -> bool:
        """Says whether it is about an address, as a rule that allows: for names, whatever they resolve to.

        Only the ways around every network are not a name's to open: addresses of one cable, where clouds have their
        services of credentials, and those of groups.
        """
        if self.name:
            return any(map(self.names, names)) and not place.all_kinds() & _NEVER_BY_NAME
        if self.network is not None:
            return any(each in self.network for each in place.addresses)
        return self.word in ("all", place.kind)

    def denies(self, names: Collection[str], place: Place) -> bool:
        """Says whether it is about an address, as a rule that denies: whichever way the address could be meant."""
        if self.name:
            return any(map(self.names, names))
        if self.network is not None:
            return any(each in self.network for each in (*place.addresses, *place.hidden))
        return self.word == "all" or self.word in place.all_kinds()

    def needs_names(self) -> bool:
        """Says whether addresses that it allows are found by names which it does not say."""
        if self.network is None:
            return self.word in ("public", "private", "all")
        return self.network.num_addresses > 1 and place_of(self.network[0]).kind not in (
            "loopback",
            "link-local",
            "multicast",
        )

    def allows_loopback(self) -> bool:
        """Says whether it allows some address of this machine's own, whatever name it is found by."""
        if self.network is None:
            return self.word in ("loopback", "all")
        return any(self.network.overlaps(each) for each in _LOOPBACK if each.version == self.network.version)


_LOOPBACK: tuple[_Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


@record
class _Layer:
    """What one place has declared; of what is None it says nothing."""

    where: str
    allow: tuple[Rule, ...] | None
    deny: tuple[Rule, ...]
    listen: tuple[Rule, ...] | None
    otherwise: str = "nothing in {}.allow stands for it"

    def refuses(self, scheme: str, names: Collection[str], port: int, place: Place) -> str:
        denied = next((rule for rule in self.deny if rule.covers(scheme, port) and rule.denies(names, place)), None)
        if denied is not None:
            return f'{self.where}.deny has "{denied.text}"'
        if self.allow is None or any(rule.covers(scheme, port) and rule.allows(names, place) for rule in self.allow):
            return ""
        return self.otherwise.format(self.where)

    def refuses_name(self, name: str) -> str:
        for rule in self.deny:
            if not rule.scheme and rule.port is None and (rule.names(name) or rule.word == "all"):
                return f'{self.where}.deny has "{rule.text}"'
        if is_local_name(name):
            return self.refuses_local_name(name)
        if self.allow is None or any(rule.names(name) or rule.needs_names() for rule in self.allow):
            return ""
        return self.otherwise.format(self.where)

    def refuses_local_name(self, name: str) -> str:
        rules = (*(self.allow or ()), *(self.listen or ()))
        if self.allow is None or any(rule.names(name) or rule.allows_loopback() for rule in rules):
            return ""
        return f"nothing in {self.where} stands for this machine"

    def reaches(self, names: Collection[str], place: Place) -> bool:
        if any(not rule.scheme and rule.port is None and rule.denies(names, place) for rule in self.deny):
            return False
        rules = (*(self.allow or ()), *(self.listen or ()))  # whoever listens may know where
        return self.allow is None or any(rule.allows(names, place) for rule in rules)

    def refuses_listening(self, scheme: str, port: int, place: Place) -> str:
        rules = self.listen
        if rules is None or any(rule.covers(scheme, port) and rule.allows((), place) for rule in rules):
            return ""
        return f"nothing in {self.where}.listen stands for it"


class NetworkRules:
    """The rules of an entry, under those of its project: what one of them refuses is refused. Immutable.

    Names are given as `parse_host` returns them.
    """

    __slots__ = ("_layers",)

    def __init__(self, layers: tuple[_Layer, ...]) -> None:
        self._layers = layers

    @classmethod
    def of(
        cls,
        allow: Sequence[str] | None = None,
        deny: Sequence[str] = (),
        listen: Sequence[str] | None = None,
    ) -> NetworkRules:
        """Makes the rules of an entry.

        Args:
            allow: What may be called; None for the public network.
            deny: What may not, whatever else is said.
            listen: Where it may listen; None for nowhere.

        Raises:
            ValueError: A rule is none.
        """
        where = "wasi.network"
        if allow is None:
            return cls((_Layer(where, _rules(_DEFAULT), _rules(deny), _rules(listen or ()), _BY_DEFAULT),))
        return cls((_Layer(where, _rules(allow), _rules(deny), _rules(listen or ())),))

    def under(
        self,
        allow: Sequence[str] | None = None,
        deny: Sequence[str] = (),
        listen: Sequence[str] | None = None,
        *,
        where: str = "network",
    ) -> NetworkRules:
        """Returns these rules under a ceiling: both must agree. Of what the ceiling leaves out, it says nothing."""
        ceiling = _Layer(
            where,
            None if allow is None else _rules(allow),
            _rules(deny),
            None if listen is None else _rules(listen),
        )
        return NetworkRules((*self._layers, ceiling))

    def may_connect(self, scheme: str, host_name: str | None, address: Address, port: int) -> bool:
        """Says whether an address may be called, and heard from.

        Args:
            scheme: One of `SCHEMES`.
            host_name: The name that resolved to it; None if it was given as it is.
            address: What will be connected to.
            port: The port there.
        """
        return not self.why_not_connect(scheme, () if host_name is None else (host_name,), address, port)

    def why_not_connect(self, scheme: str, names: Collection[str], address: Address, port: int) -> str:
        """Returns what refuses a call to an address, for the person who has written the rules; empty if nothing does.

        Args:
            scheme: One of `SCHEMES`.
            names: Those that resolved to it.
            address: What will be connected to.
            port: The port there.
        """
        place = place_of(address)
        if place.kind == "unspecified":
            return "it is no address that can be called"
        return _first(layer.refuses(scheme, names, port, place) for layer in self._layers)

    def may_look_up(self, name: str) -> bool:
        """Says whether a name may be asked for: a rule could allow what it resolves to."""
        return not self.why_not_look_up(name)

    def why_not_look_up(self, name: str) -> str:
        """Returns what refuses a look-up; empty if nothing does."""
        return _first(layer.refuses_name(name) for layer in self._layers)

    def may_find(self, name: str | None, address: Address) -> bool:
        """Says whether a guest may be told an address of a name: it may call some port there, or listen at it."""
        place = place_of(address)
        names = () if name is None else (name,)
        return place.kind != "unspecified" and all(layer.reaches(names, place) for layer in self._layers)

    def may_listen(self, scheme: str, address: Address, port: int) -> bool:
        """Says whether a guest may take a port of this machine.

        Args:
            scheme: ``tcp`` or ``udp``.
            address: That of a network interface, or the unspecified one for all of them.
            port: The port; 0 for any that is free.
        """
        return not self.why_not_listen(scheme, address, port)

    def why_not_listen(self, scheme: str, address: Address, port: int) -> str:
        """Returns what refuses to listen somewhere; empty if nothing does."""
        place = place_of(address)
        return _first(layer.refuses_listening(scheme, port, place) for layer in self._layers)


def _first(reasons: Iterable[str]) -> str:
    return next(filter(None, reasons), "")


def _rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    return tuple(map(Rule.parse, texts))


def check_rule(text: str) -> str | None:
    """Says what was expected if a text is no rule of `allow` and `deny`; None if it is one."""
    try:
        Rule.parse(text)
    except ValueError as error:
        return str(error)
    return None


def check_listen_rule(text: str) -> str | None:
    """Says what was expected if a text is no rule of `listen`; None if it is one."""
    try:
        rule = Rule.parse(text)
    except ValueError as error:
        return str(error)
    if rule.name:
        return 'an address of this machine or a word, such as "127.0.0.1:8080" or "loopback"'
    return None if rule.scheme in ("", *_LISTENING) else 'tcp:// or udp:// before "://", or neither'


_EXPECTED = 'a rule, such as "https://api.example.com", "*.example.org:443", "10.0.0.0/8" or "public"'


@lru_cache(1024)
def _parse(text: str) -> Rule:
    if len(text) > _LONGEST_RULE:
        raise ValueError(_EXPECTED)
    scheme, slashes, rest = text.strip().lower().partition("://")
    if not slashes:
        scheme, rest = "", scheme
    elif scheme not in SCHEMES:
        raise ValueError(f'one of {", ".join(SCHEMES)} before "://"')
    host, port = _split(rest)
    number = _DEFAULT_PORTS.get(scheme) if port is None else _port(port)
    if host in WORDS:
        return Rule(text, scheme, number, word=host)
    if not slashes and port is None and "." not in host:
        _refuse_misspelt_word(host)
    if "*" in host:
        return Rule(text, scheme, number, name="." + _domain(host))
    if "/" in host:
        return Rule(text, scheme, number, network=_network(host))
    found = _host(host)
    if isinstance(found, str):
        return Rule(text, scheme, number, name=found)
    one = IPv4Network(int(found)) if found.version == 4 else IPv6Network(int(found))  # without its zone
    return Rule(text, scheme, number, network=one)


def _split(rest: str) -> tuple[str, str | None]:
    """Splits host and port; an IPv6 address or range with a port stands in brackets."""
    if rest[:1] == "[":
        inner, bracket, after = rest[1:].partition("]")
        length, colon, port = after.partition(":")
        if not bracket or ":" not in inner or (length and length[0] != "/"):
            raise ValueError('an IPv6 address in brackets, such as "[2001:db8::1]:443"')
        return inner + length, port if colon else None
    if rest.count(":") > 1:
        return rest, None
    host, colon, port = rest.partition(":")
    return host, port if colon else None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise ValueError("a port from 1 to 65535 behind the colon")
    return int(text)


def _refuse_misspelt_word(host: str) -> None:
    near = suggestion(host, WORDS)  # a name without dots can be meant, but then it can be said with a scheme
    if near:
        raise ValueError(f'one of the words {", ".join(WORDS)} (a name like one is written "tcp://{host}"), {near}')


def _domain(host: str) -> str:
    found = _host(host[2:]) if host[:2] == "*." and "*" not in host[1:] else None
    if not isinstance(found, str):
        raise ValueError('* for the first labels of a name alone, such as "*.example.org", or the word "all"')
    return found


def _network(text: str) -> _Network:
    start = text.partition("/")[0]
    try:
        address = parse_host(start)
    except ValueError:
        raise ValueError(_EXPECTED) from None
    if isinstance(address, str):
        raise ValueError(f'a rule without a path: "{start}"')
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError('a range of addresses, such as "10.0.0.0/8" or "fd00::/8"') from None
    if network != _strict(text):
        raise ValueError(f'a range from its first address on: "{network}"')
    mapped = unmapped(network.network_address)
    if mapped.version == network.version:
        return network
    return ip_network(f"{mapped}/{network.prefixlen - 96}")


def _strict(text: str) -> _Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


def _host(text: str) -> Address | str:
    try:
        found = parse_host(text)
    except ValueError:
        raise ValueError(_EXPECTED) from None
    if not isinstance(found, str) and found.version == 4 and ":" not in text and text != str(found):
        raise ValueError(f'an address as four numbers: "{found}"')
    return found
