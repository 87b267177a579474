"""The lists ``calls``: of an entry, of a file, of one call. Each way to call is tried with and without permission."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import polycall
from attacks import Attack, attacks
from linked_guests import RATE, TAX, relay
from projects import GUESTS, hash_of, write_project
from resource_guests import carts_wat

ASK = """
local funcs = require("funcs")
return { f = function(target, ...)
    local value, err = funcs.call(target, ...)
    if err then return err:kind() .. ": " .. err:message() end
    return value
end }
"""
PASS = "return { f = function(target, ...) return require('funcs').call(target, ...) end }"
OK = "return { f = function(...) return 'reached' end }"


def lua(entry_id: str, source: str, **keys: Any) -> dict[str, Any]:
    return {"id": entry_id, "kind": "function.lua", "method": "f", "source": source, "modules": ["funcs"], **keys}


@pytest.fixture
def registry() -> Iterator[polycall.Registry]:
    with polycall.Registry() as made:
        for target in ("app:ok", "host:ok", "host:no"):
            made.add(lua(target, OK))
        yield made


@attacks(
    Attack("calling an entry that its list has not", "Lua", "PermissionDenied", "one that it has is reached"),
    Attack("the same, from a worker", "Lua", "PermissionDenied", "one that it has is reached"),
)
@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_lua_guest_calls_what_its_list_has_and_nothing_else(registry: polycall.Registry, isolation: str) -> None:
    registry.add(lua("app:ask", ASK, calls=["app:*", "host:ok"], isolation=isolation))
    assert registry.call("app:ask", "host:ok") == registry.call("app:ask", "app:ok") == "reached"
    told = 'app:ask may not call host:no: its calls are ["app:*", "host:ok"]'
    assert told in registry.call("app:ask", "host:no", returns=str)
    assert "app:ask may not call host:none" in registry.call("app:ask", "host:none", returns=str)


def test_a_refusal_is_an_error_with_a_code_frames_and_what_would_mend_it(registry: polycall.Registry) -> None:
    registry.add(lua("app:pass", PASS, calls=["app:*"]))
    with pytest.raises(polycall.CallDeniedError) as caught:
        registry.call("app:pass", "app:pass", "host:no")
    error = caught.value
    assert (error.code, error.exit_code, error.http_status, error.kind) == ("call_denied", 5, 403, "PermissionDenied")
    assert [frame.entry_id for frame in error.frames] == ["app:pass", "app:pass"]
    assert error.hint == 'add "host:no" to calls of app:pass if it should'


def test_without_a_list_everything_may_be_called_with_an_empty_one_nothing(registry: polycall.Registry) -> None:
    registry.add(lua("app:free", ASK))
    registry.add(lua("app:none", ASK, calls=[]))
    assert registry.call("app:free", "host:no") == "reached"
    told = "PermissionDenied: app:none may not call app:ok: its calls are []"
    assert registry.call("app:none", "app:ok", returns=str).startswith(told)


@attacks(
    Attack(
        "learning names of others from what is not there",
        "Lua",
        "NotFound, no near names",
        "without a list, some",
    ),
)
def test_who_may_not_call_everything_is_told_no_near_names(registry: polycall.Registry) -> None:
    registry.add(lua("app:ask", ASK, calls=["app:*"]))
    registry.add(lua("app:free", ASK))
    assert "host:no" in registry.call("app:free", "host:noo", returns=str)
    assert registry.call("app:ask", "app:noo") == "NotFound: there is no entry app:noo"


def test_a_callee_has_its_own_list_and_not_its_callers(registry: polycall.Registry) -> None:
    registry.add(lua("host:relay", ASK))
    registry.add(lua("app:ask", ASK, calls=["host:relay"]))
    assert registry.call("app:ask", "host:relay", "host:no") == "reached"  # who may be called acts for itself
    registry.replace(lua("host:relay", ASK, calls=["host:ok"]))
    assert "host:relay may not call" in registry.call("app:ask", "host:relay", "host:no", returns=str)
    assert registry.call("app:ask", "host:relay", "host:ok") == "reached"


@attacks(
    Attack(
        "calling what a call may not lead to, through another entry",
        "Lua",
        "PermissionDenied",
        "what it may is reached",
    ),
    Attack("the same, through a function of Python", "Lua", "PermissionDenied", "what it may is reached"),
)
@pytest.mark.parametrize("isolation", ["none", "process"])
def test_the_list_of_a_call_holds_for_all_that_it_leads_to(registry: polycall.Registry, isolation: str) -> None:
    registry.add(lua("app:ask", ASK, isolation=isolation))
    registry.add(lua("app:deep", ASK))
    registry.function("py:deep")(registry.call)
    calls = ["app:*", "py:*", "host:ok"]
    assert registry.call("app:ask", "app:deep", "host:ok", calls=calls) == "reached"
    told = registry.call("app:ask", "app:deep", "host:no", calls=calls, returns=str)
    assert told.startswith("PermissionDenied: app:deep may not call host:no: the call that it runs in leads to [")
    assert registry.call("app:ask", "py:deep", "host:ok", calls=calls) == "reached"
    assert "py:deep may not call" in registry.call("app:ask", "py:deep", "host:no", calls=calls, returns=str)
    assert registry.call("host:no", calls=[]) == "reached"  # what Python calls itself is for Python to say
    assert registry.call("app:ask", "app:deep", "host:no") == "reached"  # of that call alone


def test_lists_of_calls_in_calls_hold_together(registry: polycall.Registry) -> None:
    registry.add(lua("app:ask", ASK))
    registry.function("py:more")(lambda target: registry.call("app:ask", target, calls=["*"]))
    registry.function("py:less")(lambda target: registry.call("app:ask", target, calls=["app:ok"]))
    calls = ["app:*", "host:ok", "py:*"]
    assert registry.call("app:ask", "py:more", "host:no", calls=calls, returns=str).startswith("PermissionDenied")
    assert registry.call("app:ask", "py:less", "host:ok", calls=calls, returns=str).startswith("PermissionDenied")
    assert registry.call("app:ask", "py:less", "app:ok", calls=calls) == "reached"


@attacks(
    Attack(
        "calling what a call may not lead to, through a coroutine",
        "Lua",
        "PermissionDenied",
        "what it may is reached",
    ),
)
def test_async_calls_are_held_to_both_lists(registry: polycall.Registry) -> None:
    registry.add(lua("app:ask", ASK, calls=["host:*"]))

    async def both() -> tuple[Any, ...]:
        @registry.function("host:later")
        async def later(target: str) -> polycall.Value:
            return await registry.call_async("app:ask", target)

        return await asyncio.gather(
            registry.call_async("app:ask", "host:ok", calls=["host:ok"]),
            registry.call_async("app:ask", "host:no", calls=["host:ok"]),
            registry.call_async("app:ask", "app:ok"),
            registry.call_async("app:ask", "host:later", "host:no", calls=["host:later", "app:ask", "host:ok"]),
            registry.call_async("app:ask", "host:later", "host:ok", calls=["host:later", "app:ask", "host:ok"]),
        )

    allowed, denied, own, below, through = asyncio.run(both())
    assert (allowed, through) == ("reached", "reached")
    assert all(each.startswith("PermissionDenied: app:ask may not call") for each in (denied, own, below))


@attacks(
    Attack("calling an entry that its list has not, by funcs", "component", "err", "one that it has answers"),
    Attack("the same, from a worker", "component", "err", "one that it has answers"),
)
@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_component_calls_what_its_list_has_through_funcs(tmp_path: Path, isolation: str) -> None:
    digest = hash_of(GUESTS / "bin" / "caller.wasm")
    write_project(tmp_path, index=f"""
