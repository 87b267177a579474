"""Calls that go through several languages: guests in C and JavaScript, Lua and Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import polycall
from projects import GUESTS, hash_of, write_project

ENTRY = """
  - {{name: {name}, kind: function.wasm, fs: guests, path: {file}, hash: "{hash}", method: {method}, imports: [funcs],
      pool: {pool}}}
"""

INDEX = """
namespace: app
entries:
  - name: guests
    kind: fs.directory
    directory: {guests}

  - name: upper
    kind: function.lua
    source: "return {{ upper = function(text) return text:upper() end }}"
    method: upper
  - name: exclaim
    kind: function.lua
    source: "return {{ exclaim = function(text) return text .. '!' end }}"
    method: exclaim
  - name: reverse-bytes
    kind: function.lua
    source: "return {{ reverse = function(bytes) return bytes:reverse() end }}"
    method: reverse

  - name: tax
    kind: function.lua
    source: |
      return {{ tax = function(country)
          error('no rate for "' .. country .. '"')
      end }}
    method: tax
  - name: checkout
    kind: function.lua
    modules: [funcs]
    source: |
      local funcs = require("funcs")
      return {{ checkout = function(target, ...)
          local answer, err = funcs.call(target, ...)
          if err then return nil, err end
          return answer
      end }}
    method: checkout
  - name: again
    kind: function.lua
    modules: [funcs]
    source: |
      local funcs = require("funcs")
      return {{ again = function(target)
          local answer, err = funcs.call(target, "app:again", target)
          if err then return nil, err end
          if answer.err then return nil, answer.err end
          return answer.ok
      end }}
    method: again
  - name: single
    kind: function.lua
    pool: {{max_size: 1}}
    modules: [funcs]
    source: |
      local funcs = require("funcs")
      return {{ single = function(target, input)
          if not target then return "end" end
          return funcs.call(target, input or "app:single", "")
      end }}
    method: single
  - name: whoami
    kind: function.lua
    modules: [ctx]
    source: |
      local ctx = require("ctx")
      return {{ whoami = function() return (ctx.get("user")) end }}
    method: whoami
  - name: spin
    kind: function.lua
    source: "return {{ spin = function() while true do end end }}"
    method: spin
