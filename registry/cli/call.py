"""``polycall call``: one call from the shell."""

from __future__ import annotations

import base64
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polycall.interop.context import Cancellation
from polycall.interop.errors import ConversionError
from polycall.interop.json_text import decode_json, encode_json
from polycall.interop.values import Value
from polycall.registry.cli.interruptible import interruptible
from polycall.registry.cli.limit_options import limit_options, limits_of
from polycall.registry.cli.logs import show_guests
from polycall.registry.cli.nothing_found import hints_for_missing
from polycall.registry.cli.output import print_text
from polycall.registry.cli.printable import one_line, printable, printable_json
from polycall.registry.cli.seconds import SECONDS
from polycall.registry.cli.session import Session
from polycall.registry.cli.stderr import say
from polycall.registry.cli.watch import Load, run, watch_option

if TYPE_CHECKING:
    from polycall.registry.observers.trace import Trace

__all__ = ["call"]

_LIKE_AN_OPTION = re.compile(r"-(?!$|\.?\d)")

_SHOWN_CHARACTERS = 60


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
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="Stop the call after this time.")
@limit_options
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
    max_memory: int | None,
    max_output: int | None,
    as_json: bool,
    watch: bool,
    traced: bool,
) -> int:
    """Call the function ID and print its result.

    Each ARG is JSON; with --string it is text. An ARG of "-" is read from standard input. Text and bytes are printed as
    they are, tables as JSON; nothing is printed for nothing.

    \b
    Examples:
      polycall call app:add 2 3
      polycall call app:greet --string World
      echo '{"items": []}' | polycall call app:checkout -
    """  # noqa: D301  # what click looks for is the control character
    show_guests()
    values: list[Value] = [_value(text, number, as_text) for number, text in enumerate(arguments, 1)]

    def once(load: Load) -> int:
        given = values + [path.read_bytes() for path in byte_files]
        trace, limits = _new_trace() if traced else None, limits_of(max_memory, max_output)
        try:
            with load() as registry, hints_for_missing(registry):
                cancellation = Cancellation()
                result = interruptible(
                    lambda: registry.call(
                        target, *given, timeout=timeout, limits=limits, cancellation=cancellation, observer=trace
                    ),
                    cancellation,
                )
            _print(result, as_json)
        finally:  # a failed call is the one whose trace is wanted most
            if trace is not None:
                _print_trace(trace)
        return 0

    return run(session, once, watch=watch)


def _new_trace() -> Trace:
    from polycall.registry.observers.trace import Trace  # noqa: PLC0415  # a call that nobody looks at does without

    return Trace()


def _print_trace(trace: Trace) -> None:
    sys.stdout.flush()  # where both streams end on one terminal, the trace stands below the result
    for line in trace.lines():
        say(one_line(line))


def _value(text: str, number: int, as_text: bool) -> Value:
    data = _standard_input() if text == "-" else text.encode("utf-8", "surrogateescape")
    try:
        return data.decode() if as_text else decode_json(data, bounded=False)
    except UnicodeDecodeError:
        return data
    except ConversionError as error:
        cut = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
        shown = "standard input" if text == "-" else f"'{cut}'"
        what = error.got if error.expected == "JSON text" else f"expected {error.expected}, got {error.got}"
        raise click.UsageError(f"argument {number} is not JSON: {one_line(shown)}: {what}{_hint(data)}") from error


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise click.UsageError('there is nothing to read for "-": standard input is closed')
    return sys.stdin.buffer.read()


def _hint(data: bytes) -> str:
    """Returns what would mend an argument that is not JSON, where it looks as if it was never meant to be."""
    looks_like_json = data.lstrip()[:1] in (b"{", b"[", b'"') or data.strip() in (b"NaN", b"Infinity", b"-Infinity")
    return "" if looks_like_json else "\nwrite text as '\"text\"', or use --string"


def _print(result: Value, as_json: bool) -> None:
    if isinstance(result, (str, bytes)) and not as_json:
        _print_text(result)
    elif result is not None or as_json:
        print_text(printable_json(encode_json(_with_base64(result), indent=2, bounded=False), sys.stdout))


def _print_text(result: str | bytes) -> None:
    """Prints what a guest may have chosen freely: safe on a terminal, byte for byte in a pipe and in a file."""
    if sys.stdout.isatty():
        print_text(printable(result if isinstance(result, str) else result.decode(errors="backslashreplace")))
    elif isinstance(result, str):
        print_text(result)
    else:
        sys.stdout.buffer.write(result)
        sys.stdout.flush()


def _with_base64(value: Value) -> Value:
    """Returns a value in which bytes that are not UTF-8, which JSON has no form for, are ``{"base64": ...}``."""
    if isinstance(value, list):
        return [_with_base64(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_base64(item) for key, item in value.items()}
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
