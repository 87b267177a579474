from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from polycall.interop.context import CallContext
from polycall.interop.guest_log import LINE_BYTES, RECORD_BYTES, GuestLog, guest_logger
from polycall.interop.values import Value

CALL = CallContext("app:main", "lua")


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.kept]


@pytest.fixture
def records() -> Iterator[Records]:
    logger, handler = guest_logger("app:main"), Records()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_a_line_carries_name_fields_and_call(records: Records) -> None:
    GuestLog("app:main", 1000).write(logging.INFO, "paid", CALL, name="db", fields={"n": 5, "raw": [b"\xff"]})
    assert records.lines == ["db: paid n=5 raw=[b'\\xff']"]
    about = vars(records.kept[0])
    assert (about["logger_name"], about["fields"]["n"], about["call_id"]) == ("db", 5, CALL.call_id)


@pytest.mark.parametrize("text", ["x" * LINE_BYTES, b"x" * LINE_BYTES])
def test_a_line_of_just_the_bound_is_whole(records: Records, text: str | bytes) -> None:
    GuestLog("app:main", 1_000_000).write(logging.INFO, text, CALL)
    assert records.lines == ["x" * LINE_BYTES]


@pytest.mark.parametrize(("text", "cut_off"), [("x" * 50_000, 0), (b"x" * LINE_BYTES, 50_000 - LINE_BYTES)])
def test_a_longer_one_is_cut_with_a_mark_that_counts_what_is_missing(
    records: Records, text: str | bytes, cut_off: int
) -> None:
    GuestLog("app:main", 1_000_000).write(logging.INFO, text, CALL, cut_off=cut_off)
    (line,) = records.lines
    kept, _, mark = line.partition(" ... ")
    assert mark == f"({50_000 - len(kept)} bytes dropped)"
    assert (set(kept), len(line)) == ({"x"}, LINE_BYTES)


def test_a_cut_does_not_leave_half_a_character_and_is_not_cut_again(records: Records) -> None:
    log = GuestLog("app:main", 1_000_000)
    log.write(logging.INFO, "é" * 50_000, CALL)
    log.pass_on(logging.INFO, records.lines[0], CALL)
    assert records.lines[0] == records.lines[1]
    assert set(records.lines[0].partition(" ")[0]) == {"é"}


def test_when_the_bytes_are_spent_one_warning_says_so_and_one_at_the_end_how_much_was_dropped(records: Records) -> None:
    log = GuestLog("app:main", 10 * (RECORD_BYTES + 10))
    for _ in range(13):
        log.write(logging.INFO, "0123456789", CALL)
    assert len(records.lines) == 11
    assert records.kept[-1].levelno == logging.WARNING
    assert "limits.max_output_bytes" in records.lines[-1]
    log.end(CALL)
    assert records.lines[11:] == ["dropped output of this call: 3 lines, 30 bytes"]
    assert not log.used
    log.write(logging.INFO, "again", CALL)
    log.end(CALL)
    assert records.lines[12:] == ["again"]


def test_empty_lines_count_and_a_call_may_be_allowed_nothing(records: Records) -> None:
    log = GuestLog("app:main", RECORD_BYTES)
    log.write(logging.INFO, "", CALL)
    log.write(logging.INFO, "", CALL)
    assert (records.lines[0], len(records.lines)) == ("", 2)
    silent = GuestLog("app:main", 0)
    silent.write(logging.INFO, "x", CALL)
    assert "0 bytes" in records.lines[-1]


def test_what_nobody_listens_to_counts_nothing(records: Records) -> None:
    log = GuestLog("app:main", 1000)
    log.write(logging.DEBUG, "x" * 10_000, CALL)
    assert (log.used, records.lines) == (False, [])


def test_fields_that_a_worker_claims_are_kept_within_bounds(records: Records) -> None:
    log = GuestLog("app:main", 1_000_000)
    claims: list[dict[str, Value]] = [{"a": [0] * 10_000}, {"a": {"b": ["x" * 100_000]}}, {"x" * 100_000: 1}]
    for fields in claims:
        log.pass_on(logging.INFO, "claimed", CALL, fields=fields)
    assert [vars(record)["fields"] for record in records.kept] == [{}, {}, {}]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"])
def test_what_would_end_a_line_stands_in_it_as_an_escape(records: Records, end: str) -> None:
    log = GuestLog("app:main", 100_000)
    text = f"paid{end}INFO polycall.entry.app:other: forged"
    log.write(logging.INFO, text, CALL)
    log.write(logging.INFO, text.encode(), CALL)
    log.write(logging.INFO, "paid", CALL, name=f"db{end}forged", fields={f"a{end}b": f"c{end}d", "e": [f"f{end}g"]})
    log.pass_on(logging.INFO, text, CALL, name=f"db{end}forged")
    assert len(records.lines) == 4
    for line in records.lines:
        assert line.splitlines() == [line]
        assert "paid" in line
        assert "forged" in line
    assert all("\n" not in vars(record)["logger_name"] for record in records.kept)


@pytest.mark.parametrize(
    "steering", ["\x1b[2J", "\x9b2J", "\x08", "\x00", "\x7f", "\u202e", "\u2066", "\u061c", "\u200f", "\udc80"]
)
def test_what_steers_a_terminal_is_an_escape(records: Records, steering: str) -> None:
    GuestLog("app:main", 1000).write(logging.INFO, f"a{steering}b", CALL)
    assert records.lines == ["a" + ascii(steering)[1:-1] + "b"]


def test_text_without_any_of_it_stays_as_it_is(records: Records) -> None:
    GuestLog("app:main", 1000).write(logging.INFO, "a\tb é 漢 🎉 \\n", CALL)
    assert records.lines == ["a\tb é 漢 🎉 \\n"]


def test_escapes_count_against_the_bound_of_a_line(records: Records) -> None:
    GuestLog("app:main", 1_000_000).write(logging.INFO, "\x1b" * LINE_BYTES, CALL)
    (line,) = records.lines
    assert len(line) == LINE_BYTES
    assert line.startswith("\\x1b\\x1b")
    assert "bytes dropped" in line


def test_what_the_host_remarks_is_not_the_guests_to_use_up(caplog: pytest.LogCaptureFixture) -> None:
    log = GuestLog("app:guest", 0)
    log.write(logging.INFO, "nothing of this is written", None)
    with caplog.at_level(logging.INFO, "polycall.entry.app:guest"):
        log.write(logging.INFO, "nor of this", None)
        log.remark("refused: \x1b[31m\nred", None)
    assert [(each.levelname, each.getMessage()) for each in caplog.records][-1] == (
        "WARNING",
        "refused: \\x1b[31m\\nred",
    )
