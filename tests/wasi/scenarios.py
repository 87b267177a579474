"""What is run with both: scripts of `scripts/` in the JavaScript guest, calls of the C one, and commands."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commands import run_on_descriptors
from wasi.runs import BIN, Folder, Run
from wasi.servers import http_server

__all__ = [
    "BIG",
    "CALLS",
    "COMMANDS",
    "LIBC",
    "SCRIPTS",
    "Big",
    "Call",
    "Command",
    "Difference",
    "Script",
    "fill",
]

_SCRIPTS = Path(__file__).resolve().parent / "scripts"
_NO_USER = "a user in front of a host is no part of where a request goes, and often there to hide it"
_OWN_CODE = "what happened has a code of its own"
_TOLD = "why a body ended too soon is told by http-error-code, and by its trailers"
_ECHOED = ["content-length: 4", "content-type: application/octet-stream", "x-length: none"]
_NO_WRITING = "a read-only folder says that it is read-only, as the specification has it"


@dataclass(frozen=True, slots=True)
class Difference:
    """A place of a report where polycall and wasmtime are meant to differ.

    Attributes:
        at: The keys and indices that lead to it.
        wasmtime: What wasmtime says there.
        ours: What polycall says there.
        reason: Why.
    """

    at: tuple[str | int, ...]
    wasmtime: Any
    ours: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Script:
    """One script for the JavaScript guest.

    Attributes:
        name: Its file in `scripts/`, without the ending.
        needs: The groups that it uses.
        read_only: Whether its folder may only be read.
        network: Whether it opens sockets.
        server: Whether it calls the HTTP server, whose port it finds in `port`.
        differences: Where the reports differ.
        traps: Why polycall ends it with a trap and wasmtime does not; empty where both do the same.
    """

    name: str
    needs: tuple[str, ...]
    read_only: bool = False
    network: bool = False
    server: bool = False
    differences: tuple[Difference, ...] = ()
    traps: str = ""

    @contextmanager
    def run(self, folder: Path) -> Iterator[Run]:
        """Makes what is run; the server, if there is one, serves while the block runs."""
        text = (_SCRIPTS / f"{self.name}.js").read_text("utf-8")
        if not self.server:
            yield self._run(folder, text)
            return
        with http_server() as port:
            yield self._run(folder, f"var port = {port};\n{text}")

    def _run(self, folder: Path, text: str) -> Run:
        return Run(
            guest=BIN / "js-script.wasm",
            calls=(("evaluate", (text,)), ("evaluate", ("wasi.called",))),
            folders=(Folder(folder, read_only=self.read_only),) if "wasi:filesystem" in self.needs else (),
            arguments=("guest", "with", "arguments ä"),
            variables={"LANGUAGE": "C", "SPACED": " a = b "},
            network=self.network,
        )


_REFUSED = {"err": "not-permitted"}
_READ_ONLY = {"err": "read-only"}

SCRIPTS = (
    Script("environment", ("wasi:cli", "wasi:io"), differences=(
        Difference(("folder",), None, "/", "the folder that a program starts in is / unless the entry says another"),
    )),
    Script("exit", ("wasi:cli",)),
    Script("exit-ok", ("wasi:cli",)),
    Script("exit-with-code", ("wasi:cli",)),
    Script("clocks", ("wasi:clocks", "wasi:io")),
    Script("poll-nothing", ("wasi:io",)),
    Script("random", ("wasi:random",)),
    Script("folders", ("wasi:filesystem",)),
    Script("files", ("wasi:filesystem",)),
    Script("read-only", ("wasi:filesystem",), read_only=True, differences=(
        *(Difference(("opens", at), _REFUSED, _READ_ONLY, _NO_WRITING) for at in range(3)),
        Difference(("opens", 3), {"ok": "directory"}, _READ_ONLY, _NO_WRITING),
        Difference(("exists",), _REFUSED, _READ_ONLY, _NO_WRITING),
        *(Difference(("changes", at), _REFUSED, _READ_ONLY, _NO_WRITING) for at in range(12)),
    )),
    Script("streams", ("wasi:filesystem", "wasi:io", "wasi:cli")),
    Script("write-too-much", ("wasi:filesystem", "wasi:io")),
    Script("write-unasked", ("wasi:filesystem", "wasi:io"), traps="to write more than check-write permits is a trap"),
    Script("flush-too-much", ("wasi:cli", "wasi:io")),
    Script("tcp", ("wasi:sockets", "wasi:io"), network=True),
    Script("udp", ("wasi:sockets", "wasi:io"), network=True),
    Script("names", ("wasi:sockets", "wasi:io"), network=True, differences=(
        Difference(
            ("literals", 4, 0),
            {"tag": "ipv6", "val": [0, 0, 0, 0, 0, 0xFFFF, 0x7F00, 1]},
            {"tag": "ipv4", "val": [127, 0, 0, 1]},
            "the specification says that an IPv4-mapped address is never returned",
        ),
    )),
    Script("fields", ("wasi:http", "wasi:io"), differences=(
        Difference(("authorities", 4, 0), {"ok": None}, {"err": None}, _NO_USER),
        *(Difference(("authorities", at, 1), "user@host", "[::1]:80", _NO_USER) for at in (4, 5, 6)),
    )),
    Script("http", ("wasi:http", "wasi:io"), server=True, differences=(
        Difference(("reset", "err"), "HTTP-protocol-error", "connection-terminated", _OWN_CODE),
        Difference(("cut", "code", 1), None, "HTTP-response-incomplete", _TOLD),
        Difference(("cut", "trailers"), None, {"err": {"tag": "HTTP-response-incomplete"}}, _TOLD),
        Difference(("badChunk", "code", 1), None, "HTTP-protocol-error", _TOLD),
        Difference(("badChunk", "trailers"), None, {"err": {"tag": "HTTP-protocol-error"}}, _TOLD),
        Difference(
            ("unannouncedTrailers", "headers"), _ECHOED, [*_ECHOED, "x-was-x-sum: 4"],
            "trailers are sent, whether a header has announced them or not",
        ),
    )),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One export of the C guest that calls WASI by its imports.

    Attributes:
        export: Its name.
        needs: The groups that it uses.
        arguments: What it is given; `None` stands for the port of the HTTP server.
        network: Whether it opens sockets.
        differences: What polycall answers in place of a text of wasmtime's.
    """

    export: str
    needs: tuple[str, ...]
    arguments: tuple[Any, ...] = ()
    network: bool = False
    differences: tuple[tuple[str, str, str], ...] = ()

    @contextmanager
    def run(self, folder: Path) -> Iterator[Run]:
        """Makes what is run; the server, if one is called, serves while the block runs."""
        with http_server() if None in self.arguments else nullcontext() as port:
            yield Run(
                guest=BIN / "c-calls.wasm",
                calls=((self.export, tuple(port if each is None else each for each in self.arguments)),),
                folders=(Folder(folder),) if "wasi:filesystem" in self.needs else (),
                arguments=("guest", "with", "arguments"),
                variables={"LANGUAGE": "C"},
                network=self.network,
            )


