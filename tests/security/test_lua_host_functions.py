"""What a guest gives a host function is bounded in bytes and values, and the work on it looks at the clock."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import lua_guests
import polycall
from attacks import Attack, attacks, outcome
from polycall.interop.errors import DeadlineError, PolycallError
from polycall.interop.kept_errors import KEPT_BYTES
from polycall.interop.values import Value

DEADLINE_SECONDS = 0.1
MOST_OVER_SECONDS = 3.0
MOST_STANDSTILL_SECONDS = 1.0
"""A twentieth of this on an idle machine; without the bounds it is seconds."""

MODULES = [
    "crypto",
    "ctx",
    "env",
    "fs",
    "funcs",
    "hash",
    "json",
    "logger",
    "payload",
    "registry",
    "time",
    "uuid",
    "yaml",
]


@contextmanager
def project(folder: Path, *entries: dict[str, object]) -> Iterator[polycall.Registry]:
    (folder / "_index.yaml").write_text(json.dumps({"namespace": "app", "entries": entries}))
    isolation = "sandbox" if lua_guests.current[0].sandbox else "none"
    with polycall.load(folder, isolation=isolation) as registry:
        yield registry


def lua(name: str, body: str, start: str = "") -> dict[str, object]:
    uses = "".join(f'local {module} = require("{module}")\n' for module in MODULES)
    text = f"{uses}local long = ('a'):rep(70000)\n{start}\nreturn {{ main = function(...)\n{body}\nend }}"
    return {"name": name, "kind": "function.lua", "method": "main", "modules": MODULES, "source": text}


class Long(NamedTuple):
    """A call with a text of 70,000 bytes where a name is expected, and the same with a short one."""

    call: str
    control: str
    expected: Value


UUID = "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'"
LONG_NAMES = {
    "ctx.get": Long("ctx.get(long)", "return ctx.get('user')", "ana"),
    "env.get": Long("env.get(long)", "return env.get('KEY')", "of the project"),
    "env.set of a long name": Long("env.set(long, 'x')", "return env.set('KEY', 'x')", True),
    "env.set of a long value": Long(
        "env.set('KEY', long:rep(5))", "env.set('KEY', 'abc') return env.get('KEY')", "abc"
    ),
    "registry.get": Long("registry.get('app:' .. long)", "return registry.get('app:key').kind", "env.variable"),
    "registry.parse_id": Long("registry.parse_id(long .. ':x')", "return registry.parse_id('a:b').ns", "a"),
    "registry.find with a long name": Long(
        "registry.find({ ['meta.' .. ('a.'):rep(30000)] = 1 })", "return #registry.find({ ['meta.a'] = 1 })", 1
    ),
    "registry.find with many names": Long(
        "registry.find((function() local f = {} for i = 1, 500 do f['a' .. i] = 1 end return f end)())",
        "return #registry.find({ a = 1, b = 2 })",
        1,
    ),
    "funcs.call": Long("funcs.call('app:' .. long)", "return funcs.call('app:twice', 4)", 8),
    "fs.get": Long("fs.get('app:' .. long)", "return fs.get('app:files'):pwd()", "/"),
    "a path": Long("fs.get('app:files'):stat(long)", "return fs.get('app:files'):stat('/').is_dir", True),
    "uuid.parse": Long("uuid.parse(long)", f"return uuid.parse({UUID}).version", 1),
    "uuid.format": Long(f"uuid.format({UUID}, long)", f"return #uuid.format({UUID}, 'simple')", 32),
    "uuid.v5 in a long namespace": Long("uuid.v5(long, 'x')", f"return uuid.version((uuid.v5({UUID}, 'x')))", 5),
    "a layout": Long("time.now():format(long)", "return #time.now():format('2006')", 4),
    "a time": Long("time.parse('2006', long)", "return time.parse('2006', '1999'):year()", 1999),
    "a duration": Long("time.parse_duration(long)", "return time.parse_duration('1h'):minutes()", 60),
    "a zone": Long("time.load_location(long)", "return time.load_location('UTC'):string()", "UTC"),
    "the name of a logger": Long("logger:named(long)", "logger:named('db'):info('x') return 1", 1),
    "a salt": Long("crypto.pbkdf2('p', long, 1, 1024)", "return #crypto.pbkdf2('p', 'salt', 1, 16)", 16),
    "a token": Long("crypto.jwt.verify(long:rep(4), 'k')", "return #(crypto.jwt.encode({ a = 1 }, 'k')) > 9", True),
    "a key in an argument": Long("funcs.call('app:twice', { [long] = 1 })", "return funcs.call('app:twice', 2)", 4),
}

ENTRIES: list[dict[str, object]] = [
    {"name": "memory", "kind": "env.storage.memory"},
    {"name": "key", "kind": "env.variable", "variable": "KEY", "storage": "memory", "default": "of the project"},
    {"name": "files", "kind": "fs.directory", "directory": "./data", "auto_init": True},
    {"name": "found", "kind": "registry.entry", "meta": {"a": 1, "b": 2}},
    lua("twice", "return (...) * 2"),
]


@attacks(
    *(
        Attack(f"{what}, of 70,000 bytes or more", "Lua", "refused", f"`{case.control}` {outcome(case.expected)}")
        for what, case in LONG_NAMES.items()
    )
)
@pytest.mark.alike_in_the_sandbox
@pytest.mark.parametrize("case", LONG_NAMES.values(), ids=LONG_NAMES.keys())
def test_a_long_name_is_refused_and_a_short_one_is_taken(case: Long, tmp_path: Path) -> None:
    told = f"local value, err = {case.call} return {{ value == nil, err and err:kind() .. ': ' .. #err:message() }}"
    with project(tmp_path, *ENTRIES, lua("long", told), lua("short", case.control)) as registry:
        assert registry.call("app:short", values={"user": "ana"}) == case.expected
        answer: Any = registry.call("app:long", values={"user": "ana"})
    refused, how = answer
    kind, _, length = how.partition(": ")
    assert (refused, kind) in {(True, "Invalid"), (True, "NotFound"), (True, "Internal")}
    assert int(length) < 71_000 if case.call.startswith("fs.get('app:files')") else int(length) < 500


LONG_TEXTS = {
    "json.encode": Long("json.encode(huge)", "return json.encode('a')", '"a"'),
    "json.encode, in a list": Long("json.encode({ huge })", "return json.encode({ 'a' })", '["a"]'),
    "json.decode": Long("json.decode(huge)", "return json.decode('[1]')[1]", 1),
    "yaml.encode, in a list": Long("yaml.encode({ huge })", "return yaml.encode({ 'a' })", "- a\n"),
    "yaml.decode": Long("yaml.decode(huge)", "return yaml.decode('a')", "a"),
    "a payload": Long(
        "payload.new({ huge }):transcode(payload.format.JSON)",
        "return payload.new({ 1 }):transcode(payload.format.JSON):data()",
        "[1]",
    ),
    "a filter": Long("registry.find({ ['meta.a'] = huge })", "return #registry.find({ ['meta.a'] = 1 })", 1),
    "claims": Long("crypto.jwt.encode({ a = huge }, 'k')", "return #(crypto.jwt.encode({ a = 1 }, 'k')) > 9", True),
    "a key of claims": Long("crypto.jwt.encode({}, huge)", "return #(crypto.jwt.encode({}, 'k')) > 9", True),
    "what is encrypted": Long(
        "crypto.encrypt.aes(huge, ('k'):rep(16))", "return #crypto.encrypt.aes('a', ('k'):rep(16))", 29
    ),
    "what is compared": Long(
        "crypto.constant_time_compare(huge, huge)", "return crypto.constant_time_compare('a', 'a')", True
    ),
    "the name of a digest": Long(
        "crypto.pbkdf2('p', 's', 1, 1, ('\\255'):rep(20 << 20))", "return #crypto.pbkdf2('p', 's', 1, 1, 'sha256')", 1
    ),
    "the name of an algorithm": Long(
        "crypto.jwt.verify('a.b.c', 'k', ('\\255'):rep(16 << 20))",
        "return #(crypto.jwt.encode({}, 'k', 'HS512')) > 9",
        True,
    ),
}


@attacks(
    *(
        Attack(f"{what}, a text of 20 MiB", "Lua", "refused", f"`{case.control}` {outcome(case.expected)}")
        for what, case in LONG_TEXTS.items()
    )
)
@pytest.mark.alike_in_the_sandbox
@pytest.mark.parametrize("case", LONG_TEXTS.values(), ids=LONG_TEXTS.keys())
def test_a_text_that_takes_long_in_one_step_is_refused(case: Long, tmp_path: Path) -> None:
    told = (
        f"local huge = ('a'):rep(20 << 20) local value, err = {case.call} return {{ value == nil, err and err:kind() }}"
    )
    with project(tmp_path, *ENTRIES, lua("long", told), lua("short", case.control)) as registry:
        assert registry.call("app:short") == case.expected
        begun = time.thread_time()
        assert registry.call("app:long") in ([True, "Invalid"], [True, "Internal"])
        assert time.thread_time() - begun < MOST_STANDSTILL_SECONDS


class Work(NamedTuple):
    """What is made at the start, what is then done for ever, and an honest use of the same functions."""

    made: str
    done: str
    control: str
    expected: Value


WORK = {
    "json.decode of a million empty lists": Work(
        "s = '[' .. ('[],'):rep(1 << 20) .. '1]'", "json.decode(s)", "return json.decode('[[], 1]')[2]", 1
    ),
    "json.decode of numbers": Work(
        "s = '[' .. ('1.5,'):rep(199000) .. '1]'", "json.decode(s)", "return json.decode('[1.5]')[1]", 1.5
    ),
    "json.decode of one number": Work(
        "s = '0.' .. ('1'):rep(4 << 20)", "json.decode(s)", "return json.decode('0.5')", 0.5
    ),
    "json.encode of numbers": Work(
        "t = {} for i = 1, 200000 do t[i] = i + 0.5 end", "json.encode(t)", "return json.encode({ 1.5 })", "[1.5]"
    ),
    "json.encode of control characters": Work(
        "s = ('\\1'):rep(4 << 20)", "json.encode({ s, s })", "return json.encode('\\1')", '"\\u0001"'
    ),
    "yaml.encode of 1:1:1:...": Work(
        "s = ('1:'):rep(400000)", "yaml.encode({ s })", "return yaml.encode({ '1:1:1' })", "- '1:1:1'\n"
    ),
    "yaml.encode in an order of its own": Work(
        "t, o = {}, {} for i = 1, 40000 do t['k' .. i] = i o[i] = 'k' .. i * 7919 % 40009 end",
        "yaml.encode(t, { field_order = o })",
        "return yaml.encode({ a = 1, b = 2 }, { field_order = { 'b' } })",
        "b: 2\na: 1\n",
    ),
    "a list of a million": Work(
        "t = {} for i = 1, 1000000 do t[i] = i end",
        "funcs.call('app:take', t)",
        "return funcs.call('app:take', { 1 })",
        1,
    ),
    "a record of 300,000": Work(
        "t = {} for i = 1, 300000 do t['k' .. i * 7919 % 300007] = i end",
        "funcs.call('app:take', t)",
        "return funcs.call('app:take', { a = 1 })",
        0,
    ),
    "a table that holds itself twice, a hundred times over": Work(
        "t = {} for i = 1, 100 do t = { t, t } end",
        "funcs.call('app:take', t)",
        "local t = {} return funcs.call('app:take', { t, t })",
        2,
    ),
    "an emptied table, again and again": Work(
        "local e = {} for i = 1, 500000 do e['k' .. i] = 1 end for k in pairs(e) do e[k] = nil end "
        "t = {} for i = 1, 100000 do t[i] = e end",
        "funcs.call('app:take', t)",
        "local e = { 1 } e[1] = nil return funcs.call('app:take', { e, e })",
        2,
    ),
    "a payload of many tables": Work(
        "t = {} for i = 1, 150000 do t[i] = {} end p = payload.new(t)",
        "p:transcode(payload.format.JSON)",
        "return payload.new({ {} }):transcode(payload.format.JSON):data()",
        "[[]]",
    ),
    "claims of many names": Work(
        "t = {} for i = 1, 100000 do t['k' .. i] = i end",
        "crypto.jwt.encode(t, 'k')",
        "return crypto.jwt.verify((crypto.jwt.encode({ a = 1, exp = 1 << 40 }, 'k')), 'k').a",
        1,
    ),
    "errors that hold errors": Work(
        "e = errors.new('x') for _ = 1, 100000 do e = errors.new({ message = 'x', details = { e } }) end",
        "local garbage = {} for i = 1, 100000 do garbage[i] = {} end",
        "return tostring(errors.new({ message = 'x', details = { 1 } }):details()[1])",
        "1",
    ),
    "nulls put into many tables": Work(
        "t = {} for i = 1, 200000 do t[i] = json.object() end",
        "json.with_nulls(t)",
        "return json.encode(json.with_nulls(json.decode('[null]')))",
        "[null]",
    ),
    "payloads that hold payloads": Work(
        "p = payload.new(1) for _ = 1, 100000 do p = payload.new({ p }) end",
        "local garbage = {} for i = 1, 100000 do garbage[i] = {} end",
        "return payload.new({ 1 }):data()[1]",
        1,
    ),
    "errors wrapped again and again": Work(
        "local e = errors.new('x')", "e = errors.wrap(e, long)", "return tostring(errors.wrap('x', 'y'))", "y: x"
    ),
    "registry.find among 2,000 entries": Work(
        "f = {} for i = 1, 30 do f['meta.' .. ('a.'):rep(100) .. i] = 1 end",
        "registry.find(f)",
        "return #registry.find({ ['meta.many'] = 1 })",
        2000,
    ),
    "ids that nearly exist": Work(
        "",
        "funcs.call('app:number_of_entyr_1')",
        "return select(2, funcs.call('app:number_of_entyr_1')):kind()",
        "NotFound",
    ),
}


@contextmanager
def longest_standstill() -> Iterator[Callable[[], float]]:
    """Gives how long no other thread of the process could run, at worst."""
    gaps, ended = [0.0], threading.Event()

    def watch() -> None:
        before = time.monotonic()
        while not ended.wait(0.01):
            now = time.monotonic()
            gaps.append(now - before)
            before = now

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: max(gaps)
    finally:
        ended.set()
        thread.join()


@pytest.fixture(scope="module")
def workshop(conditions: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[polycall.Registry]:
    many: list[dict[str, object]] = [
        {"name": f"number_of_entry_{at}", "kind": "registry.entry", "meta": {"many": 1}} for at in range(2000)
    ]
    guests = [
        lua(f"{what}{at}", body, start)
        for at, case in enumerate(WORK.values())
        for what, body, start in (
            ("done", f"if (...) then return 'made' end while true do {case.done} end", case.made),
            ("control", case.control, ""),
        )
    ]
    with project(tmp_path_factory.mktemp("workshop"), *many, *guests, lua("take", "return #(...)")) as registry:
        yield registry


@attacks(
    *(
        Attack(f"{what}, for ever", "Lua", "stopped in time", f"`{case.control}` {outcome(case.expected)}")
        for what, case in WORK.items()
    )
)
@pytest.mark.alike_in_the_sandbox
@pytest.mark.parametrize("at", range(len(WORK)), ids=WORK.keys())
def test_work_on_what_a_guest_gives_is_stopped_in_time(workshop: polycall.Registry, at: int) -> None:
    case = list(WORK.values())[at]
    assert workshop.call(f"app:control{at}") == case.expected
    assert workshop.call(f"app:done{at}", True, timeout=20) == "made"  # the next call gets the same instance
    with longest_standstill() as standstill:
        begun = time.monotonic()
        with pytest.raises(DeadlineError):
            workshop.call(f"app:done{at}", timeout=DEADLINE_SECONDS)
        over = time.monotonic() - begun - DEADLINE_SECONDS
    assert over < MOST_OVER_SECONDS
    assert standstill() < MOST_STANDSTILL_SECONDS


TOO_MUCH = {
    "an argument of many values": ("funcs.call('app:take', t)", "t[i] = i"),
    "an argument of many tables": ("funcs.call('app:take', t)", "t[i] = shared"),
    "a value for JSON": ("json.encode(t)", "t[i] = i"),
    "a value for YAML": ("yaml.encode(t)", "t[i] = i"),
    "a filter": ("registry.find({ a = t })", "t[i] = i"),
}


@attacks(
    *(
        Attack(f"{what}, more than a million", "Lua", "refused", "the same with three")
        for what in (*TOO_MUCH, "a result of many values")
    )
)
def test_more_values_than_cross_at_once_are_refused(tmp_path: Path) -> None:
    made = "local t, shared = {}, {} for i = 1, (...) do FILL end\n"
    told = "local value, err = CALL return err and err:message() or 'taken'"
    entries = [
        lua(f"e{at}", (made + told).replace("FILL", fill).replace("CALL", call))
        for at, (call, fill) in enumerate(TOO_MUCH.values())
    ]
    result = lua("result", made.replace("FILL", "t[i] = i") + "return t")
    with project(tmp_path, *entries, result, lua("take", "return #(...)")) as registry:
        for at in range(len(TOO_MUCH)):
            assert registry.call(f"app:e{at}", 3) == "taken"
            assert "each value counting 128" in str(registry.call(f"app:e{at}", 1_100_000))
        assert registry.call("app:result", 3) == [1, 2, 3]
        with pytest.raises(polycall.ConversionError, match="each value counting 128"):
            registry.call("app:result", 1_100_000)


FAILS = {
    "a long message": "error(('x'):rep(4 << 20), 0)",
    "a long message that is no text": "error(('\\255'):rep(32 << 20), 0)",
    "a long result that is an error and no text": "return nil, ('\\255'):rep(32 << 20)",
    "a long message of an error object": "error(errors.new(('x'):rep(4 << 20)))",
    "a long kind": "error(errors.new({ message = 'x', kind = ('x'):rep(4 << 20) }))",
    "large details": "local t = {} for i = 1, 100000 do t[i] = i end error(errors.new({ message = 'x', details = t }))",
    "a large table": "local t = {} for i = 1, 100000 do t[i] = i end error(t)",
    "a long wrap": "return nil, errors.wrap(errors.new('x'), ('x'):rep(4 << 20))",
    "a long error of a nested call": "return nil, select(2, funcs.call('app:long'))",
}


@attacks(*(Attack(f"{what}, kept by its caller", "Lua", "cut", "a short one arrives whole") for what in FAILS))
@pytest.mark.parametrize("body", FAILS.values(), ids=FAILS.keys())
def test_what_an_error_carries_is_bounded_wherever_it_goes(body: str, tmp_path: Path) -> None:
    ask = "local _, err = funcs.call('app:bad') return { #err:message(), #err:kind() }"
    entries = (lua("bad", body), lua("ask", ask), lua("long", FAILS["a long message"]), lua("short", "error('no', 0)"))
    with project(tmp_path, *entries) as registry:
        begun = time.thread_time()
        lengths: Any = registry.call("app:ask")
        assert time.thread_time() - begun < MOST_STANDSTILL_SECONDS  # to write all of it as escapes took seconds
        assert max(lengths) < 80_000
        with pytest.raises(PolycallError) as caught:
            registry.call("app:bad")
        assert len(str(caught.value)) < 80_000
        assert len(caught.value.kind) <= 100
        assert len(repr(caught.value.details)) < KEPT_BYTES
        with pytest.raises(PolycallError, match="no") as short:
            registry.call("app:short")
        assert short.value.message == "no"


@attacks(Attack("a line end or an escape in a line of the log", "Lua", "shown as an escape", "tabs and words arrive"))
@pytest.mark.parametrize("end", ["\\n", "\\r", "\\27[2J", "\\u{85}", "\\u{2028}", "\\u{202e}", "\\u{61c}"])
def test_a_guest_writes_no_line_but_its_own(end: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    body = f"""
      local text = "paid{end}ERROR polycall.entry.app:other: forged"
      print(text)
      logger:info(text)
      logger:named("db{end}x"):with({{ ["key{end}x"] = 1 }}):warn("x", {{ value = text, list = {{ text }} }})
      print("a\\tb", "c")"""
    with project(tmp_path, lua("main", body)) as registry, caplog.at_level("INFO", "polycall.entry"):
        registry.call("app:main")
    lines = [record.getMessage() for record in caplog.records if record.name == "polycall.entry.app:main"]
    assert lines[-1] == "a\tb\tc"
    assert len(lines) == 4
    for line in lines:
        assert line.replace("\t", "").isprintable()
