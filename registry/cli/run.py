"""``polycall run``: a WebAssembly program as a command of the shell."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polycall.interop.context import Cancellation
from polycall.interop.network_rules import check_rule
from polycall.registry.cli.command import Command, no_such_option
from polycall.registry.cli.interruptible import interruptible
from polycall.registry.cli.limit_options import limit_options, limits_of
from polycall.registry.cli.logs import show_guests
from polycall.registry.cli.nothing_found import hints_for_missing
from polycall.registry.cli.seconds import SECONDS
from polycall.registry.cli.session import Session
from polycall.registry.cli.target import is_file

if TYPE_CHECKING:
    from polycall.registry.standalone import Mount

__all__ = ["run_command"]

_CONTEXT = {"ignore_unknown_options": True, "allow_interspersed_args": False}
_OF_FILES = ("--dir", "--allow-net")


def _variables(_context: click.Context, _parameter: click.Parameter, given: Sequence[str]) -> dict[str, str]:
    """Reads ``NAME=VALUE``; a bare name has the value that it has here."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or "\0" in text:
            raise click.BadParameter(f"{text!r} is no variable: write NAME=VALUE")
        if not equals and name not in os.environ:
            raise click.BadParameter(f"there is no environment variable {name}; give it a value: {name}=...")
        found[name] = value if equals else os.environ[name]
    return found


def _rules(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Refuses what is no rule of the network."""
    for text in given:
        expected = check_rule(text)
        if expected is not None:
            raise click.BadParameter(f"expected {expected}; got {text!r}")
    return given


@click.command(
    cls=Command, short_help="Run a WebAssembly program with stdin, stdout and arguments.", context_settings=_CONTEXT
)
@click.option("--dir", "folders", metavar="HOST[::GUEST][:ro]", multiple=True, help="Show a folder to a program.")
@click.option("--env", "variables", metavar="NAME[=VALUE]", multiple=True, callback=_variables, help="Set a variable.")
@click.option(
    "--allow-net", "rules", metavar="RULE", multiple=True, callback=_rules, help="Let a program call such addresses."
)
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="Stop the program after this time.")
@limit_options
@click.argument("target", metavar="ID|FILE")
@click.argument("arguments", metavar="[ARG]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run_command(  # noqa: PLR0917  # click passes options by name
    session: Session,
    folders: tuple[str, ...],
    variables: dict[str, str],
    rules: tuple[str, ...],
    timeout: float | None,
    max_memory: int | None,
    max_output: int | None,
    target: str,
    arguments: tuple[str, ...],
) -> int:
    """Run a WebAssembly program: an entry of the project, or a file.

    The program reads standard input, writes standard output and standard error, byte for byte, and its exit status is
    that of polycall. It is a component that exports wasi:cli/run, or a core module that exports _start.

    An entry has what it grants. A FILE (with a slash in it, or ending in .wasm or .wat) needs no project, and has
    nothing but what the options say.

    \b
    Examples:
      polycall run app:filter < input > output
      polycall run ./tool.wasm --help
      polycall run --dir ./data::/data:ro --allow-net api.example.com:443 ./tool.wasm -- ARG
    """  # noqa: D301  # what click looks for is the control character
    show_guests()
    given = list(arguments[1:] if arguments[:1] == ("--",) else arguments)
    cancellation, limits = Cancellation(), limits_of(max_memory, max_output)
    if target.startswith("-"):
        raise no_such_option(target, click.get_current_context())
    if is_file(target):
        return _of_shell(_run_file(Path(target), given, folders, variables, rules, timeout, limits, cancellation))
    if folders or rules:
        raise click.UsageError(f"{' and '.join(_OF_FILES)} are for files; an entry has what it declares")
    with session.load() as registry, hints_for_missing(registry):
        run = partial(registry.run, target, *given, env=variables)
        work = partial(run, timeout=timeout, limits=limits, cancellation=cancellation)
        return _of_shell(interruptible(work, cancellation))


def _of_shell(status: int) -> int:
    """Returns what a shell sees of a status: its last eight bits, as of ``exit(-1)`` in C; never 0 for a failure."""
    return status & 0xFF or int(status != 0)


def _run_file(  # noqa: PLR0917  # as above
    path: Path,
    arguments: Sequence[str],
    folders: Sequence[str],
    variables: dict[str, str],
    rules: Sequence[str],
    timeout: float | None,
    limits: dict[str, int] | None,
    cancellation: Cancellation,
) -> int:
    from polycall.registry.standalone import run_file  # noqa: PLC0415  # entries need none of it
    from polycall.wasm_runtime.spec import guest_path  # noqa: PLC0415  # the same
    from polycall.wasm_runtime.wasi.console import Console  # noqa: PLC0415  # the same

    console = Console(0, 1, 2, (path.name, *arguments), tuple(variables.items()))
    mounts = [_mount(text) for text in folders]
    twice = [guest for guest, times in Counter(guest_path(mount.guest) for mount in mounts).items() if times > 1]
    if twice:
        raise click.BadParameter(f"{twice[0]!r} stands twice: a path is one folder", param_hint="--dir")
    return interruptible(
        lambda: run_file(
            path, console, mounts, network=rules, timeout=timeout, limits=limits, cancellation=cancellation
        ),
        cancellation,
    )


def _mount(text: str) -> Mount:
    from polycall.registry.standalone import Mount  # noqa: PLC0415  # as above

    rest, read_only = (text.removesuffix(":ro"), True) if text.endswith(":ro") else (text, False)
    host, separator, guest = rest.partition("::")
    guest = guest if separator else host
    folder = Path(host)
    if not host or not folder.is_dir():  # an empty one would be the folder that we stand in
        raise click.BadParameter(f"there is no folder {host!r}", param_hint="--dir")
    if guest.encode(errors="ignore").decode() != guest:  # a folder of the host may have such a name, a guest's path not
        raise click.BadParameter(f"{guest!r} is no UTF-8: name it for the guest, HOST::GUEST", param_hint="--dir")
    if separator and ":" in guest:  # ":rw", ":RO": a slip that would grant more than was meant
        raise click.BadParameter(f"{guest!r} has a colon: only :ro may follow the guest's path", param_hint="--dir")
    if separator and not guest.startswith("/"):
        raise click.BadParameter(f"{guest!r} is no absolute path of the guest, such as /data", param_hint="--dir")
    return Mount(folder, guest, read_only)
