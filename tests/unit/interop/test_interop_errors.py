from __future__ import annotations

import copy
import pickle

import pytest

import polycall
from polycall.interop import errors
from polycall.interop.errors import (
    OUTCOMES,
    ConversionError,
    DeclarationError,
    ExitError,
    Frame,
    GuestError,
    PolycallError,
    Problem,
)


def _all_errors(root: type[PolycallError] = PolycallError) -> list[type[PolycallError]]:
    return [root, *(error for child in root.__subclasses__() for error in _all_errors(child))]


def test_every_error_has_a_row_in_the_table_of_outcomes_and_every_row_an_error() -> None:
    assert {error.code for error in _all_errors()} == set(OUTCOMES)


def test_every_error_is_public() -> None:
    ours = {error.__name__ for error in _all_errors() if error.__module__ == "polycall"}
    assert len(ours) > 20
    assert ours <= set(errors.__all__)
    assert ours <= set(polycall.__all__)


def test_exit_codes_never_mean_success_or_a_wrong_command_line() -> None:
    assert all(1 <= outcome.exit_code <= 255 and outcome.exit_code != 2 for outcome in OUTCOMES.values())


def test_an_error_reads_as_frames_message_and_hint() -> None:
    error = GuestError('tax.lua:12: no rate for "XX"', hint="add a rate")
    error.frames = (Frame("app:checkout", "lua"), Frame("app:price", "wasm"), Frame("app:tax", "lua"))
    chain = "app:checkout (lua) -> app:price (wasm) -> app:tax (lua)"
    assert str(error) == f'{chain}: tax.lua:12: no rate for "XX" (add a rate)'


def test_a_guest_is_told_of_the_frames_below_itself_only() -> None:
    error = GuestError("no")
    error.frames = (Frame("app:a", "lua"), Frame("app:b", "wasm"))
    assert error.text(skip_frames=1) == "app:b (wasm): no"
    assert error.text(skip_frames=2) == "no"


def test_the_frames_of_endless_recursion_are_abbreviated() -> None:
    error = GuestError("too deep")
    error.frames = tuple(Frame(f"app:f{index}", "lua") for index in range(33))
    text = str(error)
    assert text.startswith("app:f0 (lua) -> app:f1 (lua)")
    assert "-> (25 more) ->" in text
    assert text.endswith("app:f32 (lua): too deep")


def test_an_error_has_the_kind_of_its_code_unless_the_guest_chose_one() -> None:
    assert GuestError("x").kind == "Internal"
    assert GuestError("x", kind="NotFound").kind == "NotFound"


def test_a_conversion_error_says_path_expected_and_got() -> None:
    error = ConversionError("$.args[0].users[2].id", "lower", "u32", '"x"')
    assert str(error) == '$.args[0].users[2].id: expected u32, got "x"'


@pytest.mark.parametrize(("count", "head"), [(1, "1 problem in"), (2, "2 problems in")])
def test_a_declaration_error_lists_every_problem(count: int, head: str) -> None:
    problems = [Problem("a.yaml", line, 3, "entries[0].x", "unknown key", "remove it") for line in range(1, count + 1)]
    lines = str(DeclarationError(problems)).splitlines()
    assert lines[0].startswith(head)
    assert [line.strip() for line in lines[1:]] == [str(problem) for problem in problems]
    assert str(problems[0]) == "a.yaml:1:3: entries[0].x: unknown key (remove it)"
    assert str(Problem("a.yaml", 1, 1, "", "is not UTF-8")) == "a.yaml:1:1: is not UTF-8"


def _of_class(cls: type[PolycallError]) -> PolycallError:
    if cls is DeclarationError:
        return DeclarationError([Problem("a.yaml", 1, 1, "x", "is wrong", "mend it")])
    if cls is ConversionError:
        return ConversionError("$.args[0]", "lower", "u32", "nothing", hint="give one")
    if cls is ExitError:
        return ExitError(3)
    return cls("no", entry_id="app:a", hint="try", kind="NotFound", retryable=True, details={"a": [1]})


@pytest.mark.parametrize("cls", [error for error in _all_errors() if error.__module__ == "polycall"])
def test_every_error_can_be_copied_and_pickled(cls: type[PolycallError]) -> None:
    error = _of_class(cls)
    error.frames = (Frame("app:a", "lua"),)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is cls
        assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


def test_a_failed_call_names_the_entry_that_it_failed_on_where_its_frames_do_not() -> None:
    error = GuestError("_index.yaml:5: unexpected symbol", entry_id="app:syn")
    error.frames = (Frame("app:via", "lua"),)
    assert str(error) == "app:via (lua): app:syn: _index.yaml:5: unexpected symbol"
    error.frames = (Frame("app:via", "lua"), Frame("app:syn", "lua"))
    assert str(error) == "app:via (lua) -> app:syn (lua): _index.yaml:5: unexpected symbol"
    assert error.text(skip_frames=2) == "_index.yaml:5: unexpected symbol"
    assert str(GuestError("there is no entry app:syn", entry_id="app:syn")) == "there is no entry app:syn"


def test_an_error_knows_its_exit_code_and_its_http_status() -> None:
    for error in _all_errors():
        made = error.__new__(error)
        assert (made.exit_code, made.http_status) == OUTCOMES[error.code][:2]


def test_errors_are_what_python_calls_them() -> None:
    assert issubclass(polycall.DeadlineError, TimeoutError)
    assert issubclass(polycall.NotFoundError, LookupError)
    deadline = polycall.DeadlineError("late", entry_id="app:x", hint="wait")
    assert (str(deadline), deadline.args, deadline.errno) == ("late (wait)", ("late",), None)
    again = pickle.loads(pickle.dumps(deadline))
    assert (type(again), again.args, again.hint) == (polycall.DeadlineError, ("late",), "wait")


def test_a_problem_of_what_stands_in_no_file_names_none() -> None:
    assert str(Problem("add()", 0, 0, "source", "required, but missing")) == "add(): source: required, but missing"
