"""Components that nobody would write: changed bytes of real ones, and structures drawn by chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

__all__ = ["changed", "drawn_component", "leb", "section"]

_COMPONENT = b"\0asm\x0d\0\x01\0"
_INTERESTING = (0x00, 0x01, 0x02, 0x3F, 0x40, 0x41, 0x42, 0x50, 0x60, 0x7F, 0x80, 0xFF)
_MODULE = bytes.fromhex(
    "0061736d01000000"  # a memory "m", a function "f" that takes and gives nothing, one "r" like a realloc
    "010c0260000060047f7f7f7f017f"
    "03030200010503010001"
    "070d03016d02000166000001720001"
    "0a09020200 0b0400 41000b".replace(" ", "")
)


def leb(value: int) -> bytes:
    """Returns a number as unsigned LEB128."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def section(number: int, content: bytes) -> bytes:
    """Returns a section of a binary."""
    return bytes([number]) + leb(len(content)) + content


def changed(seeds: Sequence[bytes], random: Random) -> bytes:
    """Returns one of the seeds with a few changes: bytes replaced, left out, doubled, or taken from another seed."""
    data = bytearray(random.choice(seeds))
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        at = random.randrange(min(8, len(data)), len(data) + 1)  # behind the header, where there is more to see
        length = random.choice((1, 1, 2, 4, 16, 64))
        kind = random.choice((0, 0, 0, 1, 1, 1, 2, 3, 4, 5))
        if kind == 0 and at < len(data):
            data[at] = random.choice(_INTERESTING)
        elif kind == 1 and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = data[at : at + length]
        elif kind == 4:
            other = random.choice(seeds)
            start = random.randrange(len(other))
            data[at : at + length] = other[start : start + length]
        else:
            data[at:at] = leb(random.choice((0, 1, 2**7, 2**14, 2**31, 2**32 - 1, 2**32)))
    return bytes(data)


def drawn_component(random: Random, depth: int = 0) -> bytes:
    """Returns a component whose definitions are well-formed; their indices and names fit more often than not."""
    return _COMPONENT + b"".join(_Drawn(random, depth).sections())


class _NothingThereError(Exception):
    """A definition wants something that has not been drawn yet."""


