"""What the text of an isolated Lua entry uses, found out in a process of its own: its compiler runs there as well.

That process is given the text, and answers with names and numbers, which are checked: it may be the guest's by then.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

from polycall.interop.errors import PolycallError
from polycall.interop.source import SourceText
from polycall.lua_runtime.uses import EntryCall, Name, Uses
from polycall.registry.isolation.process import worker_environment

__all__ = ["decode_uses", "encode_uses", "isolated_uses", "main"]

_COMMAND = (sys.executable, "-S", "-P", "-m", "polycall.registry.isolation.lua_uses")
_SECONDS = 30.0
_MOST_BYTES = 4 << 20
_MOST_NAMES = 10_000


def isolated_uses(source: SourceText) -> Uses | None:
    """Returns what a text uses; None if it does not compile, or the process ends without saying it."""
    process = subprocess.Popen(
        _COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=worker_environment(),
        cwd="/",
        start_new_session=True,
    )
    too_long = threading.Timer(_SECONDS, process.kill)
    too_long.start()
    try:
        return decode_uses(_asked(process, json.dumps(source).encode()))
    finally:
        too_long.cancel()
        process.kill()
        process.wait()


def _asked(process: subprocess.Popen[bytes], question: bytes) -> bytes:
    if process.stdin is None or process.stdout is None:
        return b""
    with process.stdin, process.stdout:
        try:
            process.stdin.write(question)
            process.stdin.close()
            return process.stdout.read(_MOST_BYTES)
        except BrokenPipeError:
            return b""


def encode_uses(uses: Uses) -> bytes:
    """Returns what a text uses as JSON, of each list the beginning."""
    lists = (uses.globals, sorted(uses.assigned), uses.required, uses.calls)
    return json.dumps([uses.requires_others, *(each[:_MOST_NAMES] for each in lists)]).encode()


def decode_uses(data: bytes) -> Uses | None:
    """Reads what `encode_uses` wrote; None if it is anything else."""
    try:
        requires_others, names, assigned, required, calls = json.loads(data)
        uses = Uses()
        uses.requires_others = bool(requires_others)
        uses.globals = [_name(*each) for each in names]
        uses.assigned = {_text(each) for each in assigned}
        uses.required = [_name(*each) for each in required]
        uses.calls = [_call(*each) for each in calls]
    except (TypeError, ValueError, RecursionError):
        return None
    return uses


def _name(text: Any, line: Any, of: Any) -> Name:
    return Name(_text(text), _number(line), _text(of))


def _call(target: Any, arguments: Any, line: Any) -> EntryCall:
    known = None if arguments is None else _number(arguments)
    return EntryCall(None if target is None else _text(target), known, _number(line))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 1 << 31:
        raise TypeError
    return value


def main() -> None:
    """Answers the one question that stands in stdin."""
    from polycall.lua_runtime.compiling import compiled  # noqa: PLC0415  # loads the engine, in this process alone
    from polycall.lua_runtime.uses import uses_of  # noqa: PLC0415  # the same

    source = SourceText(*json.load(sys.stdin))
    try:
        code = compiled(source, "")
    except PolycallError:
        return
    sys.stdout.buffer.write(encode_uses(uses_of(code)))


if __name__ == "__main__":
    main()
