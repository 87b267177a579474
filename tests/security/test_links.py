"""Links open what they name and nothing else, also for a worker that its guest has taken over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import polycall
from attacks import Attack, attacks
from linked_guests import TAX, linked_project, lua, relay
from lua_guests import FakeInvoker
from polycall.interop.context import CallContext
from polycall.interop.errors import GuestError, PolycallError, WorkerError
from polycall.interop.source import SourceText
from polycall.registry.isolation import IsolatedInstance, IsolationRuntime
from polycall.wasm_runtime.spec import WasmProgram
from worker_scripts import fake_worker

Make = Callable[..., IsolatedInstance]

LINKS = {TAX: "app.rules", "shop:rules/more#one": "app:one", "alone": "app:alone"}


@pytest.fixture
def taken_over() -> Iterator[Make]:
    made: list[IsolatedInstance] = []

    def make(text: str, target: Callable[..., Any], links: dict[str, str] | None = None) -> IsolatedInstance:
        source = SourceText(relay(), "guest.wat")
        of = WasmProgram("app:guest", source, "rate", links=LINKS if links is None else links)
        targets = dict.fromkeys((*GOOD, *FORBIDDEN), target)
        runtime = IsolationRuntime(
            FakeInvoker(targets), cache_directory=Path("/nonexistent"), command=fake_worker(text)
        )
        made.append(runtime.prepare(of).instantiate())
        return made[-1]

    yield make
    for instance in made:
        instance.close()


def frame() -> CallContext:
    return CallContext("app:guest", "wasm", deadline=time.monotonic() + 60)


GOOD = ("app.rules:rate", "app.rules:any-other", "app:one", "app:alone")
FORBIDDEN = (
    "app:two",
    "app:guest",
    "app.rules.deep:rate",
    "app.rule:rate",
    "app:one:rate",  # an entry may have a colon in its name: this one is of the namespace app
    "app:alone:",
    "app.rules",
    ":app.rules:rate",
    "",
)
ASK = 'start()\nsend("{way}", {what}, {target!r})\nsend("result", receive()[1])\nuntil_killed()'


@attacks(
    *(
        Attack(
            f'a worker calls "{target}", which no link of its entry names', "worker", "WorkerError", "linked: called"
        )
        for target in FORBIDDEN
    )
)
@pytest.mark.parametrize("target", FORBIDDEN)
def test_a_worker_that_was_taken_over_gets_no_further_than_its_links(taken_over: Make, target: str) -> None:
    called: list[str] = []

    def note(_arguments: Any, context: CallContext) -> int:
        called.append(context.entry_id)
        return 7

    good = GOOD[FORBIDDEN.index(target) % len(GOOD)]
    assert taken_over(ASK.format(way="call_linked", what="['PT']", target=good), note).call([], frame()) == 7
    assert called == [good]
    with pytest.raises(WorkerError, match="out of place"):
        taken_over(ASK.format(way="call_linked", what="['PT']", target=target), note).call([], frame())
    assert called == [good]


OTHER_WAYS = {
    "by a call of funcs": ("call", "['PT']"),
    "by a payload of funcs": ("call_payload", "'PT'"),
    "with a text for its arguments": ("call_linked", "'PT'"),
    "with a record for its arguments": ("call_linked", "{'a': 1}"),
    "with nothing for its arguments": ("call_linked", "None"),
}


@attacks(
    *(
        Attack(f"a worker calls what is linked, {name}", "worker", "WorkerError", "with a list, as a link: called")
        for name in OTHER_WAYS
    )
)
@pytest.mark.parametrize("name", OTHER_WAYS)
def test_links_are_called_in_one_way(taken_over: Make, name: str) -> None:
    way, what = OTHER_WAYS[name]
    called: list[object] = []

    def note(arguments: Any, _context: CallContext) -> None:
        called.append(arguments)

    honest = ASK.format(way="call_linked", what="['PT']", target="app.rules:rate")
    assert taken_over(honest, note).call([], frame()) is None
    assert called == [["PT"]]
    with pytest.raises(WorkerError, match="out of place"):
        taken_over(ASK.format(way=way, what=what, target="app.rules:rate"), note).call([], frame())
    assert called == [["PT"]]


@attacks(Attack("a worker without links calls as if it had some", "worker", "WorkerError", "with links: called"))
def test_without_links_nothing_is_linked(taken_over: Make) -> None:
    text = ASK.format(way="call_linked", what="[]", target="app.rules:rate")
    assert taken_over(text, lambda *_: 7).call([], frame()) == 7
    with pytest.raises(WorkerError, match="out of place"):
        taken_over(text, lambda *_: 7, {}).call([], frame())


ERROR = (
    'dict(code="guest_error", message="no", kind="Internal", entry_id=None, hint=None, guest_traceback=None, '
    "retryable=None, details=None, key=None, frames=[], cause=None, conversion=None)"
)


@attacks(
    Attack("a worker of a component says that its guest returned an error", "worker", "a failure", "raised: the same"),
    Attack("a worker sends a mark beside an error that is none", "worker", "WorkerError", "raised: a failure"),
)
@pytest.mark.parametrize("mark", [", 2", ", None", ", [True]", ", True, True", ", 'yes'", ", False"])
def test_the_mark_of_an_error_is_true_or_not_there(taken_over: Make, mark: str) -> None:
    with pytest.raises(GuestError, match="no"):
        taken_over(f'start()\nsend("error", {ERROR})\nuntil_killed()', lambda *_: 7).call([], frame())
    with pytest.raises(WorkerError, match="out of place"):
        taken_over(f'start()\nsend("error", {ERROR}{mark})\nuntil_killed()', lambda *_: 7).call([], frame())


@attacks(
    Attack(
        "a component reaches an entry beside its links by its import's name", "component", "denied", "linked: called"
    )
)
@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize(
    ("interface", "links"),
    [
        ("shop:rules/tax@2.0.0", "{}"),
        ("shop:rules/taxes", "{}"),
        ("app:rules/rate", "{}"),
        ("shop:rules/tax@0.9.0", "{}"),
    ],
)
def test_an_import_is_linked_by_its_own_name_only(tmp_path: Path, interface: str, links: str, isolation: str) -> None:
    server = lua("return 7")
    linked_project(tmp_path, server, guest=relay(interface=interface), links=links, isolation=isolation)
    with (
        polycall.load(tmp_path) as registry,
        pytest.raises(polycall.ImportDeniedError),
    ):
        registry.call("app:guest", "PT")
    links = f'{{"{interface}": app.rules}}'
    linked_project(tmp_path, server, guest=relay(interface=interface), links=links, isolation=isolation)
    with polycall.load(tmp_path) as registry:
        assert registry.call("app:guest", "PT") == {"ok": 7}


HOSTILE = {
    "a list of a million items where a number is wanted": "local t = {} for i = 1, 1000000 do t[i] = 1 end return t",
    "a text of 30 megabytes where a number is wanted": 'return ("x"):rep(30000000)',
    "an error with a message of 30 megabytes": 'return nil, ("x"):rep(30000000)',
    "an error with details of a million items": (
        "local t = {} for i = 1, 1000000 do t[i] = 1 end "
        'return nil, require("errors").new({message = "m", details = t})'
    ),
    "bytes that are not UTF-8 for an error": 'return nil, "\\xff\\xfe"',
    "a number beyond its type": "return 4294967296",
    "a function": "return print",
    "nothing": "return",
}


@attacks(
    *(
        Attack(f"an entry answers a component with {name}", "Lua", "an err, or an error of one line", "7 arrives")
        for name in HOSTILE
    )
)
@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize("name", HOSTILE)
def test_what_an_entry_answers_reaches_the_guest_as_its_type_or_not_at_all(
    tmp_path: Path, name: str, isolation: str
) -> None:
    also = lua("return 7", "good")
    wit = "rate: func() -> result<u32, string>; good: func() -> result<u32, string>;"
    index = linked_project(tmp_path, lua(HOSTILE[name]), also, guest=relay(wit), isolation=isolation) / "_index.yaml"
    guest = index.read_text().splitlines()[2]
    index.write_text(
        f"{index.read_text()}\n{guest.replace('name: guest', 'name: honest').replace('method: rate', 'method: good')}"
    )
    with polycall.load(tmp_path) as registry:
        assert registry.call("app:honest") == {"ok": 7}
        try:
            told = registry.call("app:guest", timeout=30)
        except PolycallError as error:
            told = {"err": str(error)}
        assert isinstance(told, dict)
        assert list(told) == ["err"]
        assert len(str(told["err"])) < 70_000
        assert registry.call("app:honest") == {"ok": 7}