CALLS = (
    Call("cli", ("wasi:cli", "wasi:io"), differences=(
        ("folder: none", "folder: '/'", "the folder that a program starts in is / unless the entry says another"),
    )),
    Call("clocks", ("wasi:clocks", "wasi:io")),
    Call("random", ("wasi:random",)),
    Call("files", ("wasi:filesystem",)),
    Call("streams", ("wasi:filesystem", "wasi:io")),
    Call("tcp", ("wasi:sockets", "wasi:io"), (False,), network=True),
    Call("tcp", ("wasi:sockets", "wasi:io"), (True,), network=True),
    Call("udp", ("wasi:sockets", "wasi:io"), (False,), network=True),
    Call("udp", ("wasi:sockets", "wasi:io"), (True,), network=True),
    Call("names", ("wasi:sockets", "wasi:io"), network=True),
    Call("fields", ("wasi:http",)),
    Call("http", ("wasi:http", "wasi:io"), (None,), differences=(
        (
            "http-error-code: -1\nto-debug-string: 1\ntrailers: none\n",
            "http-error-code: 25\nto-debug-string: 1\ntrailers: none came\n",
            _TOLD,
        ),
    )),
    Call("leave", ("wasi:cli",), (True,)),
    Call("leave", ("wasi:cli",), (False,)),
    Call("leave-with", ("wasi:cli",), (0,)),
    Call("leave-with", ("wasi:cli",), (5,)),
)  # fmt: skip


