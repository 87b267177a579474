from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lua_guests import body, context, prepare, program, refusal, run
from polycall.interop.context import CallContext, Cancellation
from polycall.interop.errors import CancelledError, DeadlineError, GuestError
from polycall.interop.values import Value
from polycall.lua_runtime.instance import LuaInstance

pytestmark = pytest.mark.under_every_limit


def lua(text: str, *arguments: Value, frame: CallContext | None = None) -> Value:
    return run(f"local time = require('time')\n{text}", *arguments, frame=frame)


def invalid(expression: str) -> str:
    return refusal(expression.replace("time.", "require('time').", 1))


# From the documentation of Go's package time: the constants, and the examples of Time.Format.
GO_LAYOUTS = [
    ("Mon Jan _2 15:04:05 2006", "Wed Feb 25 11:06:39 2015"),
    ("Mon Jan _2 15:04:05 MST 2006", "Wed Feb 25 11:06:39 PST 2015"),
    ("Mon Jan 02 15:04:05 -0700 2006", "Wed Feb 25 11:06:39 -0800 2015"),
    ("02 Jan 06 15:04 MST", "25 Feb 15 11:06 PST"),
    ("02 Jan 06 15:04 -0700", "25 Feb 15 11:06 -0800"),
    ("Monday, 02-Jan-06 15:04:05 MST", "Wednesday, 25-Feb-15 11:06:39 PST"),
    ("Mon, 02 Jan 2006 15:04:05 MST", "Wed, 25 Feb 2015 11:06:39 PST"),
    ("Mon, 02 Jan 2006 15:04:05 -0700", "Wed, 25 Feb 2015 11:06:39 -0800"),
    ("2006-01-02T15:04:05Z07:00", "2015-02-25T11:06:39-08:00"),
    ("2006-01-02T15:04:05.999999999Z07:00", "2015-02-25T11:06:39.1234-08:00"),
    ("3:04PM", "11:06AM"),
    ("Jan _2 15:04:05.000", "Feb 25 11:06:39.123"),
    ("15h 4m 5s", "11h 6m 39s"),
    ("06/1/2", "15/2/25"),
    ("<2> <_2> <02> <__2> <002>", "<25> <25> <25> < 56> <056>"),
    ("03 3 pm PM", "11 11 am AM"),
    ("15:04:05.000000", "11:06:39.123400"),
    ("15:04:05.99", "11:06:39.12"),
    ("15:04:05,00", "11:06:39,12"),
    ("5.05", "39.39"),  # a point before 05 is no fraction
    ("Z07 Z0700 Z07:00 Z070000 Z07:00:00", "-08 -0800 -08:00 -080000 -08:00:00"),
    ("-07 -0700 -07:00 -070000 -07:00:00", "-08 -0800 -08:00 -080000 -08:00:00"),
    ("January Janus Monday Monde", "February Janus Wednesday Monde"),
    ("_2006", "_2015"),
    ("no part of a time: é", "no part of a time: é"),
]


class TestFormat:
    @pytest.mark.parametrize(("layout", "text"), GO_LAYOUTS)
    def test_the_examples_of_go(self, layout: str, text: str) -> None:
        make = "time.unix(1424891199, 123400000):in_location(time.load_location('America/Los_Angeles'))"
        assert lua(f"return {make}:format(...)", layout) == text

    def test_the_constants_are_go_s(self) -> None:
        names = ["RFC3339", "RFC822", "RFC1123Z", "DATE_TIME", "DATE_ONLY", "TIME_ONLY", "KITCHEN", "STAMP_NANO"]
        text = "local t, r = time.unix(0):utc(), {} for i, n in ipairs(...) do r[i] = t:format(time[n]) end return r"
        assert lua(text, list(names)) == [
            "1970-01-01T00:00:00Z", "01 Jan 70 00:00 UTC", "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01 00:00:00",
            "1970-01-01", "00:00:00", "12:00AM", "Jan  1 00:00:00.000000000",
        ]  # fmt: skip

    def test_rfc3339_and_tostring(self) -> None:
        assert lua("return time.unix(1703862245, 5e8):utc():format_rfc3339()") == "2023-12-29T15:04:05Z"
        assert lua("return tostring(time.unix(1703862245, 5e8):utc())") == "2023-12-29 15:04:05.5 +0000 UTC"

    @pytest.mark.parametrize("argument", ["", "5", "string.rep('x', 2000)"])
    def test_other_layouts_are_invalid(self, argument: str) -> None:
        assert invalid(f"time.unix(0):format({argument})") == "Invalid"


