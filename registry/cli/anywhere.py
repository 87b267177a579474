"""The options of the group (``-C``, ``-v``, ``--debug``) behind a command as well as before it."""

from __future__ import annotations

from typing import Any

import click

from polycall.registry.cli.logs import configure_logging

__all__ = ["no_such_option", "taken_anywhere"]

_FIELDS = {"project": "named"}
"""Options to the fields of `Session` that have another name."""


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
