"""The outcome of a project's tests as JUnit XML, which CI systems read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree

from polycall.registry.guest_tests import GuestTestOutcome

__all__ = ["junit_xml"]

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(outcomes: Sequence[GuestTestOutcome]) -> bytes:
    """Returns the outcomes, one ``testsuite`` for each suite, in the order they came in."""
    root = ElementTree.Element("testsuites", _counts("polycall", outcomes))
    for suite, members in groupby(outcomes, key=lambda outcome: outcome.test.suite):
        of_suite = list(members)
        element = ElementTree.SubElement(root, "testsuite", _counts(suite, of_suite))
        for outcome in of_suite:
            _case(element, outcome)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _counts(name: str, outcomes: Sequence[GuestTestOutcome]) -> dict[str, str]:
    failures = sum(outcome.failure is not None for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    return {
        "name": _clean(name), "tests": str(len(outcomes)), "failures": str(failures), "errors": "0",
        "time": f"{seconds:.3f}",
    }  # fmt: skip


def _case(suite: ElementTree.Element, outcome: GuestTestOutcome) -> None:
    namespace, _, name = outcome.test.entry_id.partition(":")
    attributes = {"classname": _clean(namespace), "name": _clean(name), "time": f"{outcome.seconds:.3f}"}
    case = ElementTree.SubElement(suite, "testcase", attributes)
    if outcome.failure is not None:
        failure = ElementTree.SubElement(case, "failure", {"message": _clean(outcome.failure)})
        failure.text = _clean("\n".join(filter(None, (outcome.failure, outcome.traceback))))
    if outcome.output:
        ElementTree.SubElement(case, "system-out").text = _clean("\n".join(outcome.output))


def _clean(text: str) -> str:
    """Writes characters that XML cannot hold as escapes."""
    return _NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
