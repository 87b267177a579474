"""Guests of a soak that use WASI: they sleep, read and write files, fetch, print, exit, and are refused.

What they fetch comes from a server of this process, which answers each with the tag that it has asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from projects import GUESTS, hash_of
from wasi_guests import SLEEPER

__all__ = ["KINDS", "SERVER", "Kind", "Outcomes", "entries", "outcomes", "write_files"]

_GROUPS = ("cli", "clocks", "filesystem", "http", "io", "random", "sockets")
_CONTENT = b"what every guest reads\n" * 500
_SLEEP_NANOSECONDS = 2_000_000
_LONG_NANOSECONDS = 60_000_000_000

_FETCH = """
(() => {{
  var {{ Fields, OutgoingRequest }} = wasi.http.types;
  var request = new OutgoingRequest(new Fields());
  request.setScheme({{ tag: "HTTP" }});
  request.setAuthority("127.0.0.1:{port}");
  request.setPathWithQuery("{path}");
  var future = wasi.http.outgoingHandler.handle(request, null);
  wait(future);
  var answer = future.get().val.val;
  var body = answer.consume();
  var stream = body.stream();
  var said = drain(stream);
  for (var each of [stream, body, answer, future]) drop(each);
  return said;
}})()
"""


class Server:
    """The server that guests fetch from.

    Attributes:
        port: Of the one that runs.
    """

    port = 0


SERVER = Server()
"""Calls are made of a tag and chance alone; where the server listens is known only once the soak has begun."""


class Outcomes(NamedTuple):
    """The arguments of a call, and its only right outcomes: results or the codes of an error."""

    entry: str
    arguments: tuple[Any, ...]
    returns: tuple[Any, ...] = ()
    codes: tuple[str, ...] = ()
    timeout: float | None = None
    isolated: bool = False


class Kind(NamedTuple):
    """A kind of call, and how often it is made."""

    name: str
    weight: float


KINDS = (
    Kind("sleeping", 10),
    Kind("asleep too long", 1),
    Kind("reading", 10),
    Kind("writing", 5),
    Kind("reading elsewhere", 5),
    Kind("printing", 5),
    Kind("leaving", 3),
    Kind("denied", 3),
    Kind("fetching", 1),
    Kind("fetching too long", 0.3),
    Kind("reading, isolated", 2),
)


def write_files(folder: Path) -> None:
    """Writes what guests read."""
    (folder / "sleeper.wat").write_text(SLEEPER, encoding="utf-8")
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "file").write_bytes(_CONTENT)
    (folder / "secret").write_bytes(b"of nobody's business")


def entries(pools: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the entries, those that are called often in every pool."""
    found: list[dict[str, Any]] = [{"name": "data", "kind": "fs.directory", "directory": "./data"}]
    for name, pool in pools.items():
        found += [
            _sleeper(f"sleep-{name}", ["wasi:clocks", "wasi:io"]) | {"pool": pool},
            _libc(f"read-{name}", "read-file") | {"pool": pool},
            _libc(f"write-{name}", "write-file") | {"pool": pool},
            _libc(f"print-{name}", "print") | {"pool": pool},
            _libc(f"leave-{name}", "leave") | {"pool": pool},
        ]
    script = _guest("fetch", "js-script.wasm", "evaluate") | {"pool": {"type": "lazy", "max_size": 3}}
    return [
        *found,
        _sleeper("sleepless", ["wasi:io"]),
        script,
        _libc("read-isolated", "read-file") | {"isolation": "process", "pool": {"type": "lazy", "max_size": 2}},
    ]


def _sleeper(name: str, imports: list[str]) -> dict[str, Any]:
    source = {"kind": "function.wat", "source": "file://sleeper.wat", "method": "sleep"}
    return {"name": name, **source, "imports": imports}


def _libc(name: str, method: str) -> dict[str, Any]:
    return _guest(name, "c-libc.wasm", method)


def _guest(name: str, path: str, method: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "function.wasm",
        "fs": "guests",
        "path": path,
        "hash": hash_of(GUESTS / "bin" / path),
        "method": method,
        "imports": [f"wasi:{group}" for group in _GROUPS],
        "wasi": {"mounts": [{"fs": "data", "guest": "/data"}], "network": {"allow": ["loopback"]}},
        "limits": {"max_output_bytes": 4096},
    }


def outcomes(kind: str, pool: str, tag: int) -> Outcomes:
    """Returns what a call of a kind must come to.

    Args:
        kind: One of `KINDS`.
        pool: The pool of the entry.
        tag: The call's.
    """
    port = SERVER.port
    written = f"{tag}".encode()
    match kind:
        case "sleeping":
            return Outcomes(f"sleep-{pool}", (_SLEEP_NANOSECONDS,), (None,))
        case "asleep too long":
            return Outcomes(f"sleep-{pool}", (_LONG_NANOSECONDS,), codes=("deadline",), timeout=0.05)
        case "reading":
            return Outcomes(f"read-{pool}", ("/data/file",), ({"ok": _CONTENT},))
        case "writing":
            return Outcomes(f"write-{pool}", (f"/data/{tag % 100}", "w", written), ({"ok": len(written)},))
        case "reading elsewhere":
            return Outcomes(f"read-{pool}", ("/data/../secret",), ({"err": "Operation not permitted"},))
        case "printing":
            text = f"{tag}\n"
            return Outcomes(f"print-{pool}", (text,), ({"ok": len(text)},))
        case "leaving":
            return Outcomes(f"leave-{pool}", (1,), codes=("exit",))
        case "denied":
            return Outcomes("sleepless", (_SLEEP_NANOSECONDS,), codes=("import_denied",))
        case "fetching":
            path = f"/hello?{tag}"
            return Outcomes("fetch", (_FETCH.format(port=port, path=path),), ({"ok": f'"hello from {path}"'},))
        case "fetching too long":
            script = _FETCH.format(port=port, path="/slow")
            return Outcomes("fetch", (script,), codes=("deadline",), timeout=0.3)
        case _:
            return Outcomes("read-isolated", ("/data/file",), ({"ok": _CONTENT},), isolated=True)
