"""Where the values of environment variables are kept: one class for each ``env.storage`` kind."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from polycall.interop.confined import ConfinedFolder
from polycall.interop.errors import CallError, NotFoundError
from polycall.registry.entries.env_kinds import EnvFileSpec
from polycall.registry.services.dotenv import read_dotenv, with_value

__all__ = ["FileStorage", "MemoryStorage", "OsStorage", "RouterStorage", "StaticStorage", "Storage"]

_MOST_FILE_BYTES = 1024 * 1024


class Storage(Protocol):
    """Values by name; an empty one counts as none."""

    def get(self, name: str) -> str | None:
        """Returns a value, or None.

        Raises:
            PolycallError: The storage cannot be read.
        """
        ...

    def set(self, name: str, value: str) -> None:
        """Keeps a value.

        Raises:
            PolycallError: The storage cannot be written; PermissionDenied if it never can.
        """
        ...


class MemoryStorage:
    """``env.storage.memory``."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}  # one operation of a dict is atomic

    def get(self, name: str) -> str | None:
        """Returns a value, or None."""
        return self._values.get(name)

    def set(self, name: str, value: str) -> None:
        """Keeps a value."""
        self._values[name] = value


class StaticStorage:
    """``env.storage.static``."""

    def __init__(self, entry_id: str, values: Mapping[str, str]) -> None:
        self._entry_id = entry_id
        self._values = values

    def get(self, name: str) -> str | None:
        """Returns a value, or None."""
        return self._values.get(name)

    def set(self, _name: str, _value: str) -> None:
        """Refuses."""
        raise _read_only(self._entry_id, "its values stand in the declaration")


class OsStorage:
    """``env.storage.os``: a view of the environment as it is at the moment."""

    def __init__(self, entry_id: str) -> None:
        self._entry_id = entry_id

    def get(self, name: str) -> str | None:
        """Returns a value, or None."""
        return os.environ.get(name)

    def set(self, _name: str, _value: str) -> None:
        """Refuses."""
        raise _read_only(self._entry_id, "the environment of the process is only read")


class RouterStorage:
    """``env.storage.router``."""

    def __init__(self, storages: Callable[[], Iterable[Storage]]) -> None:
        self._storages = storages

    def get(self, name: str) -> str | None:
        """Returns the value of the first storage that has one."""
        return next(filter(None, (storage.get(name) for storage in self._storages())), None)

    def set(self, name: str, value: str) -> None:
        """Keeps a value in the first storage: in any other one, an earlier value could hide it."""
        next(iter(self._storages())).set(name, value)


class FileStorage:
    """``env.storage.file``.

    Args:
        entry_id: The entry.
        spec: Its keys.
        project: The project folder.
        lock: Shared by all storages of the registry, because two of them may name the same file. Other processes that
            write the file at the same time are not waited for: their change or ours is lost, but the file stays whole.
    """

    def __init__(self, entry_id: str, spec: EnvFileSpec, project: Path, lock: threading.Lock) -> None:
        self._entry_id = entry_id
        self._spec = spec
        self._folder = ConfinedFolder(project)
        self._lock = lock
        self._read: tuple[str, Mapping[str, str]] = "", {}

    def get(self, name: str) -> str | None:
        """Returns a value, or None."""
        text, (known, values) = self._text(), self._read
        if text != known:  # read anew each time, but taken apart once: somebody may ask for hundreds of values
            values = read_dotenv(text)
            self._read = text, values
        return values.get(name)

    def set(self, name: str, value: str) -> None:
        """Changes the value in the file; comments and order stay."""
        with self._lock:
            content = self._changed(name, value).encode()
            if len(content) > _MOST_FILE_BYTES:
                raise self._unusable("would be larger than 1 MiB")
            try:
                self._make_parents()
                self._folder.replace(self._spec.file_path, content, int(self._spec.file_mode, 8))
            except OSError as error:
                raise self._unusable(f"cannot be written: {error.strerror}") from error

    def _changed(self, name: str, value: str) -> str:
        try:
            return with_value(self._text(), name, value)
        except ValueError as error:
            raise self._unusable(f"is left as it is: {error}") from error

    def check(self) -> None:
        """Raises what `get` would raise for any name."""
        self._text()

    def _text(self) -> str:
        try:
            return self._folder.read(self._spec.file_path, _MOST_FILE_BYTES).decode()
        except FileNotFoundError as error:
            if self._spec.auto_create:
                return ""
            message = f"{self._entry_id}: there is no file {self._spec.file_path}"
            raise NotFoundError(
                message, entry_id=self._entry_id, hint="make it, or declare auto_create: true", kind="Unavailable"
            ) from error
        except OSError as error:
            raise self._unusable(f"cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise self._unusable("is not UTF-8 text") from error

    def _make_parents(self) -> None:
        parts = self._spec.file_path.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            try:
                self._folder.make_folder("/".join(parts[:count]), int(self._spec.dir_mode, 8))
            except FileExistsError:
                continue

    def _unusable(self, what: str) -> CallError:
        message = f"{self._entry_id}: the file {self._spec.file_path} {what}"
        return CallError(message, entry_id=self._entry_id, kind="Unavailable")


def _read_only(entry_id: str, why: str) -> CallError:
    return CallError(f"{entry_id} cannot be written: {why}", entry_id=entry_id, kind="PermissionDenied")
