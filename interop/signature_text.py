"""Signatures as text, ``func(a: s32, b: list<string>) -> result<u32, string>``, taken apart.

What runs in a worker process is known by its text alone, so whoever asks for types asks here.
"""

from __future__ import annotations

__all__ = ["ok_of", "types_of"]


def types_of(signature: str) -> tuple[list[str], str]:
    """Returns the types of the parameters and of the result of ``func(a: s32, b: s32) -> s32``."""
    *parts, end = _parts(signature.removeprefix("func("))
    return [part.partition(": ")[2] for part in parts if part], end.removeprefix(" -> ")


def ok_of(result: str) -> str:
    """Returns the type of the ok of a result; any other type as it is."""
    if result == "result" or not result.startswith("result<"):
        return "" if result == "result" else result
    ok = _parts(result.removeprefix("result<"))[0]
    return "" if ok == "_" else ok


def _parts(text: str) -> list[str]:
    """Splits at the commas up to the bracket that closes; what follows it is the last part."""
    parts, begin, depth = [], 0, 0
    for at, character in enumerate(text):
        if character in "(<{":
            depth += 1
        elif character in ")>}":
            depth -= 1
        if depth < 0 or (not depth and character == ","):
            parts.append(text[begin:at])
            begin = at + 2 if character == "," else at + 1
        if depth < 0:
            break
    return [*parts, text[begin:]]