class TestParse:
    @pytest.mark.parametrize(
        ("layout", "text", "result"),
        [
            ("2006-01-02", "2024-12-29", "2024-12-29 00:00:00 +0000 UTC"),
            ("15:04:05", "14:30:00", "0000-01-01 14:30:00 +0000 UTC"),
            ("2006-01-02T15:04:05Z07:00", "2024-12-29T15:04:05Z", "2024-12-29 15:04:05 +0000 UTC"),
            ("2006-01-02T15:04:05Z07:00", "2024-12-29T15:04:05.25+05:30", "2024-12-29 15:04:05.25 +0530 +0530"),
            ("2006-01-02 15:04:05 MST", "2024-12-29 14:30:00 UTC", "2024-12-29 14:30:00 +0000 UTC"),
            ("2006-01-02 15:04 MST", "2024-12-29 14:30 XYZ", "2024-12-29 14:30:00 +0000 XYZ"),
            ("2006-01-02 15:04 MST", "2024-12-29 14:30 GMT+3", "2024-12-29 14:30:00 +0300 GMT+3"),
            ("Jan 2, 2006 at 3:04pm (MST)", "Feb 3, 2013 at 7:54pm (PST)", "2013-02-03 19:54:00 +0000 PST"),
            ("Monday, 02-Jan-06 15:04", "friday, 29-dec-69 15:04", "1969-12-29 15:04:00 +0000 UTC"),
            ("3:04PM 2006", "12:30AM 2020", "2020-01-01 00:30:00 +0000 UTC"),
            ("3:04PM 2006", "12:30PM 2020", "2020-01-01 12:30:00 +0000 UTC"),
            ("2006 002", "2024 366", "2024-12-31 00:00:00 +0000 UTC"),
            ("2006 __2", "2023   3", "2023-01-03 00:00:00 +0000 UTC"),
            ("Jan _2 2006", "Feb  9 2024", "2024-02-09 00:00:00 +0000 UTC"),
            ("2006-01-02 15:04:05", "2024-02-29   1:02:03.5", "2024-02-29 01:02:03.5 +0000 UTC"),
            ("05.000", "07.1254", None),
            ("2006-01-02", "2023-02-29", None),
            ("2006-01-02", "2023-13-01", None),
            ("2006-01-02", "2023-1-01", None),
            ("2006-01-02", "2023-01-01x", None),
            ("2006-01-02", "", None),
            ("15:04", "24:00", None),
            ("3:04PM", "13:00PM x", None),
            ("Mon", "Xyz", None),
            ("2006 MST", "2024 a", None),
            ("2006-01-02T15:04:05Z07:00", "2024-12-29T15:04:05+0530", None),
            ("002 01 2006", "032 03 2024", None),
        ],
    )
    def test_text_by_layout(self, layout: str, text: str, result: str | None) -> None:
        if result is None:
            assert refusal("require('time').parse(...)", layout, text) == "Invalid"
        else:
            assert lua("return tostring(time.parse(...))", layout, text) == result

    @pytest.mark.parametrize(
        ("layout", "text", "message"),
        [
            ("2006-01-02", "2024-1-02", 'expected the month at character 6 of "2024-1-02"'),
            ("2006-01-02", "2024/01", 'expected "-" at character 5 of "2024/01"'),
            ("2006 002", "2024 367", 'expected the day of the year at character 6 of "2024 367"'),
            ("15:04", "15:04:05", 'expected nothing more at character 6 of "15:04:05"'),
            ("Z07:00", "+05", 'expected an offset such as -07:00 at character 1 of "+05"'),
            ("05.000", "07.12", 'expected a fraction of 3 digits at character 3 of "07.12"'),
            ("2006-01-02", "2023-02-29", 'there is no day 29 in that month in "2023-02-29"'),
            ("2006 002 Jan", "2024 032 Mar", 'the day of the year does not fit in "2024 032 Mar"'),
            ("2006", "x" * 1025, "a layout, or a time as text, has at most 1024 bytes"),
        ],
    )
    def test_an_error_says_what_is_wrong_where(self, layout: str, text: str, message: str) -> None:
        assert (
            str(lua("return select(2, time.parse(...)):message()", layout, text)).removeprefix("time.parse: ")
            == message
        )

    def test_the_last_part_that_says_the_same_counts(self) -> None:
        assert lua("return time.parse('2006 06 15 3', '1999 24 23 2'):format('2006-01-02 15')") == "2024-01-01 02"

    def test_a_layout_that_is_used_again_after_the_collector_has_run(self) -> None:
        text = """
          local t, texts = time.unix(0):utc(), {}
          for round = 1, 200 do
            local garbage = string.rep('x', 100000 + round)
            texts[t:format('2006-01-02 at 15:04')] = #garbage
          end
          return next(texts) == '1970-01-01 at 00:00' and next(texts, (next(texts))) == nil"""
        assert lua(text) is True

    def test_in_a_location(self) -> None:
        text = """
          local ny = time.load_location('America/New_York')
          local t = time.parse('2006-01-02 15:04 MST', '2024-07-01 12:00 EDT', ny)
          local winter = time.parse('2006-01-02 15:04', '2024-12-29 14:30', ny)
          return { tostring(winter), tostring(t), t:location():string() }"""
        assert lua(text) == [
            "2024-12-29 14:30:00 -0500 EST", "2024-07-01 12:00:00 -0400 EDT", "America/New_York",
        ]  # fmt: skip

    @pytest.mark.parametrize("arguments", ["", "'2006'", "5, '2024'", "'2006', 5", "'2006', '2024', 'UTC'"])
    def test_wrong_types_are_invalid(self, arguments: str) -> None:
        assert invalid(f"time.parse({arguments})") == "Invalid"


