from __future__ import annotations

import weakref

import pytest

from polycall.interop.errors import GuestError, PolycallError
from polycall.interop.kept_errors import KEPT_BYTES, KeptErrors


def test_an_error_is_found_by_its_number_until_the_call_ends() -> None:
    kept, error = KeptErrors(), GuestError("no")
    number = kept.keep(error)
    assert kept.get(number) is error
    assert kept.get(number + 1) is None
    kept.clear()
    assert kept.get(number) is None
    assert kept.keep(error) != number


def test_small_errors_are_kept_by_the_thousand_and_the_oldest_goes_first() -> None:
    kept = KeptErrors()
    numbers = [kept.keep(GuestError(str(at))) for at in range(20_000)]
    assert all(kept.get(number) for number in numbers[-500:])
    assert kept.get(numbers[0]) is None


@pytest.mark.parametrize(
    "carried",
    [{"details": list(range(KEPT_BYTES // 1024))}, {"details": {"a": "x" * (KEPT_BYTES // 10)}}],
    ids=["values", "text"],
)
def test_what_errors_carry_counts(carried: dict[str, object]) -> None:
    kept = KeptErrors()
    numbers = [kept.keep(GuestError("no", **carried)) for _ in range(20)]  # type: ignore[arg-type]  # details
    assert 1 <= sum(kept.get(number) is not None for number in numbers) <= 10
    assert kept.get(numbers[-1]) is not None


def test_what_led_to_an_error_counts_as_well() -> None:
    kept, error = KeptErrors(), GuestError("no")
    error.__cause__ = ValueError("x" * KEPT_BYTES)
    assert kept.get(kept.keep(error)) is None
    ring = GuestError("no")
    ring.__cause__, ring.__context__ = ring, ring
    assert kept.get(kept.keep(ring)) is ring


def test_an_error_that_is_too_large_makes_no_other_go() -> None:
    kept = KeptErrors()
    small = kept.keep(GuestError("no"))
    assert kept.get(kept.keep(GuestError("no", details="x" * KEPT_BYTES))) is None
    assert kept.get(small) is not None


class Held:
    """Something that a frame holds."""


def test_no_frame_that_an_error_passed_is_held() -> None:
    held: list[weakref.ref[Held]] = []

    def catch() -> int:
        argument = Held()
        held.append(weakref.ref(argument))
        try:
            fail()
        except PolycallError as error:
            return kept.keep(error)  # while this frame still runs
        return 0

    def fail() -> None:
        argument = Held()
        held.append(weakref.ref(argument))
        try:
            raise ValueError("first")
        except ValueError as error:
            raise GuestError("no") from error

    kept = KeptErrors()
    error_kept = kept.get(catch())
    assert error_kept is not None
    notes: list[str] = getattr(error_kept.__cause__, "__notes__", [])
    (note,) = notes  # where it was raised is still told
    assert note.startswith(f'Raised at:\n  File "{__file__}", line ')
    assert note.endswith(", in fail")
    assert [each() for each in held] == [None, None]
