"""What a message of msgpack would become, found out without building any of it.

The sender may be hostile, and its bytes are the worst ones that there are: a byte can stand for an empty list, and so
64 MiB of them for gigabytes of Python's memory. This goes over the heads of the values only, in Python, where other
threads run as well.
"""

from __future__ import annotations

from collections.abc import Callable

from polycall.interop.values import MAX_NESTING

__all__ = ["MAX_MESSAGE_VALUES", "MAX_TEXT_BYTES", "MessageError", "TooMuchError", "measure"]

MAX_MESSAGE_VALUES = 1_000_000
"""Values in a message, keys included; a list or a record counts twice. One byte can stand for 100 bytes of memory."""

MAX_TEXT_BYTES = 16 * 1024 * 1024
"""What one text may take: Python decodes it at one go, in which no other thread runs."""

_LEVELS = MAX_NESTING + 8  # so many a message adds around the values in it: errors have causes
_BETWEEN_CHECKS = 10_000


class MessageError(ValueError):
    """What arrived is no message."""


class TooMuchError(MessageError):
    """There is more in a message than it may have.

    Attributes:
        most: What it may have.
    """

    def __init__(self, most: str) -> None:
        super().__init__(f"a message of more than {most}")
        self.most = most


def measure(body: bytes, check: Callable[[], None]) -> None:
    """Looks at a message, which is one value: nil, bool, int, float, str, bin, array or map with str for keys.

    What has passed is built by `msgpack` without surprises, except for text that is not UTF-8.

    Args:
        body: The message.
        check: Called every few milliseconds; raises to end the work.

    Raises:
        TooMuchError: It has more than `MAX_MESSAGE_VALUES`, a text longer than `MAX_TEXT_BYTES`, or nests too deeply.
        MessageError: It is incomplete, something follows, or there is something else in it, such as an extension.
    """
    try:
        end = _end_of(body, check)
    except IndexError:
        end = -1
    if end != len(body):
        raise MessageError("a message whose length is wrong")


def _end_of(body: bytes, check: Callable[[], None]) -> int:
    position = 0
    room, next_check = MAX_MESSAGE_VALUES, MAX_MESSAGE_VALUES - _BETWEEN_CHECKS
    outer: list[tuple[int, bool]] = []  # of each container around the present one: what is left of it, is it a map
    left, is_map = 1, False
    while True:
        head = body[position]
        if is_map and not left & 1 and head not in _TEXT_HEADS:
            raise MessageError("a key that is no text")
        left -= 1
        room -= 1
        step = _STEPS[head]
        if step:
            position += step
        elif head in _LENGTHS:
            start = position + 1 + _LENGTHS[head]
            size = int.from_bytes(body[position + 1 : start])
            if size > MAX_TEXT_BYTES and head in _TEXT_HEADS:
                raise TooMuchError(f"{MAX_TEXT_BYTES} bytes in one text")
            position = start + size
        else:
            count, position = _opened(body, position, head)
            outer.append((left, is_map))
            is_map = head in _MAP_HEADS
            left = 2 * count if is_map else count
            room -= 1
            if len(outer) > _LEVELS:
                raise TooMuchError(f"{_LEVELS} levels")
        if room < next_check:
            if room < 0:
                raise TooMuchError(f"{MAX_MESSAGE_VALUES} values")
            check()
            next_check = max(0, room - _BETWEEN_CHECKS)
        while not left:
            if not outer:
                return position
            left, is_map = outer.pop()


def _opened(body: bytes, position: int, head: int) -> tuple[int, int]:
    """Returns how many a container holds, and where they begin."""
    width = _COUNTS.get(head)
    if width is None:
        raise MessageError(f"an extension, or what is none of msgpack's: 0x{head:02x}")
    if not width:
        return head & 0x0F, position + 1
    start = position + 1 + width
    return int.from_bytes(body[position + 1 : start]), start


# The heads, as msgpack's specification lists them.
_STEPS = [0] * 256
"""How far it is to the next value, for values without anything variable in them; 0 for others."""
_STEPS[0x00:0x80] = [1] * 0x80  # positive fixint
_STEPS[0xA0:0xC0] = [1 + size for size in range(0x20)]  # fixstr
_STEPS[0xE0:0x100] = [1] * 0x20  # negative fixint
_STEPS[0xC0] = _STEPS[0xC2] = _STEPS[0xC3] = 1  # nil, false, true
_STEPS[0xCA:0xD4] = [5, 9, 2, 3, 5, 9, 2, 3, 5, 9]  # float 32 and 64, uint and int 8 to 64

_LENGTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}  # bin, str: how many bytes say how many follow
_COUNTS = {0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4, **dict.fromkeys(range(0x80, 0xA0), 0)}  # array, map
_TEXT_HEADS = frozenset({*range(0xA0, 0xC0), 0xD9, 0xDA, 0xDB})
_MAP_HEADS = frozenset({*range(0x80, 0x90), 0xDE, 0xDF})