@pytest.fixture(scope="module")
def there_and_back(conditions: None) -> Iterator[LuaInstance]:
    text = """
      local time, seconds, nsec, layout, zone = require('time'), ...
      local t = time.unix(seconds, nsec):in_location(time.load_location(zone))
      local again = assert(time.parse(layout, t:format(layout)))
      local made = time.date(t:year(), t:month(), t:day(), t:hour(), t:minute(), t:second(), t:nanosecond(), time.utc)
      return { t:format(layout), again == t, made:format('2006-01-02T15:04:05'), t:weekday(), t:year_day() }"""
    with closing(prepare(program(body(text))).instantiate()) as instance:
        yield instance


@given(
    seconds=st.integers(-62_135_510_400, 253_402_214_400),
    nanoseconds=st.integers(0, 999_999_999),
    layout=st.sampled_from(["2006-01-02T15:04:05.999999999Z07:00:00", "Mon Jan _2 2006 3:04:05.000000000PM -070000"]),
    zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]),
)
def test_parsing_what_was_formatted_gives_the_same_time(
    seconds: int, nanoseconds: int, layout: str, zone: str, there_and_back: LuaInstance
) -> None:
    there = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(ZoneInfo(zone))
    answer = there_and_back.call([seconds, nanoseconds, layout, zone], context())
    assert isinstance(answer, list)
    year = f"{there.year:04}"
    assert answer[1:] == [
        True, year + there.strftime("-%m-%dT%H:%M:%S"), there.isoweekday() % 7, there.timetuple().tm_yday,
    ]  # fmt: skip


