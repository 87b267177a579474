"""A WebAssembly program that is run by its file: no project, no entries, and nothing granted that is not said."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polycall.interop.confined import ConfinedFolder
from polycall.interop.context import CallContext, Cancellation, deadline_in
from polycall.interop.errors import CallError, NotFoundError, PolycallError
from polycall.interop.ids import EntryId
from polycall.interop.limits import LimitsSpec
from polycall.interop.program_files import WASM_MAGIC, read_program
from polycall.interop.services import Entries, Environment
from polycall.interop.source import SourceText
from polycall.interop.stack import DEFAULT_STACK_BYTES, StackRoom
from polycall.interop.values import Value

if TYPE_CHECKING:
    from polycall.wasm_runtime.spec import BinaryFile, WasmProgram
    from polycall.wasm_runtime.wasi.console import Console

__all__ = ["Mount", "run_file"]

_NAMESPACE = "file"


class Mount(NamedTuple):
    """A folder that a program sees.

    Attributes:
        folder: The folder of the host.
        guest: Where the program sees it.
        read_only: Whether it may change nothing there.
    """

    folder: Path
    guest: str
    read_only: bool


def run_file(
    path: Path,
    console: Console,
    mounts: Sequence[Mount] = (),
    *,
    network: Sequence[str] = (),
    timeout: float | None = None,
    limits: Mapping[str, int] | None = None,
    cancellation: Cancellation | None = None,
) -> int:
    """Runs a component that exports ``wasi:cli/run``, or a core module that exports ``_start``.

    Args:
        path: The binary.
        console: Its stdin, stdout, stderr, arguments and environment variables.
        mounts: The folders that it sees.
        network: Rules of what it may call (``wasi.network.allow``); none: nothing.
        timeout: Seconds that it may take, or None.
        limits: What else it may use, by the keys of an entry's ``limits``.
        cancellation: A switch by which another thread can stop it.

    Returns:
        Its exit status.

    Raises:
        NotFoundError: There is no such file or folder.
        PolycallError: It is no program, trapped, or was interrupted.
    """
    from polycall.wasm_runtime.command import WasmCommand  # noqa: PLC0415  # loads the engine
    from polycall.wasm_runtime.runtime import WasmRuntime  # noqa: PLC0415  # the same

    folders = _Folders({str(EntryId(_NAMESPACE, str(at))): mount for at, mount in enumerate(mounts)})
    program = _program(path, mounts, network, LimitsSpec(**limits or {}))
    runtime = WasmRuntime(_NobodyToCall(), services=_Services(folders))
    try:
        deadline = None if timeout is None else deadline_in(timeout)
        context = CallContext(program.entry_id, "wasm", None, deadline, cancellation)

        def run() -> int:
            try:
                with closing(WasmCommand(runtime.prepare(program, context), console, context)) as command:
                    return command.call((), context)
            except PolycallError as error:
                error.frames = error.frames or context.frames()
                raise

        return StackRoom(DEFAULT_STACK_BYTES).run(context, run)
    finally:
        runtime.close()


def _program(path: Path, mounts: Sequence[Mount], network: Sequence[str], limits: LimitsSpec) -> WasmProgram:
    """Returns what an entry would be that grants just what is said."""
    from polycall.wasm_runtime.network_spec import WasiNetworkSpec  # noqa: PLC0415  # as above
    from polycall.wasm_runtime.spec import WasiMountSpec, WasiSpec, WasmProgram  # noqa: PLC0415  # the same

    try:
        data = read_program(path)
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}") from error
    guests = [WasiMountSpec(EntryId(_NAMESPACE, str(at)), each.guest, each.read_only) for at, each in enumerate(mounts)]
    return WasmProgram(
        entry_id=f"{_NAMESPACE}:{path.name}",
        code=_code(path, data),
        method="",
        grants=frozenset(_ALWAYS | (_NETWORK if network else frozenset())),
        limits=limits,
        wasi=WasiSpec(mounts=tuple(guests), network=WasiNetworkSpec(allow=tuple(network))),
    )


def _code(path: Path, data: bytes) -> BinaryFile | SourceText:
    from polycall.wasm_runtime.spec import BinaryFile  # noqa: PLC0415  # as above

    if not data.startswith(WASM_MAGIC):
        return SourceText(data.decode("utf-8", "replace"), str(path))
    digest = hashlib.sha256(data).hexdigest()
    real = path.resolve()  # the folder is walked without following a link out of it, which a program's own may be
    return BinaryFile(real.parent, real.name, str(path), f"sha256:{digest}")


_ALWAYS = frozenset({"wasi:cli", "wasi:io", "wasi:clocks", "wasi:random", "wasi:filesystem", "wasi1"})
"""What hands out nothing by itself: no folder is mounted that nobody named."""

_NETWORK = frozenset({"wasi:sockets", "wasi:http"})


class _Folders:
    """The folders of one run, in the shape of `polycall.interop.services.FileSystems`."""

    def __init__(self, mounts: Mapping[str, Mount]) -> None:
        self._mounts = mounts
        self._real = {name: Path(os.path.realpath(mount.folder)) for name, mount in mounts.items()}

    def folder(self, name: str, namespace: str | None = None) -> ConfinedFolder:
        """Returns a folder that was named for the run."""
        folder = self._real.get(name)
        if folder is None or not self._mounts[name].folder.is_dir():
            raise NotFoundError(f"there is no folder {self._mounts[name].folder if folder else name}")
        # The way from a folder that the program may write to one within it is the program's own to change.
        outer = min((each for each in self._real.values() if each in folder.parents), default=None)
        if outer is None:
            return ConfinedFolder(folder)
        return ConfinedFolder(outer, inside=folder.relative_to(outer).as_posix())


class _Services:
    """What a program without a project may ask of its host: folders."""

    def __init__(self, folders: _Folders) -> None:
        self.file_systems = folders

    @property
    def environment(self) -> Environment:
        """There is none: its variables are those of the run."""
        raise CallError("there are no environment variables without a project", kind="Unavailable")

    @property
    def entries(self) -> Entries:
        """There are none."""
        raise CallError("there are no entries without a project", kind="Unavailable")


class _NobodyToCall:
    """No entries, and so nothing to call: the group ``funcs`` is not granted."""

    def call(self, target: str, _arguments: Sequence[Value], _caller: CallContext) -> Value:
        """Refuses."""
        raise NotFoundError(f"there is no entry {target}: a program that runs by its file has no project")

    def call_linked(self, target: str, arguments: Sequence[Value], caller: CallContext) -> Value:
        """Refuses."""
        return self.call(target, arguments, caller)

    def call_payload(self, target: str, _payload: str | bytes, caller: CallContext) -> Value:
        """Refuses."""
        return self.call(target, (), caller)