class _Drawn:
    def __init__(self, random: Random, depth: int) -> None:
        self._random = random
        self._depth = depth
        self._spaces: dict[str, list[str]] = {}

    def sections(self) -> list[bytes]:
        draws = self._draws()
        drawn = [self._module(), self._core_instance()]
        for _ in range(self._random.choice((4, 8, 16, 32))):
            try:
                drawn.append(self._random.choice(draws)())
            except _NothingThereError:
                continue
        return drawn

    def _draws(self) -> list[Callable[[], bytes]]:
        nested = [self._component] if self._depth < 3 else []
        return [
            *[self._type, self._type, self._type, self._core_instance, self._instance, self._alias, self._core_alias],
            *[self._lift, self._canon, self._import, self._export, self._export, *nested],
        ]

    def _one(self, number: int, sort: str, kind: str, content: bytes) -> bytes:
        self._spaces.setdefault(sort, []).append(kind)
        return section(number, b"\x01" + content)

    def _index(self, sort: str, kind: str = "") -> bytes:
        """Draws the index of something of a sort, nearly always of the right kind."""
        space = self._spaces.get(sort, [])
        if self._random.random() < 0.01:
            return leb(self._random.randrange(len(space) + 2))
        fitting = [index for index, each in enumerate(space) if kind in ("", each)]
        if not fitting:
            raise _NothingThereError
        return leb(self._random.choice(fitting))

    def _name(self) -> bytes:
        return self._random.choice((b"\x01a", b"\x01b", b"\x01c", b"\x0ba:b/c@1.0.0"))

    def _value_type(self) -> bytes:
        if self._random.random() < 0.7 and "value" in self._spaces.get("type", []):
            return self._index("type", "value")
        return bytes([self._random.choice((0x7F, 0x79, 0x73, 0x64))])

    def _type(self) -> bytes:
        kind, content = self._type_definition(3)
        return self._one(7, "type", kind, content)

    def _type_definition(self, levels: int) -> tuple[str, bytes]:
        random = self._random
        pick = random.randrange(12)
        if pick == 0:
            return "resource", b"\x3f\x7f\x00"
        if pick in (1, 2):
            return "func", b"\x40\x01\x01x" + self._value_type() + b"\x01\x00"
        if pick == 3:
            return "func", b"\x40\x00\x01\x00"
        if pick == 4 and levels:
            declarations = [self._declaration(levels - 1) for _ in range(random.randrange(4))]
            return "instance", b"\x42" + leb(len(declarations)) + b"".join(declarations)
        return "value", self._value_definition()

    def _value_definition(self) -> bytes:
        random = self._random
        pair = self._value_type() + self._value_type()
        kind = random.choice((0x72, 0x71, 0x70, 0x67, 0x6F, 0x6F, 0x6F, 0x6E, 0x6B, 0x6A, 0x69, 0x68, 0x66, 0x63))
        if kind in (0x69, 0x68):
            return bytes([kind]) + self._index("type", "resource")
        forms = {
            0x72: b"\x01" + self._name() + self._value_type(),
            0x71: b"\x01" + self._name() + b"\x01" + self._value_type() + b"\x00",
            0x70: self._value_type(),
            0x67: self._value_type() + leb(random.choice((1, 3, 2**31))),
            0x6F: b"\x02" + pair,
            0x6E: b"\x01" + self._name(),
            0x6B: self._value_type(),
            0x6A: b"\x01" + self._value_type() + b"\x00",
            0x66: b"\x01" + self._value_type(),
            0x63: pair,
        }
        return bytes([kind]) + forms[kind]

    def _declaration(self, levels: int) -> bytes:
        pick = self._random.randrange(4)
        if pick == 0:
            return b"\x01" + self._type_definition(levels)[1]
        if pick == 1:
            return b"\x04\x00" + self._name() + b"\x03\x01"
        if pick == 2:
            return b"\x02\x03\x02\x01" + self._index("type")
        return b"\x04\x00" + self._name() + self._random.choice((b"\x01", b"\x03\x00", b"\x05")) + leb(0)

    def _module(self) -> bytes:
        self._spaces.setdefault("core module", []).append("")
        return section(1, _MODULE)

    def _component(self) -> bytes:
        self._spaces.setdefault("component", []).append("")
        return section(4, drawn_component(self._random, self._depth + 1))

    def _core_instance(self) -> bytes:
        if self._random.random() < 0.7 or not self._spaces.get("core func"):
            return self._one(2, "core instance", "module", b"\x00" + self._index("core module") + b"\x00")
        return self._one(2, "core instance", "", b"\x01\x01\x01f\x00" + self._index("core func"))

    def _item(self) -> tuple[str, str, bytes]:
        sort = self._random.choice(tuple(_SORTS))
        kind = self._random.choice(("value", "func", "instance", "resource")) if sort == "type" else ""
        return sort, kind, bytes([_SORTS[sort]]) + self._index(sort, kind)

    def _instance(self) -> bytes:
        if self._random.random() < 0.7 and self._spaces.get("component"):
            names = self._random.sample((b"\x01a", b"\x01b", b"\x01c"), self._random.randrange(4))
            items = [name + self._item()[2] for name in names]
            content = b"\x00" + self._index("component") + leb(len(items)) + b"".join(items)
        else:
            items = [b"\x00" + self._name() + self._item()[2] for _ in range(self._random.randrange(4))]
            content = b"\x01" + leb(len(items)) + b"".join(items)
        return self._one(5, "instance", "", content)

    def _alias(self) -> bytes:
        sort, kind, _ = self._item()
        code = bytes([_SORTS[sort]])
        if self._random.random() < 0.5:
            levels = self._random.choice((0, 0, 0, 1))
            return self._one(6, sort, kind, code + b"\x02" + leb(levels) + self._index(sort, kind))
        return self._one(6, sort, kind, code + b"\x00" + self._index("instance") + self._name())

    def _core_alias(self) -> bytes:
        sort, code, names = self._random.choice(_CORE_EXPORTS)
        content = b"\x00" + code + b"\x01" + self._index("core instance", "module")
        name = self._random.choice(names)
        return self._one(6, sort, name.decode(), content + b"\x01" + name)

    def _lift(self) -> bytes:
        content = b"\x00\x00" + self._index("core func", "f") + b"\x00" + self._index("type", "func")
        return self._one(8, "func", "", content)

    def _canon(self) -> bytes:
        pick = self._random.randrange(4)
        if pick == 0:
            content = b"\x01\x00" + self._index("func") + b"\x00"
        elif pick == 3:
            content = b"\x09\x00" + self._value_type() + b"\x00"
        else:
            content = (b"\x02", b"\x03")[pick - 1] + self._index("type", "resource")
        return self._one(8, "core func", "", content)

    def _import(self) -> bytes:
        pick = self._random.randrange(4)
        name = b"\x00" + self._name()
        if pick == 0:
            return self._one(10, "type", "resource", name + b"\x03\x01")
        if pick == 1:
            return self._one(10, "type", "value", name + b"\x03\x00" + self._index("type", "value"))
        if pick == 2:
            return self._one(10, "func", "", name + b"\x01" + self._index("type", "func"))
        return self._one(10, "instance", "", name + b"\x05" + self._index("type", "instance"))

    def _export(self) -> bytes:
        sort, kind, item = self._item()
        return self._one(11, sort, kind, b"\x00" + self._name() + item + b"\x00")


_SORTS = {"func": 0x01, "type": 0x03, "component": 0x04, "instance": 0x05}
_CORE_EXPORTS = (("core func", b"\x00", (b"f", b"f", b"r")), ("core memory", b"\x02", (b"m",)))