class TestTimes:
    def test_now_is_now(self) -> None:
        before = time.time_ns()
        now = lua("return time.now():unix_nano()")
        assert isinstance(now, int)
        assert before <= now <= time.time_ns()

    def test_parts(self) -> None:
        text = """
          local t = time.date(2024, time.DECEMBER, 25, 10, 30, 5, 7, time.utc)
          local y, m, d = t:date()
          local h, mi, s = t:clock()
          return { y, m, d, h, mi, s, t:nanosecond(), t:weekday() == time.WEDNESDAY, t:year_day(), t:unix() }"""
        assert lua(text) == [2024, 12, 25, 10, 30, 5, 7, True, 360, 1735122605]

    @pytest.mark.parametrize(
        ("expression", "text"),
        [
            ("time.date(2024, 13, 1, 0, 0, 0, 0, time.utc)", "2025-01-01 00:00:00 +0000 UTC"),
            ("time.date(2024, 2, 30, 25, 61, 0, -1, time.utc)", "2024-03-02 02:00:59.999999999 +0000 UTC"),
            ("time.date(2024, 3, 10, 12, 0, 0, 0, NY)", "2024-03-10 12:00:00 -0400 EDT"),
            ("time.date(2024, 11, 3, 1, 30, 0, 0, NY)", "2024-11-03 01:30:00 -0400 EDT"),
            ("time.date(2024, 1, 31, 12, 0, 0, 0, time.utc):add_date(0, 1, 0)", "2024-03-02 12:00:00 +0000 UTC"),
            ("time.date(2024, 2, 29, 0, 0, 0, 0, time.utc):add_date(-1, 0, -1)", "2023-02-28 00:00:00 +0000 UTC"),
            ("time.date(2024, 3, 9, 12, 0, 0, 0, NY):add_date(0, 0, 1)", "2024-03-10 12:00:00 -0400 EDT"),
            ("time.date(2024, 3, 9, 12, 0, 0, 0, NY):add('24h')", "2024-03-10 13:00:00 -0400 EDT"),
            ("time.unix(0):utc():add(90 * time.MINUTE)", "1970-01-01 01:30:00 +0000 UTC"),
            ("time.unix(0):utc():add(-1)", "1969-12-31 23:59:59.999999999 +0000 UTC"),
            ("time.unix(1, -1):utc()", "1970-01-01 00:00:00.999999999 +0000 UTC"),
            ("time.unix(5.0):utc() + time.parse_duration('2s')", "1970-01-01 00:00:07 +0000 UTC"),
            ("time.unix(5):utc() - time.parse_duration('2s')", "1970-01-01 00:00:03 +0000 UTC"),
            ("time.unix(0):in_location(time.fixed_zone('IST', 19800))", "1970-01-01 05:30:00 +0530 IST"),
            # Go's examples of Round and Truncate.
            ("ROUND:round(time.parse_duration('1h'))", "0000-01-01 12:00:00 +0000 UTC"),
            ("ROUND:round(time.parse_duration('1us'))", "0000-01-01 12:15:30.918274 +0000 UTC"),
            ("ROUND:truncate(time.parse_duration('1ms'))", "0000-01-01 12:15:30.918 +0000 UTC"),
            ("ROUND:truncate('2s')", "0000-01-01 12:15:30 +0000 UTC"),
            ("ROUND:truncate(0)", "0000-01-01 12:15:30.918273645 +0000 UTC"),
        ],
    )
    def test_arithmetic(self, expression: str, text: str) -> None:
        prelude = """
          local NY = time.load_location('America/New_York')
          local ROUND = time.date(0, 1, 1, 12, 15, 30, 918273645, time.utc)"""
        assert lua(f"{prelude} return tostring({expression})") == text

    def test_comparing(self) -> None:
        text = """
          local a, b = time.unix(1):utc(), time.unix(2)
          local same = time.unix(1):in_location(time.fixed_zone('X', 60))
          return { a:before(b), b:after(a), a:equal(same), a == same, a < b, a <= same, a > b, a ~= b, a == 1 }"""
        assert lua(text) == [True, True, True, True, True, True, False, True, False]

    def test_differences(self) -> None:
        text = """
          local a, b = time.unix(3, 5), time.unix(1)
          local far, old = time.date(9999, 1, 1), time.date(1, 1, 1)
          local result = {}
          for i, each in ipairs({ a:sub(b), b - a, far:sub(old), old:sub(far) }) do result[i] = each:nanoseconds() end
          return result"""
        assert lua(text) == [2_000_000_005, -2_000_000_005, 2**63 - 1, -(2**63)]

    @given(left=st.integers(-(2**63), 2**63 - 1), right=st.integers(-(2**63), 2**63 - 1))
    def test_sub_is_exact_or_saturates(self, left: int, right: int, subtraction: LuaInstance) -> None:
        exact = max(-(2**63), min(2**63 - 1, left - right))
        assert subtraction.call([*divmod(left, 10**9), *divmod(right, 10**9)], context()) == exact

    def test_the_zero_time(self) -> None:
        text = "return { time.date(1, 1, 1, 0, 0, 0, 0, time.utc):is_zero(), time.unix(0):is_zero() }"
        assert lua(text) == [True, False]

    @pytest.mark.parametrize(
        "call",
        [
            "time.date()",
            "time.date(2024, 1)",
            "time.date(2024, 1, 1.5)",
            "time.date(2024, 'x', 1)",
            "time.date(2024, 1, 1, 0, 0, 0, 0, 'UTC')",
            "time.date(1 << 62, 1, 1)",
            "time.date(2024, math.mininteger, 1)",
            "time.date(2024, 1, math.maxinteger)",
            "time.date(2024, 1, 1, math.maxinteger)",
            "time.date(2024, 1, 1, 0, 0, math.mininteger)",
            "time.unix(0):add_date(math.maxinteger, 0, 0)",
            "time.unix()",
            "time.unix('x')",
            "time.unix(1 << 62)",
            "time.unix(0):add('soon')",
            "time.unix(0):add()",
            "time.unix(0):add(0 / 0)",
            "time.unix(0):sub(5)",
            "time.unix(0):before(5)",
            "time.unix(0):add_date(1, 1)",
            "time.unix(0):in_location('UTC')",
            "time.unix(0):round({})",
            "time.unix(0).year()",
            "time.date(3000, 1, 1):unix_nano()",
        ],
    )
    def test_wrong_arguments_are_invalid(self, call: str) -> None:
        assert invalid(call) == "Invalid"

    @pytest.mark.parametrize(
        "statement",
        [
            "time.unix(0).year = 5",
            "rawset(time.unix(0), 'year', 5)",
            "setmetatable(time.unix(0), {})",
            "time.utc.name = 'x'",
            "time.SECOND = 5",
            "return time.unix(0) < 5",
            "return time.unix(0) + 5",
            "return time.parse_duration(5) < 5",
            "return 5 - time.parse_duration(5)",
        ],
    )
    def test_nothing_can_be_changed_and_operators_refuse_what_they_cannot_do(self, statement: str) -> None:
        with pytest.raises(GuestError):
            lua(statement)

    def test_a_time_does_not_travel_and_the_error_says_so(self) -> None:
        with pytest.raises(Exception, match="a Time object"):
            lua("return { at = time.now() }")