LIBC: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("variable", ("LANGUAGE",)),
    ("variable", ("NONE",)),
    ("variables", ()),
    ("folder", ()),
    ("read-file", ("/data/a.txt",)),
    ("read-file", ("/data/none",)),
    ("read-file", ("/data/sub",)),
    ("read-file", ("/elsewhere",)),
    ("read-file", ("/data/../a.txt",)),
    ("read-file", ("/data/out/x",)),
    ("read-file", ("/data/loop",)),
    ("write-file", ("/data/new.txt", "w", b"written")),
    ("write-file", ("/data/new.txt", "a", b" and more")),
    ("write-file", ("/data/new.txt", "wx", b"never")),
    ("read-file", ("/data/new.txt",)),
    ("read-at", ("/data/new.txt", 3, 4)),
    ("write-at", ("/data/new.txt", 20, b"far")),
    ("truncate", ("/data/new.txt", 22)),
    ("truncate", ("/data/sub", 22)),
    ("set-times", ("/data/new.txt", {"seconds": 1, "nanoseconds": 2}, {"seconds": 3, "nanoseconds": 4})),
    ("status", ("/data/new.txt", True)),
    ("status", ("/data/loop", True)),
    ("copy-through", ("/data/large", 1_000_000)),
    ("settle", ("/data/large",)),
    ("make-folder", ("/data/made",)),
    ("make-folder", ("/data/made",)),
    ("rename", ("/data/new.txt", "/data/made/moved.txt")),
    ("link", ("/data/made/moved.txt", "/data/linked.txt")),
    ("symlink", ("a.txt", "/data/pointer")),
    ("read-link", ("/data/pointer",)),
    ("read-link", ("/data/a.txt",)),
    ("list-folder", ("/data",)),
    ("list-folder", ("/data/made",)),
    ("remove-folder", ("/data/made",)),
    ("remove-file", ("/data/made",)),
    ("remove-file", ("/data/made/moved.txt",)),
    ("remove-folder", ("/data/made",)),
    ("list-folder", ("/data/made",)),
    ("resolutions", ()),
    ("sleep-ms", (5,)),
    ("print", ("printed\n",)),
    ("print-error", ("complained\n",)),
    ("read-stdin", (10,)),
    ("is-terminal", (1,)),
    ("open-many", ("/data/a.txt", 20)),
)  # fmt: skip
"""The calls of `c-libc.wasm` whose results are the same at any time and place."""


@dataclass(frozen=True, slots=True)
class Command:
    """One run of a command.

    Attributes:
        guest: Its binary, without the ending.
        arguments: What it is given behind its name.
        stdin: What it reads.
        variables: Its environment.
        writes: Whether it may write to its folder.
        differences: What polycall's run says in place of words of wasmtime's, and why.
    """

    guest: str
    arguments: tuple[str, ...] = ()
    stdin: bytes = b""
    variables: dict[str, str] = field(default_factory=dict)
    writes: bool = False
    differences: tuple[tuple[bytes, bytes, str], ...] = ()

    @property
    def name(self) -> str:
        """What it is, in a line."""
        return " ".join((self.guest, *self.arguments)) + (" (writes)" if self.writes else "")

    def as_ours(self, output: bytes) -> bytes:
        """Puts into what wasmtime's run wrote what polycall's says otherwise."""
        for said, ours_says, reason in self.differences:
            assert said in output, reason
            output = output.replace(said, ours_says)
        return output

    def run(self, binary: Path, folder: Path) -> subprocess.CompletedProcess[bytes]:
        """Runs it with polycall's command line, with `folder` as its `/data`.

        In this process: that one of its own does the same with its streams is shown by `tests/cli/test_cli_run.py`.
        """
        options = [f"--env={name}={value}" for name, value in self.variables.items()]
        options.append(f"--dir={folder}::/data" + ("" if self.writes else ":ro"))
        return run_on_descriptors("run", *options, binary, "--", *self.arguments, given=self.stdin)


