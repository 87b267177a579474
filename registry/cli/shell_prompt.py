"""The prompt of ``polycall shell``: completion, history, signatures. Importing it loads prompt_toolkit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from polycall.interop.errors import PolycallError
from polycall.registry.cli.list import comment_of
from polycall.registry.cli.printable import one_line
from polycall.registry.entries.entry import Entry
from polycall.registry.registry import Registry

__all__ = ["Prompt"]

_COMPILED = ("function.wasm", "function.wat")
"""Kinds whose signature is known without any of their code being run."""


class Prompt:
    """Asks for lines.

    Args:
        registry: Whose ids are completed.
        commands: The words that are no ids.
    """

    def __init__(self, registry: Registry, commands: Sequence[str]) -> None:
        self._signatures = _Signatures(registry)
        self._session: PromptSession[str] = PromptSession(
            completer=_Completer(registry, commands),
            complete_while_typing=True,
            history=_history(),
            bottom_toolbar=self._toolbar,
        )

    def ask(self) -> str:
        """Returns a line.

        Raises:
            KeyboardInterrupt: Ctrl-C.
            EOFError: Ctrl-D on an empty line.
        """
        return self._session.prompt("polycall> ")

    def _toolbar(self) -> str:
        words = self._session.default_buffer.text.split(maxsplit=2)
        word = next((each for each in words[:2] if ":" in each), None)
        return " " if word is None else self._signatures.of(word) or " "


class _Completer(Completer):
    """Completes the first word to ids and commands, that of ``show`` to ids, and ``@`` to files."""

    def __init__(self, registry: Registry, commands: Sequence[str]) -> None:
        self._registry = registry
        self._commands = commands
        self._paths = PathCompleter(expanduser=False)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Yields what could stand at the cursor."""
        words = document.text_before_cursor.split(" ")
        word, first = words[-1], len(words) == 1
        if word.startswith("@"):
            path = word[1:]
            yield from self._paths.get_completions(Document(path, len(path)), complete_event)
        elif first or words[:-1] == ["show"]:
            for command in self._commands if first else ():
                if command.startswith(word):
                    yield Completion(command, -len(word))
            for entry in self._registry:
                if _fits(word, entry):
                    meta = one_line(comment_of(entry) or entry.kind)
                    yield Completion(str(entry.id), -len(word), display_meta=meta)


def _fits(word: str, entry: Entry) -> bool:
    return bool(word) and (str(entry.id).startswith(word) or entry.id.name.startswith(word))


class _Signatures:
    """Signatures as they become known: what has to be compiled for them is, by a thread of its own."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[Entry, str] = {}

    def of(self, entry_id: str) -> str | None:
        """Returns what is known of an entry; None if there is no such entry."""
        if entry_id not in self._registry:
            return None
        entry = self._registry.get(entry_id)
        # By the entry itself: a reload makes another one of it.
        known = self._known.get(entry)
        if known is None:
            known = self._known[entry] = one_line(comment_of(entry) or entry.kind)
            if entry.kind in _COMPILED:
                app = get_app()
                threading.Thread(target=self._learn, args=(entry, app.invalidate), daemon=True).start()
        return known

    def _learn(self, entry: Entry, told: Callable[[], object]) -> None:
        try:
            signature = self._registry.prepare(entry.id).signature
        except PolycallError as error:
            self._known[entry] = one_line(error.text())
        else:
            self._known[entry] = one_line(str(signature))
        told()


def _history() -> History:
    """Returns the lines of before, kept for the user alone; where that cannot be, those of now."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "polycall"
    file = folder / "shell-history"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    except (OSError, RuntimeError):  # it cannot be written, or there is no home
        return InMemoryHistory()
    return FileHistory(str(file))