@pytest.fixture(scope="module")
def subtraction(conditions: None) -> Iterator[LuaInstance]:
    text = "local t, a, b, c, d = require('time'), ... return t.unix(a, b):sub(t.unix(c, d)):nanoseconds()"
    with closing(prepare(program(body(text))).instantiate()) as instance:
        yield instance


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "nanoseconds"),
        [
            ("0", 0),
            ("1h15m30.918s", 4_530_918_000_000),
            ("-1.5h", -5_400_000_000_000),
            ("+5s", 5_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("100us", 100_000),
            ("100µs", 100_000),
            ("2h30m45s500ms", 9_045_500_000_000),
            ("1ns", 1),
            ("0.3333333333333333333h", 1_200_000_000_000 - 1),
            ("9223372036854775807ns", 2**63 - 1),
            ("-9223372036854775808ns", -(2**63)),
        ],
    )
    def test_text(self, text: str, nanoseconds: int) -> None:
        assert lua("return time.parse_duration(...):nanoseconds()", text) == nanoseconds

    @pytest.mark.parametrize(
        "argument",
        ["''", "'-'", "'5'", "'s'", "'.s'", "'1x'", "'1 s'", "'1h-5m'", "'3000000h'", "'9223372036854775808ns'",
         "'\\xff'", "string.rep('1s', 200)", "", "{}", "1/0", "2^63"],
    )  # fmt: skip
    def test_anything_else_is_invalid(self, argument: str) -> None:
        assert invalid(f"time.parse_duration({argument})") == "Invalid"

    @pytest.mark.parametrize(
        ("nanoseconds", "text"),
        [
            (0, "0s"), (1, "1ns"), (1100, "1.1µs"), (2_200_000, "2.2ms"), (3_300_000_000, "3.3s"),
            (300_000_000_000, "5m0s"), (5 * 3600 * 10**9, "5h0m0s"), (5_430_500_000_000, "1h30m30.5s"), (-1, "-1ns"),
            (2**63 - 1, "2562047h47m16.854775807s"), (-(2**63), "-2562047h47m16.854775808s"),
        ],
    )  # fmt: skip
    def test_tostring_is_go_s(self, nanoseconds: int, text: str) -> None:
        assert lua("return tostring(time.parse_duration(...))", nanoseconds) == text

    @given(nanoseconds=st.integers(-(2**63), 2**63 - 1))
    def test_reading_what_tostring_wrote_gives_the_same(self, nanoseconds: int, echo: LuaInstance) -> None:
        assert echo.call([nanoseconds], context()) == nanoseconds

    def test_units_and_operators(self) -> None:
        text = """
          local d = time.parse_duration('1h30m45s500ms')
          return { d:hours(), d:minutes(), d:seconds(), d:milliseconds(), d:microseconds(),
            (d + d):nanoseconds() == 2 * d:nanoseconds(), d - d == time.parse_duration(0), d > -d,
            time.parse_duration(d) == d, time.parse_duration(-1500):microseconds() }"""
        assert lua(text) == [5445.5 / 3600, 90.75833333333334, 5445.5, 5445500, 5445500000, True, True, True, True, -1]

    def test_the_units(self) -> None:
        text = "return { time.NANOSECOND, time.MICROSECOND, time.MILLISECOND, time.SECOND, time.MINUTE, time.HOUR }"
        assert lua(text) == [1, 10**3, 10**6, 10**9, 60 * 10**9, 3600 * 10**9]

    def test_months_and_weekdays(self) -> None:
        assert lua("return { time.JANUARY, time.DECEMBER, time.SUNDAY, time.SATURDAY }") == [1, 12, 0, 6]


