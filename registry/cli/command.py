"""What commands are made of: help, paths, and the options of the group (``-C``, ``-v``, ``--debug``) behind a command.

Where click's own would look for a translation of its words as soon as it is made, these do so when it is used, if ever:
to look takes a fiftieth of a short command's time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polycall.registry.cli.logs import configure_logging

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["Command", "PathType", "no_such_option", "taken_anywhere"]

_FIELDS = {"project": "named"}
"""Options to the fields of `Session` that have another name."""


def _show_help(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(context.get_help(), color=context.color)
        context.exit()


_HELP = click.Option(
    ["-h", "--help"],
    is_flag=True,
    expose_value=False,
    is_eager=True,
    help="Show this message and exit.",
    callback=_show_help,
)


class Command(click.Command):
    """A command with an option that shows its help."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Returns the option."""
        return _HELP


class PathType(click.ParamType):  # type: ignore[type-arg]  # in older releases of click it has none
    """What `click.Path` reads, as a `pathlib.Path`.

    Args:
        name: What help calls the value.
        **accepted: As for `click.Path`.
    """

    def __init__(self, name: str = "path", **accepted: bool) -> None:
        self.name = name
        self._accepted = accepted

    def _type(self) -> click.Path:
        return click.Path(path_type=Path, **self._accepted)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Reads a path."""
        return self._type().convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Says what a shell completes."""
        return self._type().shell_complete(ctx, param, incomplete)


def taken_anywhere(command: click.Command, group: click.Group) -> click.Command:
    """Makes a command take the options of its group, but for those that it has a use of its own for; returns it."""
    own = {name for parameter in command.params for name in parameter.opts}
    for option in group.params:
        if isinstance(option, click.Option) and option.expose_value and own.isdisjoint(option.opts):
            command.params.append(_again(option))
    return command


def _again(option: click.Option) -> click.Option:
    return click.Option(
        option.opts,
        type=option.type,
        count=option.count,
        is_flag=option.is_flag,
        default=None if not option.is_flag else False,
        expose_value=False,
        hidden=True,
        callback=_said_again,
    )


def _said_again(context: click.Context, option: click.Parameter, value: Any) -> None:
    """Puts an option of the group to effect that stands behind the command."""
    name = str(option.name)
    if not value or context.resilient_parsing:
        return
    said = context.find_root().params
    if name == "verbose":
        said["verbose"] += value
        configure_logging(said["verbose"])
        return
    said[name] = value
    if context.obj is not None:
        context.obj = context.obj._replace(**{_FIELDS.get(name, name): value})


def no_such_option(name: str, context: click.Context) -> click.NoSuchOption:
    """Returns the error of an unknown option that click has taken for an argument, with those that may be meant."""
    known = [each for parameter in context.command.params for each in (*parameter.opts, *parameter.secondary_opts)]
    return click.NoSuchOption(name.partition("=")[0], possibilities=known, ctx=context)
