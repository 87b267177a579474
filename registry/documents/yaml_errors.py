"""YAML syntax errors in the words of the person who writes entry files."""

from __future__ import annotations

import yaml

from polycall.interop.values import MAX_NESTING
from polycall.registry.documents.nodes import Mark

__all__ = ["explain"]


def explain(error: yaml.MarkedYAMLError, text: str) -> tuple[Mark, str, str | None]:
    """Says what is wrong with the text and where.

    The two readers of PyYAML word the same mistake differently; this gives both the same words.

    Returns:
        The place, the message and a hint.
    """
    context, problem = error.context or "", error.problem or ""
    if "nesting depth" in problem:  # libyaml's own bound, from PyYAML 6.0.4 on: met before ours where it reads ahead
        return _mark(error.problem_mark) or Mark(1, 1), f"nested deeper than {MAX_NESTING} levels", None
    begun = "simple key" in context or "end of stream" in problem  # what does not end is found where it begins
    marks = (error.context_mark, error.problem_mark) if begun else (error.problem_mark, error.context_mark)
    at = _mark(marks[0]) or _mark(marks[1]) or Mark(1, 1)
    message, hint = _describe(problem, context, _since(error), _character(text, at))
    return at, f"not valid YAML: {message}", hint


def _describe(problem: str, context: str, since: str, character: str) -> tuple[str, str | None]:
    if "not allowed" in problem and problem.startswith("mapping values"):
        return 'a ":" that cannot stand here', 'put a value that holds ": " in quotes, or mend the indentation'
    if "not allowed" in problem and "sequence entries" in problem:
        return 'a "- " that cannot stand here', "begin the list on a line of its own"
    if "cannot start any token" in problem:
        return _bad_start(character)
    if "quoted scalar" in context or "double-quoted" in context:
        return _bad_quotes(problem)
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


def _character(text: str, at: Mark) -> str:
    lines = text.split("\n")
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    return line[at.column - 1] if at.column <= len(line) else "end of line"
