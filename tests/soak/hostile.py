"""Hostile guests of a soak: each tries for a whole call to hold the process up, to fill it or to go on after its end.

What such a call may end with is open (a deadline, a limit, an error that says what is too long, a harmless answer).
That it ends in time is not, and the registry must stay as it was.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ATTACKS", "CODES", "SECONDS", "entries", "entry_of"]

SECONDS = 0.2
"""The deadline of a hostile call."""

CODES = ("conversion", "deadline", "depth", "guest_error", "limit", "memory", "not_found", "trap")
"""The codes that its error may have."""

_LIMITS = {"max_memory_bytes": 48 << 20, "max_output_bytes": 1 << 16}
_MODULES = ("base64", "ctx", "env", "fs", "funcs", "hash", "json", "logger", "registry", "time", "uuid", "yaml")

# Each is the body of a function that is called again and again until the deadline.
_LUA = {
    "handlers that swallow": """
        local kept = {}
        local closing = setmetatable({}, { __close = function(_, e) kept[#kept + 1] = e while true do end end })
        local function deep(n) local c <close> = closing if n > 0 then deep(n - 1) end while true do end end
        pcall(deep, 100)""",
    "many pending handlers": """
        local closing = setmetatable({}, { __close = function() for i = 1, 1000 do end end })
        local function deep(n) local c <close> = closing if n == 0 then while true do end end deep(n - 1) return n end
        deep(15000)""",
    "coroutines that go on": """
        local function body() local c <close> = setmetatable({}, { __close = function() while true do end end })
            coroutine.yield() while true do end end
        local threads = {}
        for i = 1, 100 do threads[i] = coroutine.create(body) coroutine.resume(threads[i]) end
        for i = 1, 100 do pcall(coroutine.close, threads[i]) end""",
    "weak keys in a chain": """
        local keys = {} for i = 1, 30000 do keys[i] = {} end
        local kept = {}
        for i = 1, #keys - 1 do kept[i] = setmetatable({ [keys[i]] = keys[i + 1] }, { __mode = "k" }) end
        keys = nil
        local g = {} while true do g[#g % 1000 + 1] = {} end""",
    "lists for JSON": """
        local s = "[" .. ("[],"):rep(2 << 20) .. "1]"
        while true do json.decode(s) end""",
    "values for the host": """
        local t = {} for i = 1, 300000 do t[i] = i end
        while true do json.encode(t) yaml.encode(t) funcs.call("soak:none", t) end""",
    "YAML directives": """
        local parts = {} for i = 1, 20000 do parts[i] = "%TAG !a" .. i .. "! b\\n" end
        return tostring(yaml.decode(table.concat(parts) .. "--- x\\n"))""",
    "long names": """
        local s = ("a"):rep(4 << 20)
        while true do
            ctx.get(s) env.get(s) registry.get(s) registry.find({ ["meta." .. ("a."):rep(100000)] = 1 })
            uuid.validate(s) pcall(time.parse, s, s) funcs.call(s) hash.sha256(s) base64.encode(s)
        end""",
    "errors that are kept": """
        while true do funcs.call("soak:hostile-error") end""",
    "lines without end": """
        while true do
            print(("x\\n"):rep(1000)) logger:info("\\27[2J" .. ("y"):rep(5000), { a = ("z"):rep(5000) })
        end""",
    "names that nearly exist": """
        for i = 1, math.huge do funcs.call("soak:lua-lzay-" .. i) end""",
}
# What stays inside of one function or instruction of C for long, which only the sandbox interrupts.
_LUA_INSIDE_C = {
    "long strings through C": """
        local s = (" "):rep(8 << 20) .. "1"
        while true do
            pcall(string.packsize, s) pcall(math.floor, s) pcall(string.unpack, s, "") pcall(utf8.len, s)
            pcall(tonumber, s) pcall(select, s, 1) pcall(string.char, s, s, s, s) pcall(string.format, "%-99s%s", s, s)
        end""",
    "comparing long strings": """
        local a = ("\\0"):rep(6 << 20) local b = a .. "x" a = a .. "y"
        while true do local _ = a < b local _ = a == b local _ = a .. "" end""",
    "a pattern that explodes": """
        return (("a"):rep(40)):find(("a*"):rep(30) .. "b")""",
    "long patterns": """
        local p = ("[a-z]?"):rep(20000) local s = ("a"):rep(20000)
        while true do pcall(string.find, s, p) pcall(string.gsub, s, "(.-)(.-)b", "") end""",
    "tables that are emptied": """
        local t = {} for i = 1, 300000 do t[i] = i end for i = 1, 300000 do t[i] = nil end
        while true do next(t) end""",
}
_WAT = {
    "a loop": '(module (func (export "run") (loop $l (br $l))))',
    "memory that grows and is filled": """(module (memory 1) (func (export "run") (loop $l
        (drop (memory.grow (i32.const 16)))
        (memory.fill (i32.const 0) (i32.const 1) (i32.mul (memory.size) (i32.const 65536)))
        (br $l))))""",
    "calls without end": '(module (func $f (export "run") (call $f)))',
}
# 30,000 tuples that take no memory in the guest. (What the engine copies of more, nothing interrupts: SECURITY.md.)
_LIST = """(component (core module $n (memory (export "memory") 64)
  (func (export "run") (result i32) (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 30000)) i32.const 0))
 (core instance $i (instantiate $n))
 (func (export "run") (result (list (tuple (result) (result) (result) (result) (result) (result) (result) (result))))
  (canon lift (core func $i "run") (memory (core memory $i "memory")))))"""

_IN_SANDBOX = {f"{attack}, in the sandbox": body for attack, body in (_LUA | _LUA_INSIDE_C).items()}

ATTACKS = (*_LUA, *_IN_SANDBOX, *_WAT, "a list of many tuples")


def entries() -> list[dict[str, Any]]:
    """Returns the entries that attack."""
    error = {"name": "hostile-error", **_lua("error(('x'):rep(1 << 20), 0)")}
    lua = [{"name": entry_of(attack), **_lua(body)} for attack, body in _LUA.items()]
    lua += [{"name": entry_of(attack), **_lua(body), "isolation": "sandbox"} for attack, body in _IN_SANDBOX.items()]
    wat = [{"name": entry_of(attack), **_core(text)} for attack, text in _WAT.items()]
    listed = {"name": entry_of("a list of many tuples"), "kind": "function.wat", "method": "run", "source": _LIST}
    return [error, *lua, *wat, listed | {"limits": _LIMITS}]


def entry_of(attack: str) -> str:
    """Returns the name of the entry that makes an attack."""
    return "hostile-" + attack.lower().replace(",", "").replace(" ", "-")


def _lua(body: str) -> dict[str, Any]:
    uses = "".join(f'local {module} = require("{module}")\n' for module in _MODULES)
    source = f"{uses}local function attack()\n{body}\nend\nreturn {{ run = function() while true do attack() end end }}"
    return {"kind": "function.lua", "modules": list(_MODULES), "source": source, "method": "run", "limits": _LIMITS}


def _core(text: str) -> dict[str, Any]:
    return {"kind": "function.wat", "source": text, "method": "run", "wit": "run: func()", "limits": _LIMITS}
