"""YAML text to plain values, by the rules of the entry files."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from polycall.interop.errors import ConversionError, DeclarationError, Problem
from polycall.interop.values import Value
from polycall.registry.documents.node_builder import NodeBuilder
from polycall.registry.documents.nodes import ListNode, Node, ScalarNode
from polycall.registry.documents.problems import Position, Report
from polycall.registry.documents.yaml_document import read_yaml

__all__ = ["read_guest_yaml"]

_MOST_CHARACTERS = 1 << 20  # libyaml reads a single text of that length in about 50 ms, which no thread can interrupt
_STEPS_BETWEEN_CHECKS = 256


def read_guest_yaml(text: str, check: Callable[[], None]) -> Value:
    """Returns the value of a document.

    Args:
        text: The document.
        check: Called again and again; raises to end the work.

    Raises:
        ConversionError: It is no YAML, not by these rules, or too much.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ConversionError("$", "lower", f"at most {_MOST_CHARACTERS:,} characters of YAML", f"{len(text):,}")
    report = Report("")
    try:
        root = read_yaml(text, report, _GuestBuilder(report, _paced(check))).root
    except DeclarationError as error:
        raise _unreadable(error.problems[0]) from error
    if report.problems:
        raise _unreadable(report.problems[0])
    return None if root is None else _value(root)


class _GuestBuilder(NodeBuilder):
    """Bounded more tightly than an entry file, because a call waits for it."""

    most_nodes: ClassVar[int] = 100_000

    def __init__(self, report: Report, check: Callable[[], None]) -> None:
        super().__init__(report)
        self._check = check

    def grow(self, at: Position, count: int) -> None:
        self._check()
        super().grow(at, count)


def _paced(check: Callable[[], None]) -> Callable[[], None]:
    """Returns what passes on one call in many: asking costs more than a step of the work."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps % _STEPS_BETWEEN_CHECKS == 0:
            check()

    return step


def _unreadable(problem: Problem) -> ConversionError:
    where = f"a fault at line {problem.line} column {problem.column}: "
    path = f"$.{problem.path}" if problem.path else "$"
    return ConversionError(
        path, "lower", "plain YAML", where + problem.message.removeprefix("not valid YAML: "), hint=problem.hint
    )


def _value(node: Node) -> Value:
    if isinstance(node, ScalarNode):
        scalar: Value = node.value
        return scalar
    if isinstance(node, ListNode):
        return [_value(item) for item in node.items]
    return {key: _value(item) for key, item in node.items.items()}
