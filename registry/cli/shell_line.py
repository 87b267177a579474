"""What a line of ``polycall shell`` says: an id or a command, and its arguments."""

from __future__ import annotations

import json

import click

__all__ = ["split"]

_JSON = json.JSONDecoder()
_OPENING = ('"', "{", "[")


def split(line: str) -> list[str]:
    """Returns the words of a line, as texts of which `polycall.registry.cli.arguments` makes values.

    A value of JSON is one word, whatever spaces are in it; so is what stands in single quotes, without them. What
    follows ``#`` is a comment.

    Raises:
        click.UsageError: A value or a quote has no end.
    """
    words, rest = [], line.strip()
    while rest and not rest.startswith("#"):
        word, rest = _word(rest)
        words.append(word)
        rest = rest.lstrip()
    return words


def _word(text: str) -> tuple[str, str]:
    if text.startswith("'"):
        word, quote, rest = text[1:].partition("'")
        if not quote:
            raise click.UsageError(f"there is no second ' behind: {text}")
        return word, rest
    if text.startswith(_OPENING):
        try:
            _, end = _JSON.raw_decode(text)
        except (ValueError, RecursionError) as error:
            raise click.UsageError(f"this is not JSON: {text}") from error
    else:
        end = len(text.split(maxsplit=1)[0])
    return text[:end], text[end:]
