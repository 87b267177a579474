"""``polycall completion``: what makes a shell complete commands, options and entry ids."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class
from click.types import StringParamType

from polycall.interop.errors import PolycallError
from polycall.registry.cli.command import Command
from polycall.registry.cli.output import print_text
from polycall.registry.cli.session import Session
from polycall.registry.reading.load import load_index

__all__ = ["completion", "offer_entry_ids"]

_VARIABLE = "_POLYCALL_COMPLETE"
_BASH_COLON = (
    "# An id has a colon, at which bash would otherwise break the word in two.\nCOMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n"
)


@click.command(cls=Command, short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete polycall's commands, options and entry ids.

    \b
    bash: eval "$(polycall completion bash)"     in ~/.bashrc
    zsh:  eval "$(polycall completion zsh)"      in ~/.zshrc
    fish: polycall completion fish | source      in ~/.config/fish/config.fish
    """  # noqa: D301  # what click looks for is the control character
    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"this version of click cannot complete in {shell}")
    source = script(context.find_root().command, {}, "polycall", _VARIABLE).source()
    print_text((_BASH_COLON if shell == "bash" else "") + source)


class _EntryIdType(StringParamType):
    """Text that is completed to the ids of the project."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Returns the ids that begin so; none where the project does not load."""
        try:
            index = load_index(Session(ctx.find_root().params["project"], debug=False).project)
        except PolycallError:
            return []
        return [CompletionItem(str(entry.id)) for entry in index if str(entry.id).startswith(incomplete)]


def offer_entry_ids(command: click.Command) -> click.Command:
    """Makes the arguments of a command that are called ID complete to entry ids; returns the command."""
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.metavar in ("ID", "[ID]..."):
            parameter.type = _EntryIdType()
    return command