COMMANDS = (
    Command("c-echo", ("one", "two words", "ä")),
    Command("c-echo", ("one",), variables={"A": "1", "B": "with = and spaces", "EMPTY": ""}),
    Command("c-echo", ("--exit", "0")),
    Command("c-echo", ("--exit", "7")),
    Command("c-echo", ("--return", "1")),
    Command("c-echo", ("--abort",)),
    Command("c-echo", ("--cat", "/data/a.txt", "/data/none", "/data/sub/inner.txt")),
    Command("c-echo", ("--cat", "/data/../etc/passwd", "/data/out/x", "/data/loop")),
    *(
        Command(guest, ("/data", *more), b"some\ninput\n", {"LANGUAGE": "C"}, writes=True)
        for guest in ("go-tour", "rust-tour")
        for more in ((), ("3",))
    ),
    Command("go-tour", ("/data",), differences=(
        (b"Operation not permitted", b"Read-only file system", _NO_WRITING),
        (b"remove all: ok", b"remove all: Read-only file system", _NO_WRITING),
    )),
    # That Rust has no name for the error of a read-only file system.
    Command("rust-tour", ("/data",), differences=((b"PermissionDenied", b"Uncategorized", _NO_WRITING),)),
    Command("rust-tour", ("/data", "panic"), writes=True),
    Command("c-filter"),
    Command("c-filter", (), b"no line end"),
    Command("c-filter", ("b",), b"abc\nxyz\nb\n"),
    Command("c-filter", (), b"\xff\xfe bytes\n" * 1000),
    Command("c-filter", (), b"a long line without end " * 20_000),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Big:
    """Calls of a guest whose binary is too large for the repository; `tests/guests/build.py NAME` builds it.

    Attributes:
        guest: Its name.
        needs: The groups that it uses.
        calls: Exports and their arguments; `URL` stands for the address of the HTTP server.
    """

    guest: str
    needs: tuple[str, ...]
    calls: tuple[tuple[str, tuple[Any, ...]], ...]

    @property
    def binary(self) -> Path:
        """Where it is once it is built; one with a world `tour` that is committed has the same calls."""
        committed = BIN / f"{self.guest}.wasm"
        return committed if committed.exists() else BIN.parents[2] / ".guests-tools" / "built" / f"{self.guest}.wasm"

    @contextmanager
    def run(self, folder: Path) -> Iterator[Run]:
        """Makes what is run, with the server."""
        with http_server() as port:
            yield Run(
                guest=self.binary,
                calls=tuple((export, tuple(_with_port(each, port) for each in given)) for export, given in self.calls),
                folders=(Folder(folder),) if "wasi:filesystem" in self.needs else (),
                variables={"LANGUAGE": "C"},
            )


def _with_port(value: Any, port: int) -> Any:
    return value.replace("URL", f"http://127.0.0.1:{port}") if isinstance(value, str) else value


BIG = (
    Big("rust-tour-reactor", ("wasi:filesystem",), (("tour", ("/data",)),)),
    Big("py-tour", ("wasi:filesystem", "wasi:sockets"), (("tour", ("/data",)),)),
    Big(
        "js-web",
        ("wasi:http",),
        (
            *(("get", (f"URL/{path}",)) for path in ("hello", "missing", "chunked", "redirect", "empty", "trailers")),
            *(("get", (f"URL/{path}",)) for path in ("until-closed", "cut", "reset", "nonsense", "bad-chunk")),
            ("get", ("http://127.0.0.1:1/",)),
            ("get", ("nonsense",)),
            ("post", ("URL/echo", "a text")),
            ("post-pieces", ("URL/echo", ["one ", "two ", "three"])),
            ("count", ("URL/large",)),
            ("sleep", (5,)),
            ("time", ()),
            ("print", ("printed",)),
        ),
    ),
)


def fill(folder: Path) -> Path:
    """Fills a folder with what the scripts find there, and returns it."""
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"hello, file\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "inner.txt").write_bytes(b"inner")
    for name, target in (("loop", "loop"), ("dangling", "nowhere"), ("out", ".."), ("absolute", "/etc")):
        (folder / name).symlink_to(target)
    return folder
