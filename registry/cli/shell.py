"""``polycall shell``: calls typed at a prompt, or read line by line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

import click

from polycall.interop.context import Cancellation
from polycall.interop.errors import PolycallError
from polycall.interop.ids import suggestion
from polycall.interop.values import Value
from polycall.registry.cli.arguments import given, signature_of, values_of
from polycall.registry.cli.command import Command
from polycall.registry.cli.failures import ERROR, add_hint, show_failure
from polycall.registry.cli.interruptible import interruptible
from polycall.registry.cli.list import print_entries
from polycall.registry.cli.logs import show_guests
from polycall.registry.cli.nothing_found import hints_for_missing
from polycall.registry.cli.output import print_line, print_text
from polycall.registry.cli.printable import one_line, printable
from polycall.registry.cli.results import may_err, print_result, refuse_err
from polycall.registry.cli.seconds import SECONDS
from polycall.registry.cli.session import Session
from polycall.registry.cli.shell_line import split
from polycall.registry.cli.show import show_entry
from polycall.registry.cli.stderr import say
from polycall.registry.cli.stdin import standard_input
from polycall.registry.registry import Registry

__all__ = ["shell"]

_HELP = """\
ID [ARG]...       call a function; ARG is JSON, text where the signature says string, or @FILE
list [NAMESPACE]  list the entries
show ID           show one entry
reload            read the project again
help              show this
exit              leave, as Ctrl-D does; Ctrl-C stops a call, or drops the line"""


@click.command(cls=Command, short_help="Call functions at a prompt.")
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="Stop each call after this time.")
@click.pass_obj
def shell(session: Session, timeout: float | None) -> int:
    """Call functions at a prompt, with completion, history, signatures and times; the project stays loaded.

    \b
    polycall> app:greet Ana
    polycall> app:checkout {"items": [{"sku": "tea", "count": 2}]}

    Where standard input or output is no terminal, it reads lines without a prompt and ends at the first one that fails,
    with its exit code. What follows "#" is a comment.
    """  # noqa: D301  # what click looks for is the control character
    show_guests()
    with session.load() as registry:
        here = _Shell(registry, session, timeout)
        if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
            return here.talk()
        here.obey()
    return 0


class _Shell:
    """Does what lines say."""

    def __init__(self, registry: Registry, session: Session, timeout: float | None) -> None:
        self._registry = registry
        self._session = session
        self._timeout = timeout

    def talk(self) -> int:
        """Asks for lines until there are no more. What fails is shown, and that is that."""
        try:
            from polycall.registry.cli.shell_prompt import Prompt  # noqa: PLC0415  # an extra: scripts do without
        except ImportError as error:
            message = "polycall shell needs the package prompt_toolkit: pip install 'polycall[shell]'"
            raise click.UsageError(message) from error
        prompt = Prompt(self._registry, sorted(_COMMANDS))
        say(f"{len(self._registry)} entries in {one_line(str(self._registry.root))}; help says more, Ctrl-D leaves")
        while True:
            with suppress(KeyboardInterrupt):
                try:
                    line = prompt.ask()
                except EOFError:
                    return 0
                if line.strip() in _LEAVING:
                    return 0
                self._try(line)

    def _try(self, line: str) -> None:
        started = time.perf_counter()
        try:
            self._do(line)
        except (PolycallError, OSError) as error:
            show_failure(error, debug=self._session.debug)
        except click.UsageError as error:
            say(printable(error.format_message()), label=ERROR)
        except KeyboardInterrupt:
            say("interrupted")
        if line.strip():
            print_line((f"{(time.perf_counter() - started) * 1000:,.1f} ms", "dim"))

    def obey(self) -> None:
        """Does what the lines of standard input say.

        Raises:
            PolycallError, OSError, click.UsageError: One of them failed; the others are not read.
        """
        for number, data in enumerate(() if sys.stdin is None else standard_input(), 1):
            line = data.decode(errors="surrogateescape")
            if line.strip() in _LEAVING:
                return
            try:
                self._do(line)
            except PolycallError as error:
                add_hint(error, f"it was line {number}")
                raise
            except click.UsageError as error:
                raise click.UsageError(f"line {number}: {error.message}") from error

    def _do(self, line: str) -> None:
        words = split(line)
        if not words:
            return
        name, *rest = words
        if ":" in name:
            with hints_for_missing(self._registry):
                self._call(name, rest)
            return
        command = _COMMANDS.get(name)
        if command is None:
            near = suggestion(name, (*_COMMANDS, *map(str, self._registry))) or "help says what there is"
            raise click.UsageError(f"{one_line(name)} is no command, and no id, which has a colon ({near})")
        command(self._registry, rest)

    def _call(self, target: str, arguments: list[str]) -> None:
        registry, timeout, cancellation = self._registry, self._timeout, Cancellation()
        texts = given(arguments, as_text=False, dash=False)

        def work() -> tuple[Value, bool]:
            signature = registry.prepare(target, timeout=timeout, cancellation=cancellation).signature
            typed = signature_of(registry, target, signature)
            values = values_of(texts, typed, as_text=False, names=arguments)
            return registry.call(target, *values, timeout=timeout, cancellation=cancellation), may_err(signature)

        result, fails = interruptible(work, cancellation)
        if fails:
            refuse_err(result, target)
        print_result(result, as_json=False)


def _list(registry: Registry, arguments: list[str]) -> None:
    print_entries(registry.find(namespace=_only("list", arguments, optional=True)))


def _show(registry: Registry, arguments: list[str]) -> None:
    entry_id = _only("show", arguments)
    with hints_for_missing(registry):
        show_entry(registry, entry_id or "")


def _reload(registry: Registry, arguments: list[str]) -> None:
    _none("reload", arguments)
    changes = registry.reload()
    print_line((f"{len(changes.added)} added, {len(changes.changed)} changed, {len(changes.removed)} removed", ""))


def _help(_registry: Registry, _arguments: list[str]) -> None:
    print_text(_HELP)


def _only(command: str, arguments: list[str], *, optional: bool = False) -> str | None:
    if len(arguments) > 1 or not (arguments or optional):
        raise click.UsageError(f"{command} takes {'at most ' if optional else ''}one argument")
    return arguments[0] if arguments else None


def _none(command: str, arguments: list[str]) -> None:
    if arguments:
        raise click.UsageError(f"{command} takes no argument")


_LEAVING = ("exit", "quit")
_COMMANDS: Mapping[str, Callable[[Registry, list[str]], None]] = MappingProxyType(
    {"exit": _help, "help": _help, "list": _list, "reload": _reload, "show": _show}
)
"""The words that are no ids; those that leave are looked at before."""
