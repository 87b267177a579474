"""What the guest ``file-steps.wat`` is told to do with ``wasi:filesystem``, and what its steps gave.

steps = Steps()
file = steps.open(steps.root(), "a.txt", "create", flags="write")
written = steps.do("write", file, b"text", 0)
results = steps.run(call)       # call: the guest's export `run`, here or under wasmtime's own WASI
results[written.step]           # {"ok": 4}
"""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import wasmtime
from wasmtime import component

import polycall
from projects import GUESTS

__all__ = ["ERRORS", "GUEST", "Mount", "Place", "Steps", "WasmtimeFiles", "as_time", "load_steps"]

GUEST = GUESTS / "wat" / "file-steps.wat"


def _split(text: str) -> list[str]:
    return text.split()


_NAMES = _split("""
    read-via-stream write-via-stream append-via-stream advise sync-data get-flags get-type set-size set-times read
    write read-directory sync create-directory-at stat stat-at set-times-at link-at open-at readlink-at
    remove-directory-at rename-at symlink-at unlink-file-at is-same-object metadata-hash metadata-hash-at
    read-directory-entry filesystem-error-code get-directories stream-read blocking-read check-write stream-write
    blocking-flush blocking-write-and-flush drop-descriptor drop-entries drop-input drop-output drop-error peek
""")
ERRORS = _split("""
    access would-block already bad-descriptor busy deadlock quota exist file-too-large illegal-byte-sequence
    in-progress interrupted invalid io is-directory loop too-many-links message-size name-too-long no-device no-entry
    no-lock insufficient-memory insufficient-space not-directory not-empty not-recoverable unsupported no-tty
    no-such-device overflow not-permitted pipe read-only invalid-seek text-file-busy cross-device
""")
_TYPES = _split("unknown block-device character-device directory fifo symbolic-link regular-file socket")
_FLAGS = _split("read write file-integrity-sync data-integrity-sync requested-write-sync mutate-directory")
_OPEN = _split("create directory exclusive truncate")
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
        return [_decode(name, _Area(area, memory)) for (name, _, _), area in zip(self._steps, areas, strict=True)]


def as_time(new: str | int) -> tuple[int, int, int]:
    """Returns a ``new-timestamp`` as numbers: of ``no-change``, ``now``, or of nanoseconds since 1970."""
    if isinstance(new, str):
        return ["no-change", "now"].index(new), 0, 0
    return 2, new // 10**9, new % 10**9


def _number(argument: Place | int) -> int:
    return argument if isinstance(argument, int) else 0xFEED << 48 | argument.shift << 32 | argument.step


def _bits(given: Sequence[str], names: Sequence[str]) -> int:
    return sum(1 << names.index(each) for each in given)


class _Area(NamedTuple):
    """What a step gave, as the canonical ABI lays it out, and the memory that it may point into."""

    raw: bytes
    memory: bytes

    def u32(self, at: int) -> int:
        number: int = struct.unpack_from("<I", self.raw, at)[0]
        return number

    def u64(self, at: int) -> int:
        number: int = struct.unpack_from("<Q", self.raw, at)[0]
        return number

    def data(self, at: int) -> bytes:
        return self.memory[self.u32(at) :][: self.u32(at + 4)]

    def time(self, at: int) -> int | None:
        return self.u64(at + 8) * 10**9 + self.u32(at + 16) if self.raw[at] else None

    def stat(self) -> dict[str, Any]:
        times = {"accessed": self.time(32), "modified": self.time(56), "changed": self.time(80)}
        return {"type": _TYPES[self.raw[8]], "links": self.u64(16), "size": self.u64(24), **times}

    def flags(self) -> list[str]:
        return [name for at, name in enumerate(_FLAGS) if self.raw[1] >> at & 1]

    def entry(self) -> tuple[str, str] | None:
        return (_TYPES[self.raw[8]], self.data(12).decode()) if self.raw[4] else None

    def folders(self) -> list[str]:
        starts = range(self.u32(0), self.u32(0) + 12 * self.u32(4), 12)
        return [_Area(self.memory[at : at + 12], self.memory).data(4).decode() for at in starts]


_WHOLE: dict[str, Callable[[_Area], Any]] = {
    "get-directories": _Area.folders,
    "is-same-object": lambda area: bool(area.raw[0]),
    "filesystem-error-code": lambda area: ERRORS[area.raw[1]] if area.raw[0] else None,
}
"""What is no ``result``, and how to read it."""