"""


def project(folder: Path) -> Path:
    index = INDEX.format(guests=GUESTS / "bin")
    for language, file in (("c", "caller.wasm"), ("js", "js-caller.wasm")):
        for method in ("relay-string", "relay-bytes", "relay-or-trap", "three", "test:caller/math@1.0.0#add"):
            index += ENTRY.format(
                name=f"{language}-{method.rpartition('#')[2]}",
                file=file,
                hash=hash_of(GUESTS / "bin" / file),
                method=f'"{method}"',
                pool="{max_size: 1}" if method == "relay-bytes" else "{max_size: 40}",
            )
    return write_project(folder, index=index)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[polycall.Registry]:
    folder = tmp_path_factory.mktemp("chains")
    with polycall.load(project(folder)) as registry:
        registry.function("py:raise")(_raise)
        registry.function("py:whoami")(lambda _input: registry.call("app:whoami"))
        yield registry


def _raise(text: str) -> None:
    raise ValueError(text)


@pytest.fixture(params=["c", "js"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_component_calls_two_lua_functions_with_text_and_one_with_bytes(
    registry: polycall.Registry, language: str
) -> None:
    assert registry.call(f"app:{language}-three", "abc") == "!CBA"


def test_a_component_is_called_from_lua_and_the_same_lua_function_from_python(
    registry: polycall.Registry, language: str
) -> None:
    assert registry.call("app:checkout", f"app:{language}-three", "abc") == "!CBA"
    assert registry.call("app:upper", "abc") == "ABC"


def test_an_interface_export_is_called_by_its_full_name(registry: polycall.Registry, language: str) -> None:
    assert registry.call(f"app:{language}-add", 2, 40) == 42


def test_bytes_that_are_no_text_pass_through_a_component(registry: polycall.Registry, language: str) -> None:
    data = bytes(range(256))
    assert registry.call(f"app:{language}-relay-bytes", "app:reverse-bytes", data) == {"ok": data[::-1]}
    refused = registry.call(f"app:{language}-relay-string", "app:reverse-bytes", "é")
    assert isinstance(refused, dict)
    assert "call-bytes" in str(refused["err"])


def test_an_error_comes_back_with_the_frames_it_went_through(registry: polycall.Registry) -> None:
    with pytest.raises(polycall.TrapError) as caught:
        registry.call("app:checkout", "app:c-relay-or-trap", "app:tax", "XX")
    frames = "app:checkout (lua) -> app:c-relay-or-trap (wasm) -> app:tax (lua)"
    assert str(caught.value).startswith(f'{frames}: _index.yaml:25: no rate for "XX"; then, in app:c-relay-or-trap: ')
    assert isinstance(caught.value.__cause__, polycall.GuestError)


def test_a_javascript_exception_that_nobody_caught_names_the_failed_call(registry: polycall.Registry) -> None:
    with pytest.raises(polycall.PolycallError) as caught:
        registry.call("app:checkout", "app:js-relay-or-trap", "app:tax", "XX")
    frames = "app:checkout (lua) -> app:js-relay-or-trap (wasm) -> app:tax (lua)"
    assert str(caught.value).startswith(f'{frames}: _index.yaml:25: no rate for "XX"; then, in app:js-relay-or-trap: ')


def test_an_error_of_a_call_is_text_for_the_component(registry: polycall.Registry, language: str) -> None:
    answer = registry.call("app:checkout", f"app:{language}-relay-string", "app:tax", "XX")
    assert answer == {"err": 'app:tax (lua): _index.yaml:25: no rate for "XX"'}
    answer = registry.call(f"app:{language}-relay-string", "py:raise", "from Python")
    assert answer == {"err": "py:raise (python): ValueError: from Python"}
    answer = registry.call(f"app:{language}-relay-string", "app:nothing", "")
    assert answer == {"err": "there is no entry app:nothing"}


def test_endless_recursion_between_lua_and_wasm_ends_in_a_depth_error(
    registry: polycall.Registry, language: str
) -> None:
    for _ in range(3):
        with pytest.raises(polycall.GuestError, match="the call chain is deeper than 32"):
            registry.call("app:again", f"app:{language}-relay-string")
    assert registry.call("app:upper", "alive") == "ALIVE"


def test_endless_recursion_in_lua_ends_in_a_depth_error_of_its_own_class(registry: polycall.Registry) -> None:
    with pytest.raises(polycall.DepthError) as caught:
        registry.call("app:checkout", *["app:checkout"] * 40)
    assert len(caught.value.frames) == 33


def test_a_chain_that_re_enters_an_exhausted_pool_gets_an_error_at_once(
    registry: polycall.Registry, language: str
) -> None:
    with pytest.raises(polycall.PoolDeadlockError, match='no instance of "app:single" can come free'):
        registry.call("app:single", "app:single", "x")
    answer = registry.call("app:single", f"app:{language}-relay-string")
    assert isinstance(answer, dict)
    assert 'no instance of "app:single" can come free' in str(answer["err"])
    answer = registry.call(f"app:{language}-relay-bytes", f"app:{language}-relay-bytes", b'["app:upper", "x"]')
    assert isinstance(answer, dict)
    assert "can come free" in str(answer["err"])
    assert registry.call(f"app:{language}-relay-bytes", "app:upper", b"fine") == {"ok": b"FINE"}


def test_context_passes_through_lua_wasm_and_python(registry: polycall.Registry, language: str) -> None:
    relay = f"app:{language}-relay-string"
    assert registry.call("app:checkout", relay, "py:whoami", "", values={"user": "ana"}) == {"ok": "ana"}
    assert registry.call("app:checkout", relay, "py:whoami", "") == {"ok": ""}


def test_a_deadline_passes_through_every_language_and_no_guest_swallows_it(
    registry: polycall.Registry, language: str
) -> None:
    relay = f"app:{language}-relay-string"
    with pytest.raises(polycall.DeadlineError) as caught:
        registry.call("app:checkout", relay, "app:spin", "", timeout=0.05)
    assert [frame.entry_id for frame in caught.value.frames] == ["app:checkout", relay, "app:spin"]
    assert registry.call("app:checkout", relay, "app:upper", "fine") == {"ok": "FINE"}
