"""Eight threads mix good, failing and trapping calls; none sees another's result or error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import polycall
from effort import times
from projects import GUESTS, hash_of, write_project

THREADS = 8
ROUNDS = times(25, 10)

POOLS = ["{type: inline}", "{type: lazy, max_size: 3}", "{type: static, workers: 3}", "{type: adaptive, max_size: 4}"]

INDEX = """
namespace: app
entries:
  - name: guests
    kind: fs.directory
    directory: {guests}
  - {{name: relay, kind: function.wasm, fs: guests, path: caller.wasm, hash: "{hash}", method: relay-string,
      imports: [funcs], pool: {pool}}}
  - {{name: relay-or-trap, kind: function.wasm, fs: guests, path: caller.wasm, hash: "{hash}", method: relay-or-trap,
      imports: [funcs], pool: {pool}}}
  - name: check
    kind: function.lua
    pool: {pool}
    source: |
      local function check(input)
          if input:find("bad") then error("refused " .. input, 0) end
          return input
      end
      return {{ check = check }}
    method: check
  - name: ask
    kind: function.lua
    pool: {pool}
    modules: [funcs]
    source: |
      local funcs = require("funcs")
      return {{ ask = function(target, ...) return funcs.call(target, ...) end }}
    method: ask
"""


@pytest.fixture(params=POOLS)
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[polycall.Registry]:
    binary = GUESTS / "bin" / "caller.wasm"
    index = INDEX.format(guests=GUESTS / "bin", hash=hash_of(binary), pool=request.param)
    with polycall.load(write_project(tmp_path, index=index)) as registry:
        registry.function("py:check")(_python_check)
        yield registry


def _python_check(text: str) -> str:
    if "bad" in text:
        raise ValueError(f"refused {text}")
    return text


def _calls(registry: polycall.Registry, tag: str) -> Iterator[Callable[[], None]]:
    good, bad = f"good {tag}", f"bad {tag}"

    def expect(result: polycall.Value, *call: object) -> None:
        assert registry.call(*call) == result  # type: ignore[call-overload]  # the first is the target

    def fails(error: type[polycall.PolycallError], text: str, *call: object) -> None:
        with pytest.raises(error) as caught:
            registry.call(*call)  # type: ignore[call-overload]  # the first is the target
        assert text in str(caught.value)
        assert caught.value.frames[0].entry_id == call[0]

    yield lambda: expect(good, "app:check", good)
    yield lambda: expect({"ok": good}, "app:relay", "app:check", good)
    yield lambda: expect({"ok": good}, "app:ask", "app:relay", "py:check", good)
    yield lambda: expect({"err": f"app:check (lua): refused {bad}"}, "app:relay", "app:check", bad)
    yield lambda: fails(polycall.GuestError, f"refused {bad}", "app:ask", "app:check", bad)
    yield lambda: fails(polycall.GuestError, f"ValueError: refused {bad}", "app:ask", "py:check", bad)
    yield lambda: fails(polycall.TrapError, f"refused {bad}", "app:relay-or-trap", "app:check", bad)
    yield lambda: fails(polycall.TrapError, f"refused {bad}", "app:ask", "app:relay-or-trap", "py:check", bad)


def test_no_call_sees_the_result_or_error_of_another(registry: polycall.Registry) -> None:
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            for round_number in range(ROUNDS):
                for call in _calls(registry, f"{number}-{round_number}"):
                    call()
        except BaseException as error:  # noqa: BLE001  # it is shown by the main thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
