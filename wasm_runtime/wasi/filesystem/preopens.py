"""``wasi:filesystem/preopens``: the folders that ``wasi.mounts`` gives to a guest."""

from __future__ import annotations

from typing import ClassVar

from polycall.interop.confined import ConfinedFolder
from polycall.interop.errors import CallError, PolycallError
from polycall.interop.open_files import open_for_guest
from polycall.wasm_runtime.component.host import HostInterface
from polycall.wasm_runtime.engine.stores import GuestStore
from polycall.wasm_runtime.spec import WasiMountSpec, guest_path
from polycall.wasm_runtime.wasi.filesystem.descriptor import Descriptor
from polycall.wasm_runtime.wasi.filesystem.opened import Opened
from polycall.wasm_runtime.wasi.filesystem.types import Types
from polycall.wasm_runtime.wasi.session import Bound, Session, session_of

__all__ = ["Preopen", "Preopens", "preopens_of"]


class Preopen(Descriptor):
    """The folder of a mount. It lasts from one call to the next, but the folder is looked for at each call anew.

    A reload may have put another one in its place, and between calls nothing of the host is held.
    """

    bound: ClassVar[Bound | None] = None

    def __init__(self, session: Session, mount: WasiMountSpec) -> None:
        path = guest_path(mount.guest)
        super().__init__(session, path, path, read_only=True, lasting=True)
        self.is_folder = True
        self._spec = mount

    def opened(self) -> Opened:
        """Opens the folder, once in a call.

        Raises:
            CallError: There is no such folder.
        """
        if self._opened is None:
            folder = self._find()
            self.read_only = self._spec.read_only or folder.read_only is not None
            self.flags = ["read"] if self.read_only else ["read", "mutate-directory"]
            self._opened = open_for_guest(None, lambda: Opened(folder.open_itself(), self.session, self.mount))
        return self._opened

    def _find(self) -> ConfinedFolder:
        if self.session.services is None:
            raise CallError("the host offers no folders here", kind="Unavailable")
        try:
            return self.session.services.file_systems.folder(str(self._spec.fs))
        except PolycallError as error:
            message = f"wasi.mounts: {self.mount} is not there: {error.message}"
            raise CallError(message, kind=error.kind, hint=error.hint) from error

    def end_call(self) -> None:
        """Closes the folder until the next call."""
        self.close()

    def drop(self) -> None:
        """Does nothing: the guest may have another handle of it, and get one more."""


def preopens_of(session: Session) -> list[Preopen]:
    """Returns the folders of an instance by their guest paths, the same each time."""
    return session.shared("preopens", lambda: _Folders(session)).folders


class _Folders:
    """Made once for an instance, however often its guest asks."""

    def __init__(self, session: Session) -> None:
        mounts = sorted(session.settings.mounts, key=lambda mount: guest_path(mount.guest))
        self.folders = [Preopen(session, mount) for mount in mounts]

    def end_call(self) -> None:
        """Does nothing: each folder is told."""

    def close(self) -> None:
        """Does nothing, as above."""


class Preopens(HostInterface):
    """The interface."""

    name = "wasi:filesystem/preopens@0.2.12"
    wit = """
        use types.{descriptor};
        get-directories: func() -> list<tuple<descriptor, string>>;
    """
    uses = (Types,)

    def get_directories(self, store: GuestStore) -> list[list[Descriptor | str]]:
        """Returns the folders, sorted by the paths that the guest sees."""
        return [[each, each.mount] for each in preopens_of(session_of(store))]
