"""``polycall call``: one call from the shell."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import click

from interop.context import Cancellation
from interop.errors import ConversionError
from interop.json_text import decode_json, encode_json
from interop.values import Value
from registry.cli.session import Session
from registry.cli.watch import Load, run, watch_option
from registry.trace import Trace

__all__ = ["call"]

_LIKE_AN_OPTION = re.compile(r"-(?!$|\.?\d)")

_SECONDS_TO_UNWIND = 5.0
"""How long a call may take to end after Ctrl-C before the process ends without it."""


class _CallCommand(click.Command):
    """Takes a negative number for an argument, where click would look for an option of that name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the command line; an unknown option that is no number is an error, as anywhere else."""
        before_dashes = set(args[: args.index("--")] if "--" in args else args)
        ctx.ignore_unknown_options = True
        rest = super().parse_args(ctx, args)
        for argument in ctx.params["arguments"]:
            if argument in before_dashes and _LIKE_AN_OPTION.match(argument):
                raise click.NoSuchOption(argument, ctx=ctx)
        return rest


@click.command(cls=_CallCommand, short_help="Call a function and print its result.")
@click.argument("target", metavar="ID")
@click.argument("arguments", metavar="[ARG]...", nargs=-1)
@click.option("-s", "--string", "as_text", is_flag=True, help="Take each ARG as text instead of JSON.")
@click.option(
    "--bytes-file",
    "byte_files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Add the content of a file as an argument of bytes, behind the others.",
)
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop the call after this time.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, whatever its type.")
@watch_option
@click.option("--trace", "traced", is_flag=True, help="Then print the tree of all calls, with times, to stderr.")
@click.pass_obj
def call(  # noqa: PLR0917  # click passes options by name
    session: Session,
    target: str,
    arguments: tuple[str, ...],
    as_text: bool,
    byte_files: tuple[Path, ...],
    timeout: float | None,
    as_json: bool,
    watch: bool,
    traced: bool,
) -> int:
    r"""Call the function ID and print its result.

    Each ARG is JSON; with --string it is text. An ARG of "-" is read from standard input. Text and bytes are printed as
    they are, tables as JSON; nothing is printed for nothing.

    \b
    Examples:
      polycall call app:add 2 3
      polycall call app:greet --string World
      echo '{"items": []}' | polycall call app:checkout -
    """
    values: list[Value] = [_value(text, number, as_text) for number, text in enumerate(arguments, 1)]

    def once(load: Load) -> int:
        given = values + [path.read_bytes() for path in byte_files]
        trace = Trace() if traced else None
        try:
            with load() as registry:
                cancellation = Cancellation()
                result = _interruptible(
                    lambda: registry.call(target, *given, timeout=timeout, cancellation=cancellation, observer=trace),
                    cancellation,
                )
            _print(result, as_json)
        finally:  # a failed call is the one whose trace is wanted most
            if trace is not None:
                _print_trace(trace)
        return 0

    return run(session, once, watch=watch)


def _print_trace(trace: Trace) -> None:
    sys.stdout.flush()  # where both streams end on one terminal, the trace stands below the result
    for line in trace.lines():
        click.echo(line, err=True)


def _value(text: str, number: int, as_text: bool) -> Value:
    data = sys.stdin.buffer.read() if text == "-" else text.encode("utf-8", "surrogateescape")
    try:
        return data.decode() if as_text else decode_json(data)
    except UnicodeDecodeError:
        return data
    except ConversionError as error:
        shown = "standard input" if text == "-" else f"'{text}'"
        hint = "write text as '\"text\"', or use --string"
        raise click.UsageError(f"argument {number} is not JSON: {shown}: {error.got}\n{hint}") from error


def _interruptible(work: Callable[[], Value], cancellation: Cancellation) -> Value:
    """Runs `work` on a thread: the main one must be free for Ctrl-C, which Python cannot deliver inside an engine."""
    results: list[Value] = []
    failures: list[BaseException] = []
    # Not Thread.join: once interrupted, it would not wait a second time but take the thread for ended.
    done = threading.Event()

    def work_and_keep() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  # it is raised again in the main thread
            failures.append(error)
        finally:
            done.set()

    threading.Thread(target=work_and_keep, name="polycall-call", daemon=True).start()
    try:
        done.wait()
    except KeyboardInterrupt:
        cancellation.cancel()
        done.wait(_SECONDS_TO_UNWIND)
        raise
    if failures:
        raise failures[0]
    return results[0]


def _print(result: Value, as_json: bool) -> None:
    if as_json:
        click.echo(encode_json(result, indent=2))
    elif isinstance(result, bytes):
        sys.stdout.buffer.write(result)
    elif isinstance(result, str):
        click.echo(result)
    elif result is not None:
        click.echo(encode_json(result, indent=2))
