"""YAML syntax errors in the words of the person who writes entry files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from polycall.interop.values import MAX_NESTING
from polycall.registry.documents.nodes import Mark

if TYPE_CHECKING:
    from polycall.registry.documents.yaml_document import QuotedText

__all__ = ["explain"]

_LINE_BREAK = "\r\n|[\n\r\x85\u2028\u2029]"  # as YAML's readers count lines


def explain(error: yaml.MarkedYAMLError, text: str, last: QuotedText | None = None) -> tuple[Mark, str, str | None]:
    """Says what is wrong with the text and where.

    The two readers of PyYAML word the same mistake differently; this gives both the same words.

    Args:
        error: What the reader says.
        text: The whole text.
        last: The last text in quotes before it.

    Returns:
        The place, the message and a hint.
    """
    if last is not None and any(_follows(last, mark, text) for mark in (error.problem_mark, error.context_mark)):
        return _ended_too_early(last)
    context, problem = error.context or "", error.problem or ""
    if "nesting depth" in problem:  # libyaml's own bound, from PyYAML 6.0.4 on: met before ours where it reads ahead
        return _mark(error.problem_mark) or Mark(1, 1), f"nested deeper than {MAX_NESTING} levels", None
    begun = "simple key" in context or "end of stream" in problem  # what does not end is found where it begins
    marks = (error.context_mark, error.problem_mark) if begun else (error.problem_mark, error.context_mark)
    at = marks[0] or marks[1]
    message, hint = _describe(problem, context, _since(error), _character(text, at))
    return _mark(at) or Mark(1, 1), f"not valid YAML: {message}", hint


def _follows(quoted: QuotedText, mark: yaml.Mark | None, text: str) -> bool:
    """Says whether a place comes right behind a text in quotes, where only the end of the line may come."""
    if mark is None or mark.line != quoted.end.line or mark.column < quoted.end.column:
        return False
    return not _line_of(text, mark)[quoted.end.column : mark.column].strip()


def _ended_too_early(quoted: QuotedText) -> tuple[Mark, str, str | None]:
    """Explains that something follows a text in quotes: one quote is missing, or one too many ends it."""
    if quoted.start.line != quoted.end.line:  # it took the next quote, which opens another text, for its end
        message = f"not valid YAML: the quoted text that begins here ends only on line {quoted.end.line + 1}"
        at = Mark(quoted.start.line + 1, quoted.start.column + 1)
        return at, message, f"is a closing {quoted.quote} missing?"
    doubled = "write '' for a ' inside, or put the text in double quotes"
    hint = doubled if quoted.quote == "'" else 'write \\" for a " inside, or put the text in single quotes'
    at = Mark(quoted.end.line + 1, quoted.end.column + 1)
    return at, "not valid YAML: something follows the end of a quoted text", hint


def _describe(problem: str, context: str, since: str, character: str) -> tuple[str, str | None]:
    if "not allowed" in problem and problem.startswith("mapping values"):
        return 'a ":" that cannot stand here', 'put a value that holds ": " in quotes, or mend the indentation'
    if "not allowed" in problem and "sequence entries" in problem:
        return 'a "- " that cannot stand here', "begin the list on a line of its own"
    if "cannot start any token" in problem:
        return _bad_start(character)
    if "quoted scalar" in context or "double-quoted" in context:
        return _bad_quotes(problem)
    if "scanning an alias" in context:
        return 'a "*" begins an alias, which has a name of letters', 'put it in quotes, as in "*.example.org"'
    if "simple key" in context:
        return 'expected ":" after this key', None
    if "node content" in problem:
        return "expected a value, or the end of the list or mapping", None
    if "flow sequence" in context:
        return f'expected "," or "]" in the list that begins{since}', None
    if "flow mapping" in context:
        return f'expected "," or "}}" in the mapping that begins{since}', None
    if "block collection" in context:
        return f"this does not belong to the list that begins{since}", "mend the indentation"
    if "block mapping" in context:
        return f"this does not belong to the mapping that begins{since}", "mend the indentation"
    return f"{problem} {context}".strip(), None


def _bad_start(character: str) -> tuple[str, str | None]:
    if character == "\t":
        return "a tab in the indentation", "indent with spaces"
    return f'a value cannot begin with "{character}"', "put it in quotes"


def _bad_quotes(problem: str) -> tuple[str, str | None]:
    if "end of stream" in problem or "document separator" in problem:
        return "the quoted text that begins here does not end", None
    if "Unicode" in problem:
        return "an escape that stands for no character", None
    if "escape" in problem:
        return 'unknown escape after "\\" in double quotes', "use single quotes, where a backslash is itself"
    return problem, None


def _since(error: yaml.MarkedYAMLError) -> str:
    mark = _mark(error.context_mark)
    return f" on line {mark.line}" if mark else " here"


def _mark(mark: yaml.Mark | None) -> Mark | None:
    return Mark(mark.line + 1, mark.column + 1) if mark else None


def _character(text: str, at: yaml.Mark | None) -> str:
    line = _line_of(text, at) if at else ""
    return line[at.column] if at and at.column < len(line) else "end of line"


def _line_of(text: str, mark: yaml.Mark) -> str:
    """Returns the line on which a mark stands; splitting the text into all its lines would take long."""
    start = mark.index - mark.column
    end = re.compile(_LINE_BREAK).search(text, start)
    return text[start : end.start() if end else len(text)]
