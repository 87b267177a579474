"""What ARGs of the command line stand for: JSON, plain text where the signature says so, files, standard input."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path

import click

from polycall.interop.errors import ConversionError, PreparationError
from polycall.interop.json_text import decode_json
from polycall.interop.protocols import Signature
from polycall.interop.signature_text import types_of
from polycall.interop.values import Value
from polycall.registry.cli.printable import one_line
from polycall.registry.registry import Registry

__all__ = ["given", "signature_of", "values_of"]

_SHOWN_CHARACTERS = 60

_TEXTUAL: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "char": (str,),
    "option<string>": (str, type(None)),
    "option<char>": (str, type(None)),
    "none, for there are too many": (object,),  # which the call says, not a complaint about quotes
}
"""Types that plain text is good for, with what JSON can say of them: anything else is the text as it stands."""

_TOO_MANY = next(reversed(_TEXTUAL))


def values_of(
    texts: Sequence[str | bytes], signature: Signature | None, *, as_text: bool, names: Sequence[str] | None = None
) -> list[Value]:
    """Returns the arguments that texts stand for.

    Args:
        texts: What `given` returns.
        signature: Of the function, if it has one: where it says ``string``, a text needs no quotes.
        as_text: Whether all of them are text.
        names: What messages call them; by default the texts themselves.

    Raises:
        click.UsageError: One is not JSON.
    """
    types, rest = list[str](), ""
    if signature is not None:
        types, rest = types_of(str(signature))[0], _TOO_MANY
    pairs = zip_longest(texts, types[: len(texts)], fillvalue=rest)
    shown = names or [each if isinstance(each, str) else "" for each in texts]
    return [
        _value(text, number, shown[number - 1], as_text, wit_type) for number, (text, wit_type) in enumerate(pairs, 1)
    ]


def signature_of(registry: Registry, target: str, known: Signature | None) -> Signature | None:
    """Returns what says of which types the arguments of a function are: what is known of it, or what it declares."""
    wit = getattr(registry.get(target).spec, "wit", None)
    if known is not None or wit is None:
        return known
    from polycall.registry.signatures.declared_types import types_of_wit  # noqa: PLC0415  # few declare it

    with suppress(PreparationError):  # `check` says what is wrong there
        return types_of_wit(registry.get(target)).signature
    return None


def given(arguments: Sequence[str], *, as_text: bool, dash: bool = True) -> list[str | bytes]:
    """Returns arguments with ``@file`` read from a file, if they are not all text, and ``-`` from standard input.

    Args:
        arguments: As they were typed.
        as_text: Whether all of them are text.
        dash: Whether ``-`` is standard input.

    Raises:
        click.UsageError: What is to be read is not there.
    """
    if not dash:
        return [_given(each, number, as_text) for number, each in enumerate(arguments, 1)]
    if arguments.count("-") > 1:
        raise click.UsageError('"-" stands there twice; standard input can be read once')
    return [
        _standard_input() if each == "-" else _given(each, number, as_text) for number, each in enumerate(arguments, 1)
    ]


def _given(argument: str, number: int, as_text: bool) -> str | bytes:
    if as_text or not argument.startswith("@"):
        return argument
    path = Path(argument[1:])
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"argument {number}: {one_line(str(path))} cannot be read: {error.strerror}"
        raise click.UsageError(f"{message}\nwrite text that begins with @ as '\"@...\"', or use --string") from error


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise click.UsageError('there is nothing to read for "-": standard input is closed')
    from polycall.registry.cli.stdin import standard_input  # noqa: PLC0415  # most arguments are typed

    return standard_input().read()


def _value(text: str | bytes, number: int, shown: str, as_text: bool, wit_type: str) -> Value:
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    if as_text:
        return _text(data)
    kept = _TEXTUAL.get(wit_type)
    try:
        value = decode_json(data, bounded=False)
    except ConversionError as error:
        if kept is not None:
            return _text(data)
        raise click.UsageError(_not_json(number, shown, data, error)) from error
    return value if kept is None or isinstance(value, kept) else _text(data)


def _text(data: bytes) -> Value:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _not_json(number: int, shown: str, data: bytes, error: ConversionError) -> str:
    cut = shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "..."
    name = "standard input" if shown == "-" else one_line(cut[1:] if cut.startswith("@") else f"'{cut}'")
    what = (
        error.got.removeprefix("a mistake: ")
        if error.expected == "JSON text"
        else f"expected {error.expected}, got {error.got}"
    )
    return f"argument {number} is not JSON: {name}: {what}{_hint(data)}"


def _hint(data: bytes) -> str:
    """Returns what would mend an argument that is not JSON, where it looks as if it was never meant to be."""
    looks_like_json = data.lstrip()[:1] in (b"{", b"[", b'"') or data.strip() in (b"NaN", b"Infinity", b"-Infinity")
    return "" if looks_like_json else "\nwrite text as '\"text\"', or use --string"
