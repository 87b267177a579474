"""What the guest ``file-steps.wat`` is told to do with ``wasi:filesystem``, and what its steps gave.

steps = Steps()
file = steps.open(steps.root(), "a.txt", "create", flags="write")
written = steps.do("write", file, b"text", 0)
results = steps.run(call)       # call: the guest's export `run`, here or under wasmtime's own WASI
results[written.step]           # {"ok": 4}
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from projects import GUESTS

__all__ = ["ERRORS", "GUEST", "Place", "Steps", "as_time"]

GUEST = GUESTS / "wat" / "file-steps.wat"

_NAMES = """
    read-via-stream write-via-stream append-via-stream advise sync-data get-flags get-type set-size set-times read
    write read-directory sync create-directory-at stat stat-at set-times-at link-at open-at readlink-at
    remove-directory-at rename-at symlink-at unlink-file-at is-same-object metadata-hash metadata-hash-at
    read-directory-entry filesystem-error-code get-directories stream-read blocking-read check-write stream-write
    blocking-flush blocking-write-and-flush drop-descriptor drop-entries drop-input drop-output drop-error peek
""".split()
ERRORS = """
    access would-block already bad-descriptor busy deadlock quota exist file-too-large illegal-byte-sequence
    in-progress interrupted invalid io is-directory loop too-many-links message-size name-too-long no-device no-entry
    no-lock insufficient-memory insufficient-space not-directory not-empty not-recoverable unsupported no-tty
    no-such-device overflow not-permitted pipe read-only invalid-seek text-file-busy cross-device
""".split()
_TYPES = "unknown block-device character-device directory fifo symbolic-link regular-file socket".split()
_FLAGS = "read write file-integrity-sync data-integrity-sync requested-write-sync mutate-directory".split()
_OPEN = "create directory exclusive truncate".split()
ADVICE = "normal sequential random will-need dont-need no-reuse".split()
_STREAMS = ("stream-read", "blocking-read", "check-write", "stream-write", "blocking-flush", "blocking-write-and-flush")
_SEEN = 16 << 10
"""Of the guest's memory: what steps gave that does not fit into their result stands there."""


class Place(NamedTuple):
    """Where a step left something: the step, and how far into its result."""

    step: int
    shift: int = 4


class Steps:
    """A list of steps."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, list[int], list[bytes]]] = []

    def do(self, name: str, *arguments: Place | int | str | bytes) -> Place:
        """Adds a step: the numbers, handles and texts that the function takes, in its order."""
        numbers = [_number(each) for each in arguments if isinstance(each, (Place, int))]
        texts = [
            each.encode() if isinstance(each, str) else each for each in arguments if isinstance(each, (str, bytes))
        ]
        self._steps.append((name, numbers, texts))
        return Place(len(self._steps) - 1)

    def root(self, number: int = 0) -> Place:
        """Adds steps that give one of the preopened folders."""
        given = self.do("get-directories")
        return self.do("peek", given._replace(shift=0), 12 * (number + 1))._replace(shift=12 * number)

    def open(self, base: Place, path: str, *open_flags: str, flags: str = "read", follow: bool = False) -> Place:
        """Adds a step that opens something; ``flags`` are words."""
        return self.do("open-at", base, int(follow), path, _bits(open_flags, _OPEN), _bits(flags.split(), _FLAGS))

    def run(self, call: Callable[[list[Any]], Any], seen: int = _SEEN) -> list[Any]:
        """Runs them and returns what each gave.

        Args:
            call: The guest's export.
            seen: How much of the guest's memory is looked at: more where steps give many bytes.
        """
        steps = [*self._steps, ("peek", [0, seen], [])]
        values = [[_NAMES.index(name), numbers, *[*texts, b"", b""][:2]] for name, numbers, texts in steps]
        *areas, memory = (bytes(area) for area in call(values))
        return [_decode(name, area, memory) for (name, _, _), area in zip(self._steps, areas, strict=True)]


def as_time(new: str | int) -> tuple[int, int, int]:
    """Returns a ``new-timestamp`` as numbers: of ``no-change``, ``now``, or of nanoseconds since 1970."""
    if isinstance(new, str):
        return ["no-change", "now"].index(new), 0, 0
    return 2, new // 10**9, new % 10**9


def _number(argument: Place | int) -> int:
    return argument if isinstance(argument, int) else 1 << 63 | argument.shift << 32 | argument.step


def _bits(given: Sequence[str], names: Sequence[str]) -> int:
    return sum(1 << names.index(each) for each in given)


def _words(bits: int) -> list[str]:
    return [name for at, name in enumerate(_FLAGS) if bits >> at & 1]


def _decode(name: str, area: bytes, memory: bytes) -> Any:
    u32 = lambda at: struct.unpack_from("<I", area, at)[0]  # noqa: E731
    u64 = lambda at: struct.unpack_from("<Q", area, at)[0]  # noqa: E731
    data = lambda at: memory[u32(at) : u32(at) + u32(at + 4)]  # noqa: E731

    def time(at: int) -> int | None:
        return u64(at + 8) * 10**9 + u32(at + 16) if area[at] else None

    def stat() -> dict[str, Any]:
        times = {"accessed": time(32), "modified": time(56), "changed": time(80)}
        return {"type": _TYPES[area[8]], "links": u64(16), "size": u64(24), **times}

    if name.startswith("drop") or name == "peek":
        return None
    if name == "get-directories":
        places = range(u32(0), u32(0) + 12 * u32(4), 12)
        paths = [struct.unpack_from("<II", memory, at + 4) for at in places]
        return [memory[at : at + length].decode() for at, length in paths]
    if name == "is-same-object":
        return bool(area[0])
    if name == "filesystem-error-code":
        return ERRORS[area[1]] if area[0] else None
    if area[0]:
        at = 8 if name in {"write", "check-write", "stat", "stat-at", "metadata-hash", "metadata-hash-at"} else 4
        if name == "get-flags" or name == "get-type" or name in _NO_PAYLOAD:
            at = 1
        return {"err": ("closed" if area[at] else "failed") if name in _STREAMS else ERRORS[area[at]]}
    match name:
        case "get-flags":
            return {"ok": _words(area[1])}
        case "get-type":
            return {"ok": _TYPES[area[1]]}
        case "write" | "check-write":
            return {"ok": u64(8)}
        case "stat" | "stat-at":
            return {"ok": stat()}
        case "metadata-hash" | "metadata-hash-at":
            return {"ok": (u64(8), u64(16))}
        case "read":
            return {"ok": (data(4), bool(area[12]))}
        case "readlink-at":
            return {"ok": data(4).decode()}
        case "stream-read" | "blocking-read":
            return {"ok": data(4)}
        case "read-directory-entry":
            return {"ok": (_TYPES[area[8]], data(12).decode()) if area[4] else None}
        case _:
            return {"ok": None}


_NO_PAYLOAD = frozenset(
    """
    advise sync-data set-size set-times sync create-directory-at set-times-at link-at remove-directory-at rename-at
    symlink-at unlink-file-at
    """.split()
)
"""What gives nothing, so that the code of an error is next to the discriminant."""
