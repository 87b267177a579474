"""``polycall call``: one call from the shell, or one for each line of input."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from polycall.interop.context import Cancellation
from polycall.interop.values import Value
from polycall.registry.cli.arguments import given, signature_of, values_of
from polycall.registry.cli.command import Command, PathType, no_such_option
from polycall.registry.cli.interruptible import interruptible
from polycall.registry.cli.limit_options import limit_options, limits_of
from polycall.registry.cli.logs import show_guests
from polycall.registry.cli.nothing_found import hints_for_missing
from polycall.registry.cli.printable import one_line
from polycall.registry.cli.results import may_err, print_result, refuse_err
from polycall.registry.cli.seconds import SECONDS
from polycall.registry.cli.session import Session
from polycall.registry.cli.stderr import say
from polycall.registry.cli.target import Target, find_target
from polycall.registry.cli.watch import Load, run, watch_option
from polycall.registry.registry import Registry

if TYPE_CHECKING:
    from polycall.registry.observers.trace import Trace

__all__ = ["call"]

_LIKE_AN_OPTION = r"-(?!$|\.?\d)"
_ERR = 1


class _CallCommand(Command):
    """Takes a negative number for an argument, where click would look for an option of that name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the command line; an unknown option that is no number is an error, as anywhere else."""
        before_dashes = set(args[: args.index("--")] if "--" in args else args)
        ctx.ignore_unknown_options = True
        rest = super().parse_args(ctx, args)
        for argument in ctx.params["arguments"]:
            if argument in before_dashes and argument[:1] == "-" and re.match(_LIKE_AN_OPTION, argument):
                raise no_such_option(argument, ctx)
        return rest


class _Options(TypedDict):
    """What the options say, by the names that click gives them."""

    as_text: bool
    byte_files: tuple[Path, ...]
    timeout: float | None
    max_memory: int | None
    max_output: int | None
    as_json: bool
    fail_on_err: bool
    wit: str | None
    watch: bool
    traced: bool
    each: bool
    form: str | None
    spread: bool
    jobs: int
    unordered: bool
    keep_going: bool
    raw: bool


_WITHOUT_EACH = ("as_text", "byte_files", "watch", "traced")
_WITH_EACH = ("form", "spread", "jobs", "unordered", "keep_going", "raw")


@click.command(cls=_CallCommand, short_help="Call a function and print its result.")
@click.argument("target", metavar="ID")
@click.argument("arguments", metavar="[ARG]...", nargs=-1)
@click.option("-s", "--string", "as_text", is_flag=True, help="Take each ARG as text instead of JSON.")
@click.option(
    "--bytes-file",
    "byte_files",
    type=PathType("file", exists=True, dir_okay=False),
    multiple=True,
    help="Add the content of a file as an argument of bytes, behind the others.",
)
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="Stop the call after this time.")
@limit_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, whatever its type.")
@click.option("--fail-on-err/--no-fail-on-err", default=True, help="Whether the err of a WIT result is a failure.")
@click.option("--wit", metavar="TEXT", help='The signature of a core module\'s export: "rate: func(c: string) -> u32".')
@watch_option
@click.option("--trace", "traced", is_flag=True, help="Then print the tree of all calls, with times, to stderr.")
@click.option("--each", is_flag=True, help="Call it for each line of the files ARG, or of standard input.")
@click.option("--lines", "form", flag_value="lines", help="With --each: a line is text.")
@click.option("--csv", "form", flag_value="csv", help="With --each: a line is a row of CSV, the first has the names.")
@click.option("--spread", is_flag=True, help="With --each: a line is a list of arguments, not one.")
@click.option("-j", "--jobs", type=click.IntRange(1, 256), default=1, metavar="N", help="With --each: calls at a time.")
@click.option("--unordered", is_flag=True, help="With --each: write results as they are ready.")
@click.option("--keep-going", is_flag=True, help="With --each: write an error object for a line that failed.")
@click.option("-r", "--raw", is_flag=True, help="With --each: write results of text as they are.")
@click.pass_context
def call(context: click.Context, target: str, arguments: tuple[str, ...], **options: Unpack[_Options]) -> int:
    """Call the function ID and print its result.

    Each ARG is JSON, or text where the signature says string; with --string it is text. "-" is read from standard
    input, @FILE from a file. Text and bytes are printed as they are, tables as JSON; nothing is printed for nothing.
    The err of a WIT result goes to stderr, and the exit code is 1.

    ID may be a file (with a slash in it, or ending in .wasm, .wat or .lua), and ARG its function: no project is needed.

    With --each there is a call for each line: a line of JSON in, its one argument; a line of JSON out.

    \b
    Examples:
      polycall call app:add 2 3
      polycall call app:greet --string World
      polycall call app:checkout @order.json
      polycall call ./tax.wasm rate DE
      polycall call app:checkout --each --jobs 4 < orders.jsonl > receipts.jsonl
    """  # noqa: D301  # what click looks for is the control character
    session: Session = context.obj
    show_guests()
    _refuse(context, *((_WITHOUT_EACH, "cannot be with --each") if options["each"] else (_WITH_EACH, "needs --each")))
    called, arguments = find_target(session, target, arguments, wit=options["wit"], watch=options["watch"])
    if options["each"]:
        return _each(called, arguments, options)
    texts = given(arguments, as_text=options["as_text"])  # read once, however often it is called

    def once(load: Load) -> int:
        trace = _new_trace() if options["traced"] else None
        try:
            with load() as registry, hints_for_missing(registry):
                return _call_once(registry, called, arguments, texts, options, trace)
        finally:  # a failed call is the one whose trace is wanted most
            if trace is not None:
                _print_trace(trace)

    return run(session, once, watch=options["watch"]) if called.is_entry else once(called.load)


def _each(called: Target, files: tuple[str, ...], options: _Options) -> int:
    from polycall.registry.cli.each import Each, call_each  # noqa: PLC0415  # one call need not wait for it
    from polycall.registry.cli.each_input import FORMATS, Input  # noqa: PLC0415  # the same

    how = Each(
        options["form"] or "json",
        options["spread"],
        options["jobs"],
        options["unordered"],
        options["keep_going"],
        options["fail_on_err"],
        options["raw"],
        options["timeout"],
        limits_of(options["max_memory"], options["max_output"]),
    )
    form = FORMATS.get((how.format, how.spread))
    if form is None:
        raise click.UsageError("--spread needs lines of JSON or CSV")
    lines = Input(files, form)
    with called.load() as registry, hints_for_missing(registry):
        return call_each(registry, called.entry_id, lines, how)


def _refuse(context: click.Context, names: tuple[str, ...], why: str) -> None:
    """Refuses options that mean nothing beside the others."""
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in names or context.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            continue
        flag = parameter.flag_value if isinstance(parameter, click.Option) else None
        if isinstance(flag, str) and flag != context.params[name]:  # another value of the same parameter
            continue
        option = next(each for each in parameter.opts if each.startswith("--"))
        raise click.UsageError(f"{option} {why}")


def _call_once(  # noqa: PLR0917  # two of them are what `call` was given
    registry: Registry,
    called: Target,
    names: tuple[str, ...],
    texts: list[str | bytes],
    options: _Options,
    trace: Trace | None,
) -> int:
    cancellation, timeout = Cancellation(), options["timeout"]
    limits = limits_of(options["max_memory"], options["max_output"])

    def work() -> tuple[Value, bool]:
        started = time.monotonic()
        function = registry.prepare(called.entry_id, timeout=timeout, cancellation=cancellation)
        typed = signature_of(registry, called.entry_id, function.signature)
        values = values_of(texts, typed, as_text=options["as_text"], names=names)
        values += [path.read_bytes() for path in options["byte_files"]]
        left = None if timeout is None else max(0.0, timeout - (time.monotonic() - started))
        result = registry.call(
            called.entry_id, *values, timeout=left, limits=limits, cancellation=cancellation, observer=trace
        )
        return result, options["fail_on_err"] and may_err(function.signature)

    result, fails = interruptible(work, cancellation)
    if fails and not options["as_json"]:
        refuse_err(result, called.entry_id)
    print_result(result, options["as_json"])
    return _ERR if fails and isinstance(result, dict) and result.keys() == {"err"} else 0


def _new_trace() -> Trace:
    from polycall.registry.observers.trace import Trace  # noqa: PLC0415  # a call that nobody looks at does without

    return Trace()


def _print_trace(trace: Trace) -> None:
    sys.stdout.flush()  # where both streams end on one terminal, the trace stands below the result
    for line in trace.lines():
        say(one_line(line))