namespace: app
calls: [host:ok]
entries:
  - {{name: guests, kind: fs.directory, directory: {GUESTS / "bin"}}}
  - {{name: relay, kind: function.wasm, fs: guests, path: caller.wasm, hash: {digest}, method: relay-string,
      imports: [funcs], isolation: {isolation}}}
""")  # fmt: skip
    with polycall.load(tmp_path) as registry:
        for target in ("host:ok", "host:no"):
            registry.add(lua(target, OK))
        assert registry.call("app:relay", "host:ok", "x") == {"ok": "reached"}
        denied = 'app:relay may not call host:no: its calls are ["host:ok"]'
        assert denied in registry.call("app:relay", "host:no", "x", returns=dict[str, str])["err"]
        assert "leads to" in registry.call("app:relay", "host:ok", "x", calls=[], returns=dict[str, str])["err"]


@attacks(
    Attack("a link to an entry that its list has not", "component", "CallDeniedError", "one that it has answers"),
)
def test_links_are_held_to_the_list(registry: polycall.Registry) -> None:
    guest = {"kind": "function.wat", "method": "rate", "source": relay(RATE), "links": {TAX: "host.rules"}}
    registry.add(lua("host.rules:rate", "return { f = function() return 23 end }"))
    registry.add({"id": "app:may", "calls": ["host.*"], **guest})
    registry.add({"id": "app:may_not", "calls": ["host:*"], **guest})
    assert registry.call("app:may", "PT") == {"ok": 23}
    with pytest.raises(polycall.CallDeniedError, match=r"app:may_not may not call host\.rules:rate: its calls are"):
        registry.call("app:may_not", "PT")
    with pytest.raises(polycall.CallDeniedError, match="leads to"):
        registry.call("app:may", "PT", calls=["app:*"])


CART = """
local funcs = require("funcs")
return { f = function(who)
    local cart = assert(funcs.call("shop:cart"))
    if who then return funcs.call(who, cart) end
    return cart:add("pear", 2)
end }
"""
USE = "return { f = function(cart) return cart:add('plum', 3) end }"


@attacks(
    Attack(
        "a method of a resource of an entry that its list has not",
        "Lua",
        "CallDeniedError",
        "one of another runs",
    ),
)
def test_the_methods_of_a_resource_are_calls_of_its_entry(registry: polycall.Registry) -> None:
    registry.add({
        "id": "shop:cart", "kind": "function.wat", "source": carts_wat(), "imports": ["funcs"],
        "method": "shop:carts/api@1.0.0#[constructor]cart",
    })  # fmt: skip
    registry.add(lua("app:own", CART, calls=["shop:cart", "app:*"]))
    registry.add(lua("app:use", USE, calls=["shop:cart"]))
    registry.add(lua("app:may_not", USE, calls=["app:*"]))
    assert registry.call("app:own") == 2
    assert registry.call("app:own", "app:use") == 3
    with pytest.raises(polycall.CallDeniedError, match="app:may_not may not call shop:cart"):
        registry.call("app:own", "app:may_not")
    assert registry.call("app:own", calls=["shop:cart"]) == 2
    with pytest.raises(polycall.CallDeniedError, match="app:own may not call shop:cart"):
        registry.call("app:own", calls=["app:*"])


def test_a_python_function_uses_a_resource_only_as_its_chain_allows(registry: polycall.Registry) -> None:
    registry.add({
        "id": "shop:cart", "kind": "function.wat", "source": carts_wat(), "imports": ["funcs"],
        "method": "shop:carts/api@1.0.0#[constructor]cart",
    })  # fmt: skip
    registry.function("py:use")(lambda cart: cart.add("pear", 2))
    with registry.call("shop:cart", returns=polycall.ResourceHandle) as cart:
        assert registry.call("py:use", cart, calls=["shop:*"]) == 2
        with pytest.raises(polycall.CallDeniedError, match="py:use may not call shop:cart"):
            registry.call("py:use", cart, calls=["app:*"])
        assert registry.call("py:use", cart) == 4


@attacks(
    Attack("calling from a method an entry that its list has not", "component", "not called", "one that it has is"),
)
def test_what_a_guest_calls_from_a_method_or_a_destructor_is_held_to_the_list_of_its_entry(
    registry: polycall.Registry,
) -> None:
    seen: list[str] = []
    registry.function("host:seen")(seen.append)
    shop = {"kind": "function.wat", "source": carts_wat(), "imports": ["funcs"]}
    method = "shop:carts/api@1.0.0#[constructor]cart"
    for name, calls in (("may", ["host:*"]), ("may_not", ["shop:*"])):
        registry.add({"id": f"shop:{name}", "method": method, "calls": calls, **shop})
        with registry.call(f"shop:{name}", returns=polycall.ResourceHandle) as cart:
            cart.tell("host:seen")
    assert len(seen) == 1


def test_the_head_of_a_file_holds_for_its_entries_that_say_nothing(tmp_path: Path) -> None:
    head = "namespace: app\ncalls: [ok, 'host:ok']\nentries:\n"
    entry = "  - {{name: {}, kind: function.lua, method: f, modules: [funcs], source: file://ask.lua{}}}\n"
    text = head + entry.format("plain", "") + entry.format("own", ", calls: ['host:no']") + entry.format("ok", "")
    other = "namespace: app\nentries:\n" + entry.format("other", "")
    (tmp_path / "ask.lua").write_text(ASK)
    with polycall.load(write_project(tmp_path, index=text, other_yaml=other)) as registry:
        registry.function("host:ok")(lambda: "reached")
        registry.function("host:no")(lambda: "reached")
        assert registry.get("app:plain").spec.calls == ("app:ok", "host:ok")
        assert registry.call("app:plain", "host:ok") == "reached"
        assert registry.call("app:plain", "host:no", returns=str).startswith("PermissionDenied")
        assert registry.call("app:own", "host:no") == "reached"
        assert registry.call("app:own", "host:ok", returns=str).startswith("PermissionDenied")
        assert registry.call("app:other", "host:no") == "reached"  # a file speaks for its own entries


def test_a_reload_changes_the_lists_for_calls_to_come(tmp_path: Path) -> None:
    text = (
        "namespace: app\ncalls: ['host:ok']\nname: x\nkind: function.lua\nmethod: f\n"
        "modules: [funcs]\nsource: file://ask.lua\n"
    )
    (tmp_path / "ask.lua").write_text(ASK)
    with polycall.load(write_project(tmp_path, index=text)) as registry:
        registry.function("host:no")(lambda: "reached")
        assert registry.call("app:x", "host:no", returns=str).startswith("PermissionDenied")
        (tmp_path / "_index.yaml").write_text(text.replace("host:ok", "host:no"))
        assert registry.reload().changed == ("app:x",)
        assert registry.call("app:x", "host:no") == "reached"


def test_wrong_lists_are_refused_where_they_stand(tmp_path: Path, registry: polycall.Registry) -> None:
    head = "namespace: app\ncalls: ['ap*', 5]\nentries:\n"
    entry = "  - {name: x, kind: function.lua, method: f, source: x, calls: y}\n"
    with pytest.raises(polycall.DeclarationError) as caught:
        polycall.load(write_project(tmp_path, index=head + entry))
    assert [str(problem).partition(", got")[0] for problem in caught.value.problems] == [
        '_index.yaml:2:9: calls[0]: expected an entry id, "namespace:*", "namespace.*" or "*"',
        "_index.yaml:2:16: calls[1]: expected a string",
        "_index.yaml:4:64: entries[0].calls: expected a list",
    ]
    with pytest.raises(ValueError, match=r'calls: expected an entry id, .*, got "ap\*"'):
        registry.call("app:ok", calls=["ap*"])
    with pytest.raises(TypeError, match=r'calls is a text; it must be a list, such as \["app:ok"\]'):
        registry.call("app:ok", calls="app:ok")
