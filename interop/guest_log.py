"""What a guest prints and logs: records of one logger for each entry, each a single line, bounded in each call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from polycall.interop.context import NO_VALUES, CallContext
from polycall.interop.errors import ConversionError
from polycall.interop.json_text import encode_json
from polycall.interop.logs import WARNING, logger
from polycall.interop.steering import BREAKING, STEERING, as_escape
from polycall.interop.values import Value

if TYPE_CHECKING:
    import logging

__all__ = ["LINE_BYTES", "MOST_FIELD_VALUES", "RECORD_BYTES", "GuestLog", "guest_logger"]

LINE_BYTES = 16 * 1024
"""What one line may have, its mark included; a longer one is cut."""

RECORD_BYTES = 64
"""What a line counts besides its text, so that empty ones are no way around the bound."""

MOST_FIELD_VALUES = 1000
"""Values that the fields of one line may have in all; what they hold has at most `LINE_BYTES`."""

_MOST_NAME = 256
_UNFIT = f"[{STEERING}{BREAKING}]"  # compiled when a text first needs it: most have nothing of it
_ENCODED = "surrogatepass"


def guest_logger(entry_id: str) -> logging.Logger:
    """Returns the logger of an entry: one, for Python's logging keeps every name for ever."""
    return logger(f"polycall.entry.{entry_id}")


class GuestLog:
    """The way of a guest's lines into the log ``polycall.entry.<id>``; one call at a time writes.

    A line stays one: line ends, other control characters and what turns the direction of writing stand there as
    escapes, so that no guest can write what looks like a record of somebody else, or steer a terminal.

    A line that is too long is cut. When a call has written its bytes, one warning says so, what follows is dropped, and
    a second one at the end of the call says how much that was. Lines of a level that nobody listens to count nothing.

    Attributes:
        used: Whether the running call has written anything: if not, `end` need not be called.
    """

    def __init__(self, entry_id: str, most_bytes: int) -> None:
        """Makes the log of one instance.

        Args:
            entry_id: Whose guest writes.
            most_bytes: What one call may write.
        """
        self.used = False
        self._entry_id = entry_id
        self._most_bytes = most_bytes
        self._left = most_bytes
        self._dropped_lines = 0
        self._dropped_bytes = 0

    def write(
        self,
        level: int,
        text: bytes | str,
        context: CallContext | None,
        *,
        cut_off: int = 0,
        name: str = "",
        fields: Mapping[str, Value] = NO_VALUES,
    ) -> None:
        """Writes a line: name, text and fields.

        Args:
            level: As of `logging`.
            text: What the guest says; bytes that are not UTF-8 and control characters are shown as escapes.
            context: The call in which it says it; None while its code starts.
            cut_off: How many bytes at the end of the text were left out already.
            name: Of the guest's logger.
            fields: What stands beside the text.
        """
        if not guest_logger(self._entry_id).isEnabledFor(level):
            return
        if self._dropped_lines:  # without a look at it: dropping must cost next to nothing
            self._drop(_size(text) + cut_off)
        else:
            self.pass_on(level, _line(name, text, fields), context, cut_off=cut_off, name=name, fields=fields)

    def pass_on(
        self,
        level: int,
        line: str,
        context: CallContext | None,
        *,
        cut_off: int = 0,
        name: str = "",
        fields: Mapping[str, Value] = NO_VALUES,
    ) -> None:
        """Like `write`, for a line that is complete: with it `fields` are kept as data only."""
        if not guest_logger(self._entry_id).isEnabledFor(level):
            return
        whole = _size(line) + cut_off
        line = line[:LINE_BYTES]
        cut_off = whole - _size(line)
        line = _on_one_line(line)
        if cut_off or _size(line) > LINE_BYTES:
            line = _cut(line, cut_off)
        size = _size(line) + RECORD_BYTES
        if self._dropped_lines or size > self._left:
            self._begin_to_drop(context)
            self._drop(whole)
            return
        self.used = True
        self._left -= size
        self._emit(level, line, context, _on_one_line(name[:_MOST_NAME]), fields if _are_small(fields) else NO_VALUES)

    def remark(self, text: str, context: CallContext | None) -> None:
        """Writes a warning of the host's about the guest: not the guest's to use up, so the caller bounds how many."""
        self._emit(WARNING, _on_one_line(text)[:LINE_BYTES], context)

    def end(self, context: CallContext | None) -> None:
        """Makes room for the next call; tells how much of this one was dropped, if anything was."""
        lines, size = self._dropped_lines, self._dropped_bytes
        self.used, self._left, self._dropped_lines, self._dropped_bytes = False, self._most_bytes, 0, 0
        if lines:
            self._emit(WARNING, f"dropped output of this call: {lines} lines, {size} bytes", context)

    def _begin_to_drop(self, context: CallContext | None) -> None:
        if not self._dropped_lines:
            text = f"this call has written its {self._most_bytes} bytes (limits.max_output_bytes): the rest is dropped"
            self._emit(WARNING, text, context)

    def _drop(self, size: int) -> None:
        self.used = True
        self._dropped_lines += 1
        self._dropped_bytes += size

    def _emit(
        self,
        level: int,
        line: str,
        context: CallContext | None,
        name: str = "",
        fields: Mapping[str, Value] = NO_VALUES,
    ) -> None:
        extra = {"logger_name": name, "fields": dict(fields), **_call_of(context)}
        guest_logger(self._entry_id).log(level, "%s", line, extra=extra)


def _call_of(context: CallContext | None) -> dict[str, str | int]:
    """Returns the attributes by which a record is found beside that of its call; none while a chunk starts up."""
    if context is None:
        return {}
    return {
        "entry_id": context.entry_id,
        "call_id": context.call_id,
        "frame_id": context.frame_id,
        "depth": context.depth,
    }


def _line(name: str, text: bytes | str, fields: Mapping[str, Value]) -> str:
    start = f"{name}: {_shown(text)}" if name else _shown(text)
    return " ".join([start, *(f"{field}={_shown(value)}" for field, value in fields.items())])


def _shown(value: Value) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    try:
        return value if isinstance(value, str) else encode_json(value)
    except ConversionError:  # bytes somewhere inside that are no text
        return str(value)


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else re.sub(_UNFIT, as_escape, text)


def _size(text: bytes | str) -> int:
    return len(text) if isinstance(text, bytes) or text.isascii() else len(text.encode(errors=_ENCODED))


def _cut(line: str, cut_off: int) -> str:
    """Returns the beginning of a line, and a mark that says how much is missing."""
    data = line.encode(errors=_ENCODED)
    room = LINE_BYTES - len(_mark(len(data) + cut_off))
    return data[:room].decode(errors="ignore") + _mark(max(0, len(data) - room) + cut_off)


def _mark(dropped: int) -> str:
    return f" ... ({dropped} bytes dropped)"


def _are_small(fields: Mapping[str, Value]) -> bool:
    """Whether fields are within the bounds that Lua's side keeps to: a worker may claim anything."""
    values = size = 0
    level: list[Value] = [dict(fields)] if fields else []
    while level:
        level = list(_inside(level))
        values += len(level)
        size += sum(len(value) for value in level if isinstance(value, (str, bytes)))
        if values > 3 * MOST_FIELD_VALUES or size > 2 * LINE_BYTES:
            return False
    return True


def _inside(values: Iterable[Value]) -> Iterable[Value]:
    for value in values:
        if isinstance(value, list):
            yield from value
        elif isinstance(value, dict):
            yield from value  # the keys count as well
            yield from value.values()