@pytest.fixture(scope="module")
def echo(conditions: None) -> Iterator[LuaInstance]:
    text = "local t = require('time') return t.parse_duration(tostring(t.parse_duration(...))):nanoseconds()"
    with closing(prepare(program(body(text))).instantiate()) as instance:
        yield instance


class TestLocations:
    def test_names(self) -> None:
        text = """
          local names = {}
          for i, each in ipairs({ time.utc, time.localtz, time.load_location('UTC'), time.load_location('Local'),
            time.load_location('Asia/Tokyo'), time.fixed_zone('X', 5) }) do names[i] = each:string() end
          return names"""
        assert lua(text) == ["UTC", "Local", "UTC", "Local", "Asia/Tokyo", "X"]

    def test_going_there_and_back(self) -> None:
        text = """
          local t = time.unix(0):in_location(time.load_location('Asia/Tokyo'))
          return { t:hour(), t:utc():hour(), t:in_local():location() == time.localtz, t:utc():location() == time.utc,
            time.unix(0):location() == time.localtz, t:location() == time.load_location('Asia/Tokyo') }"""
        assert lua(text) == [9, 0, True, True, True, True]

    def test_the_local_zone_is_the_machine_s(self) -> None:
        assert lua("return time.unix(1703862245):in_local():format('-0700')") == time.strftime(
            "%z", time.localtime(1703862245)
        )

    @pytest.mark.parametrize("seconds", [-(10**15), 10**15])
    def test_far_away_the_rules_stay_as_they_are(self, seconds: int) -> None:
        text = "return time.unix(...):in_location(time.load_location('Europe/Lisbon')):year()"
        year = lua(text, seconds)
        assert isinstance(year, int)
        assert abs(year) > 31_000_000

    @pytest.mark.parametrize(
        "name", ["Nowhere/City", "../../etc/passwd", "/etc/localtime", "Europe", "Eu\\0rope", "é", "x" * 500, "europe/"]
    )
    def test_an_unknown_zone_is_not_found(self, name: str) -> None:
        assert refusal(f"require('time').load_location('{name}')") == "NotFound"

    @pytest.mark.parametrize(
        "call",
        [
            "time.load_location()",
            "time.load_location('')",
            "time.load_location(5)",
            "time.fixed_zone('X')",
            "time.fixed_zone(5, 5)",
            "time.fixed_zone('X', 5.5)",
            "time.fixed_zone('X', 90000)",
        ],
    )
    def test_wrong_arguments_are_invalid(self, call: str) -> None:
        assert invalid(call) == "Invalid"