_OK: dict[str, tuple[int, Callable[[_Area], Any]]] = {
    "get-flags": (1, _Area.flags),
    "get-type": (1, lambda area: _TYPES[area.raw[1]]),
    "write": (8, lambda area: area.u64(8)),
    "check-write": (8, lambda area: area.u64(8)),
    "stat": (8, _Area.stat),
    "stat-at": (8, _Area.stat),
    "metadata-hash": (8, lambda area: (area.u64(8), area.u64(16))),
    "metadata-hash-at": (8, lambda area: (area.u64(8), area.u64(16))),
    "read": (4, lambda area: (area.data(4), bool(area.raw[12]))),
    "readlink-at": (4, lambda area: area.data(4).decode()),
    "stream-read": (4, lambda area: area.data(4)),
    "blocking-read": (4, lambda area: area.data(4)),
    "read-directory-entry": (4, _Area.entry),
    **dict.fromkeys(("open-at", "read-directory", "stream-write", "blocking-flush"), (4, lambda _area: None)),
    **dict.fromkeys(("read-via-stream", "write-via-stream", "append-via-stream"), (4, lambda _area: None)),
    "blocking-write-and-flush": (4, lambda _area: None),
}
"""Where a ``result`` has its value or its error, and how to read the value; all others have only an error, at 1."""


def _decode(name: str, area: _Area) -> Any:
    if name.startswith("drop") or name == "peek":
        return None
    if name in _WHOLE:
        return _WHOLE[name](area)
    at, read = _OK.get(name, (1, lambda _area: None))
    if not area.raw[0]:
        return {"ok": read(area)}
    code = area.raw[at]
    is_stream = name == "check-write" or name.startswith(("stream", "blocking"))
    return {"err": ("failed", "closed")[code] if is_stream else ERRORS[code]}


class Mount(NamedTuple):
    """A folder, and where the guest sees it."""

    folder: Path
    guest: str = "/data"
    read_only: bool = False


def load_steps(project: Path, *mounts: Mount, **more: Any) -> polycall.Registry:
    """Returns a project whose `app:steps` and `app:move` are the exports of the guest.

    Args:
        project: An empty folder, in which none of the others lies.
        mounts: What it sees; `app:f0` is the first one's ``fs.directory``.
        more: Further keys of the entries; those of ``wasi`` are added to it.
    """
    wasi = {**more.pop("wasi", {}), "mounts": [
        {"fs": f"f{number}", "guest": mount.guest, "read_only": mount.read_only} for number, mount in enumerate(mounts)
    ]}  # fmt: skip
    shared = {"kind": "function.wat", "source": GUEST.read_text(), "imports": ["wasi:io", "wasi:filesystem"]}
    entries = [{"name": name, "method": export, **shared, "wasi": wasi, **more} for name, export in _EXPORTS.items()]
    folders = [
        {"name": f"f{number}", "kind": "fs.directory", "directory": str(mount.folder)}
        for number, mount in enumerate(mounts)
    ]
    (project / "_index.json").write_text(json.dumps({"namespace": "app", "entries": [*entries, *folders]}))
    return polycall.load(project)


_EXPORTS = {"steps": "run", "move": "move"}


class WasmtimeFiles:
    """The same guest with wasmtime's own WASI."""

    def __init__(self, *mounts: Mount) -> None:
        engine, guest = _compiled()
        wasi = wasmtime.WasiConfig()
        for mount in mounts:
            wasi.preopen_dir(str(mount.folder), mount.guest, not mount.read_only)
        self._store = wasmtime.Store(engine)
        self._store.set_wasi(wasi)
        linker = component.Linker(engine)
        linker.add_wasip2()
        self._instance = linker.instantiate(self._store, guest)

    def __call__(self, steps: list[Any]) -> Any:
        run = self._instance.get_func(self._store, "run")
        assert run is not None
        return run(self._store, [tuple(step) for step in steps])


@functools.cache
def _compiled() -> tuple[wasmtime.Engine, component.Component]:
    engine = wasmtime.Engine()
    return engine, component.Component(engine, bytes(wasmtime.wat2wasm(GUEST.read_text())))