class TestSleep:
    @pytest.mark.parametrize("amount", ["'20ms'", "20 * time.MILLISECOND", "time.parse_duration('20ms')", "20e6"])
    def test_it_waits(self, amount: str) -> None:
        started = time.monotonic()
        lua(f"time.sleep({amount})")
        assert time.monotonic() - started >= 0.02

    def test_nothing_and_less_do_not_wait(self) -> None:
        started = time.monotonic()
        assert lua("return { time.sleep(0) == nil, time.sleep('-1h') == nil }") == [True, True]
        assert time.monotonic() - started < 5

    def test_a_deadline_ends_it_and_nothing_can_catch_that(self) -> None:
        started = time.monotonic()
        with pytest.raises(DeadlineError, match=r"time\.sleep"):
            lua("while true do pcall(time.sleep, '1h') end", frame=context(deadline=started + 0.1))
        assert time.monotonic() - started < 1

    def test_cancelling_ends_it(self) -> None:
        cancellation = Cancellation()
        sleeping = threading.Event()

        def note(_arguments: Sequence[Value], _frame: CallContext) -> Value:
            sleeping.set()
            return None

        text = "require('funcs').call('app:note') require('time').sleep('1h')"
        caught: list[BaseException] = []

        def call() -> None:
            with closing(prepare(program(body(text)), {"app:note": note}).instantiate()) as instance:
                try:
                    instance.call([], context(cancellation=cancellation))
                except CancelledError as error:
                    caught.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        assert sleeping.wait(10)
        cancellation.cancel()
        thread.join(10)
        assert [type(error) for error in caught] == [CancelledError]

    def test_other_threads_run_meanwhile(self) -> None:
        # Sleeping holds neither the interpreter nor a lock of ours.
        threads = [threading.Thread(target=lua, args=("time.sleep('200ms')",)) for _ in range(10)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - started < 1.5

    @pytest.mark.parametrize("argument", ["", "'x'", "{}", "true"])
    def test_other_amounts_are_invalid(self, argument: str) -> None:
        assert invalid(f"time.sleep({argument})") == "Invalid"

    def test_start_up_code_cannot_sleep(self) -> None:
        text = "local _, err = require('time').sleep('1h') return { main = function() return err:kind() end }"
        with closing(prepare(program(text)).instantiate()) as instance:
            assert instance.call([], context()) == "Invalid"


def test_what_needs_channels_is_absent() -> None:
    assert lua("return { time.after == nil, time.timer == nil, time.ticker == nil }") == [True, True, True]
